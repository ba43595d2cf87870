package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
)

var (
	key = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Day1.UTC()}
	day = time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
)

func oneBar() (domain.Series, error) {
	return domain.NewSeries(key, domain.Bar{
		OpenTime: day,
		Open:     domain.MustDecimal("7424.91"), High: domain.MustDecimal("7430"), Low: domain.MustDecimal("6701.5"),
		Close: domain.MustDecimal("6815"), Volume: domain.MustDecimal("17643.00148"),
	})
}

func TestOpenMakesTheFolderAndKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(t.TempDir(), "new", "folder", "bars.db")}}
	bars, err := oneBar()
	if err != nil {
		t.Fatal(err)
	}

	for _, want := range []ports.WriteReport{{Inserted: 1}, {Unchanged: 1}} {
		md, closeStore, err := embedded.Open(t.Context(), cfg, embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}

		if got, err := md.Ingest(t.Context(), bars, domain.Range{}, ports.ConflictReplace); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		closeStore()
	}
}

func TestClockHandedInIsUsed(t *testing.T) {
	t.Parallel()
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(t.TempDir(), "bars.db")}}
	md, closeStore, err := embedded.Open(t.Context(), cfg, embedded.Options{Clock: clock.NewSimulated(day)})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	bars, err := oneBar()
	if err != nil {
		t.Fatal(err)
	}

	if _, err := md.Ingest(t.Context(), bars, domain.Range{}, ports.ConflictReplace); !errors.Is(err, ports.ErrNotClosed) {
		t.Errorf("a bar that is not over was taken: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("not a folder"), 0o600); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		cfg  wiring.Config
		says string
	}{
		"a bad limit":          {wiring.Config{Service: app.Config{Timeout: -1}}, "timeout"},
		"a file for a folder":  {wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(file, "bars.db")}}, "folder"},
		"a URI":                {wiring.Config{SQLite: wiring.SQLite{Path: "file:" + file}}, "URI"},
		"what is no database":  {wiring.Config{SQLite: wiring.SQLite{Path: file}}, file},
		"a path from the home": {wiring.Config{SQLite: wiring.SQLite{Path: "~/bars.db"}}, "not expanded"},
	} {
		md, closeStore, err := embedded.Open(t.Context(), c.cfg, embedded.Options{})
		if err == nil || !strings.Contains(err.Error(), c.says) || md != nil || closeStore != nil {
			t.Errorf("%s: got %v, want an error that says %q", name, err, c.says)
		}
	}
}

// Options.Stores adds another store, which here takes bars of a day and longer.
func TestStoresOfOthers(t *testing.T) {
	t.Parallel()
	other := memory.New()
	arrange := func(ours []app.Source) []app.Source {
		ours[0].Takes.Below = domain.Day1
		takes := domain.FrequencyRange{From: domain.Day1}
		return append(ours, app.Source{Name: "theirs", Bars: other, Catalog: other, Takes: takes})
	}
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(t.TempDir(), "bars.db")}}
	md, closeStore, err := embedded.Open(t.Context(), cfg, embedded.Options{Stores: arrange})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	bars, err := oneBar()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := md.Ingest(t.Context(), bars, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	got, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Last: 1})
	if err != nil || !got.Series.Equal(bars) || len(got.Provenance) != 1 || got.Provenance[0].Store != "theirs" {
		t.Errorf("%s of %+v, %v", got.Series, got.Provenance, err)
	}
	if held, err := ports.Collect(other.Extents(t.Context(), ports.ExtentQuery{})); err != nil || len(held) != 1 {
		t.Errorf("theirs holds %v, %v", held, err)
	}
	twice := func(ours []app.Source) []app.Source { return append(ours, ours...) }
	_, _, err = embedded.Open(t.Context(), cfg, embedded.Options{Stores: twice})
	if err == nil || !strings.Contains(err.Error(), "two have this name") {
		t.Errorf("got %v", err)
	}
}

// A store of others without a catalog: its symbols are not found until they are registered in the catalog of the file.
func TestStoreOfOthersWithoutCatalog(t *testing.T) {
	t.Parallel()
	other := memory.New()
	bars, err := oneBar()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ports.WriteBars(t.Context(), other, bars, bars.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	arrange := func(ours []app.Source) []app.Source {
		return append(ours, app.Source{Name: "theirs", Bars: other})
	}
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(t.TempDir(), "bars.db")}}
	md, closeStore, err := embedded.Open(t.Context(), cfg, embedded.Options{Stores: arrange})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	request := domain.DataRequest{Key: key, Last: 1}
	const says = "if it is in theirs, which has no catalog, register it in that of sqlite"
	_, err = md.Fetch(t.Context(), request)
	many := md.FetchMany(t.Context(), []domain.DataRequest{request})
	for _, err := range []error{err, many[0].Err} {
		if !errors.Is(err, ports.ErrNotFound) || !strings.Contains(err.Error(), says) {
			t.Errorf("before: got %v, want an ErrNotFound that says %q", err, says)
		}
	}

	if err := md.SetSymbols(t.Context(), domain.NewSymbolMeta(key.Symbol)); err != nil {
		t.Fatal(err)
	}
	got, err := md.Fetch(t.Context(), request)
	if err != nil || !got.Series.Equal(bars) || got.Provenance[0].Store != "theirs" {
		t.Errorf("after: %s of %+v, %v", got.Series, got.Provenance, err)
	}
}

// Open refuses stores without any catalog, because no symbol could be found.
func TestStoresWithoutCatalogAreRefused(t *testing.T) {
	t.Parallel()
	only := func([]app.Source) []app.Source { return []app.Source{{Name: "theirs", Bars: memory.New()}} }
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(t.TempDir(), "bars.db")}}
	_, _, err := embedded.Open(t.Context(), cfg, embedded.Options{Stores: only})
	if !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), "set Catalog of one to a ports.SymbolCatalog") {
		t.Errorf("got %v, want an ErrInvalid that says to set Catalog", err)
	}
}
