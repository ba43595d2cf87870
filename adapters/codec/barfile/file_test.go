package barfile

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
	"pgregory.net/rapid"
)

// update writes the golden file if it is missing. It never overwrites it, because released programs have written files
// like it.
var update = flag.Bool("update", false, "write the golden file if it is missing")

const minute = 60_000_000

// key returns the key of 1m bars of the symbol.
func key(symbol domain.Symbol) domain.SeriesKey {
	return domain.SeriesKey{Symbol: symbol, Grid: domain.Minute1.UTC()}
}

// series returns n bars from the given minute on, with prices that depend on the time.
func series(symbol domain.Symbol, from, n int) domain.Series {
	prices := make([]int64, n)
	c := domain.Columns{OpenMicros: make([]int64, n), Trades: make([]int64, n), PriceScale: 2, VolumeScale: 2}
	for i := range n {
		c.OpenMicros[i] = int64(from+i) * minute
		prices[i] = int64(from+i)*1237%9973 + 1
	}

	c.Open.Lo, c.High.Lo, c.Low.Lo, c.Close.Lo, c.Volume.Lo = prices, prices, prices, prices, prices
	s, err := domain.NewSeriesFromColumns(key(symbol), c)
	if err != nil {
		panic(err)
	}

	return s
}

func minutes(from, to int) domain.Range {
	return domain.Range{Start: domain.Micros(from * minute).Time(), End: domain.Micros(to * minute).Time()}
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// writeFile writes a file of the parts, each covered from its first bar to its last.
func writeFile(t fataler, path string, parts ...domain.Series) {
	w, err := Create(path)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}

	defer w.Discard()
	for _, s := range parts {
		if err := w.Write(s, s.Range()); err != nil {
			t.Fatalf("Write: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// collect joins the bars that the file yields.
func collect(f *File, k domain.SeriesKey, r domain.Range) (domain.Series, error) {
	b := domain.NewSeriesBuilder(k, 0)
	for s, err := range f.Bars(k, r) {
		if err != nil {
			return domain.Series{}, err
		}
		if err := b.AppendSeries(s); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		path := filepath.Join(folder, "bars")
		symbols := []domain.Symbol{"BTC/USD", "ETH/USD", "XRP/USD"}
		builders := map[domain.SeriesKey]*domain.SeriesBuilder{}
		var extents []domain.Extent
		var parts []domain.Series
		next := map[domain.Symbol]int{}
		for range rapid.IntRange(0, 12).Draw(t, "parts") {
			symbol := rapid.SampledFrom(symbols).Draw(t, "symbol")
			n := rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 2*codec.MaxBars)).Draw(t, "bars")
			from := next[symbol] + rapid.IntRange(0, 3).Draw(t, "gap")
			next[symbol] = from + n
			s := series(symbol, from, n)
			parts = append(parts, s)
			if builders[s.Key()] == nil {
				builders[s.Key()] = domain.NewSeriesBuilder(s.Key(), 0)
			}
			if err := builders[s.Key()].AppendSeries(s); err != nil {
				t.Fatalf("AppendSeries: %v", err)
			}

			extents = append(extents, domain.Extent{Key: s.Key(), Range: s.Range()})
		}

		writeFile(t, path, parts...)

		f, closeFile, err := Open(path)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}

		defer closeFile()
		isEqual := func(a, b domain.Extent) bool {
			return a.Key == b.Key && a.Range.Equal(b.Range) && a.Inferred == b.Inferred
		}
		if got, want := f.Extents(), domain.MergeExtents(extents); !slices.EqualFunc(got, want, isEqual) {
			t.Fatalf("Extents = %v, want %v", got, want)
		}
		if len(f.Keys()) != len(builders) {
			t.Fatalf("Keys = %v, want %d keys", f.Keys(), len(builders))
		}

		for k, b := range builders {
			want, err := b.Series()
			if err != nil {
				t.Fatalf("Series: %v", err)
			}
			if !f.Range(k).Equal(want.Range()) {
				t.Fatalf("Range of %s = %v, want %v", k, f.Range(k), want.Range())
			}

			from := rapid.IntRange(0, next[k.Symbol]+2).Draw(t, "from")
			to := rapid.IntRange(from, next[k.Symbol]+2).Draw(t, "to")
			for _, r := range []domain.Range{f.Range(k), minutes(from, to)} {
				got, err := collect(f, k, r)
				if err != nil || !got.Equal(want.Clip(r)) {
					t.Fatalf("Bars of %v = %v, %v; want %v", r, got, err, want.Clip(r))
				}
			}
		}
	})
}

// Bars that are written one at a time must still fill chunks.
func TestSingleBarsFillChunks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	s := series("BTC/USD", 0, 2*codec.MaxBars+5)
	var parts []domain.Series
	for i := range s.Len() {
		parts = append(parts, s.Slice(i, i+1))
	}
	writeFile(t, path, parts...)
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	if chunks := len(f.byKey[s.Key()].Chunks); chunks != 3 {
		t.Errorf("%d bars in %d chunks, want 3", s.Len(), chunks)
	}
}

func TestLongSeriesIsYieldedInBatches(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	s := series("BTC/USD", 0, (batchChunks+1)*codec.MaxBars)
	writeFile(t, path, s)
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	var lengths []int
	for part, err := range f.Bars(s.Key(), s.Range()) {
		if err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, part.Len())
	}

	if want := []int{batchChunks * codec.MaxBars, codec.MaxBars}; !slices.Equal(lengths, want) {
		t.Errorf("Series of %v bars, want %v", lengths, want)
	}
}

func TestWriteRejectsInvalid(t *testing.T) {
	t.Parallel()
	w, err := Create(filepath.Join(t.TempDir(), "bars"))
	if err != nil {
		t.Fatal(err)
	}

	defer w.Discard()
	s := series("BTC/USD", 10, 5)
	if err := w.Write(s, s.Range()); err != nil {
		t.Fatal(err)
	}

	later := series("BTC/USD", 20, 5)
	for _, test := range []struct {
		name    string
		bars    domain.Series
		covered domain.Range
	}{
		{"repeated bars", s, s.Range()},
		{"the last bar again", series("BTC/USD", 14, 3), minutes(14, 17)},
		{"earlier bars", series("BTC/USD", 0, 3), minutes(0, 3)},
		{"coverage too short", later, minutes(20, 24)},
		{"no coverage", later, domain.Range{}},
		{"no key", domain.Series{}, minutes(0, 3)},
	} {
		if err := w.Write(test.bars, test.covered); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", test.name, err)
		}
	}

	if err := w.Write(later, later.Range()); err != nil {
		t.Errorf("Write after a rejected Write: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	if err := w.Close(); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("second Close: %v, want ErrInvalid", err)
	}
	if err := w.Write(series("BTC/USD", 30, 1), minutes(30, 31)); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("Write after Close: %v, want ErrInvalid", err)
	}
}

// A file must not appear before it is complete, and must not replace an older one before that.
func TestCloseReplacesAtomically(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "bars")
	old := series("BTC/USD", 0, 3)
	writeFile(t, path, old)
	assertOnlyOld := func(when string) {
		t.Helper()
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: %v, %v; want one file", when, entries, err)
		}
		f, closeFile, err := Open(path)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}

		defer closeFile()
		if got, err := collect(f, old.Key(), old.Range()); err != nil || !got.Equal(old) {
			t.Errorf("%s: %v, %v; want %v", when, got, err, old)
		}
	}
	begin := func() *Writer {
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(series("BTC/USD", 0, 9999), minutes(0, 9999)); err != nil {
			t.Fatal(err)
		}

		return w
	}
	begin().Discard()
	assertOnlyOld("after Discard")

	w := begin()
	if err := w.file.Close(); err != nil { // makes all further writes fail, as a full disk does
		t.Fatal(err)
	}

	if err := w.Close(); err == nil {
		t.Error("Close after a write error: no error")
	}
	assertOnlyOld("after a failed Close")

	if err := begin().Close(); err != nil {
		t.Fatal(err)
	}

	if f, closeFile, err := Open(path); err != nil || f.Range(old.Key()).Equal(old.Range()) {
		t.Errorf("the new file did not replace the old one: %v", err)
	} else {
		closeFile()
	}
}

func TestSequenceIsSingleUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	s := series("BTC/USD", 0, 3)
	writeFile(t, path, s)
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	bars := f.Bars(s.Key(), s.Range())
	for range bars {
		break
	}
	for got, err := range bars {
		if !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("second use: %v, %v; want ErrInvalid", got, err)
		}
	}
}

func TestUnknownKeyHasNoBars(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	s := series("BTC/USD", 0, 3)
	writeFile(t, path, s)
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	unknown := key("ETH/USD")
	if got, err := collect(f, unknown, s.Range()); err != nil || got.Len() != 0 || !f.Range(unknown).Empty() {
		t.Errorf("Bars of an unknown key = %v, %v; Range = %v; want none", got, err, f.Range(unknown))
	}
}

// goldenParts returns the bars of the golden file.
func goldenParts() []domain.Series {
	return []domain.Series{series("BTC/USD", 0, 20), series("ETH/USD", 5, 10), series("BTC/USD", 25, 3)}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "v1.bars")
	if _, err := os.Stat(path); os.IsNotExist(err) && *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, goldenParts()...)
	}

	rewritten := filepath.Join(t.TempDir(), "bars")
	writeFile(t, rewritten, goldenParts()...)
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if got, err := os.ReadFile(rewritten); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the written file differs from %s: %v", path, err)
	}
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	for _, part := range goldenParts() {
		if got, err := collect(f, part.Key(), part.Range()); err != nil || !got.Equal(part) {
			t.Errorf("read %v, %v; want %v", got, err, part)
		}
	}
}
