package sqlite_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var (
	btc   = domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
)

// minutes returns n bars of btc from the given minute on, with numbers that depend on the seed.
func minutes(tb testing.TB, from, n int, seed int64) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(btc, n)
	for i := range n {
		if err := b.Append(barAt(start.Add(time.Duration(from+i)*time.Minute), seed+int64(i))); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func barAt(t time.Time, seed int64) domain.Bar {
	cents := func(n int64) domain.Decimal {
		d, err := domain.NewDecimal(n, 2)
		if err != nil {
			panic(err)
		}

		return d
	}
	p := 4_000_000 + seed%100_000

	return domain.Bar{
		OpenTime: t, Open: cents(p), High: cents(p + 25), Low: cents(p - 30), Close: cents(p + 7),
		Volume: cents(seed%977 + 1), Trades: seed%50 + 1,
	}
}

// query returns the query of all bars of s.
func query(s domain.Series) ports.BarQuery { return ports.BarQuery{Key: s.Key(), Range: s.Range()} }

func readAll(ctx context.Context, s *sqlite.Store, q ports.BarQuery) (domain.Series, error) {
	b := domain.NewSeriesBuilder(q.Key, 0)
	for bars, err := range s.ReadBars(ctx, q).Rows() {
		if err != nil {
			return domain.Series{}, err
		}
		if err := b.AppendSeries(bars); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

func write(tb testing.TB, s *sqlite.Store, bars domain.Series) {
	tb.Helper()
	if _, err := ports.WriteBars(tb.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		tb.Fatal(err)
	}
}

func TestOpenRejectsWithHint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.txt")
	if err := os.WriteFile(plain, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}

	foreign := filepath.Join(dir, "foreign.db")
	if _, err := openRaw(t, foreign).ExecContext(t.Context(), `CREATE TABLE notes (text)`); err != nil {
		t.Fatal(err)
	}

	newer := filepath.Join(dir, "newer.db")
	open(t, newer)
	if _, err := openRaw(t, newer).ExecContext(t.Context(), `PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name, path string
		kind       error
		hint       string
	}{
		{"home folder", "~/market.db", ports.ErrInvalid, "not expanded"},
		{"memory", ":memory:", ports.ErrInvalid, "use the memory store"},
		{"uri", "file:market.db", ports.ErrInvalid, "give a plain path"},
		{"zero byte", "a\x00b", ports.ErrInvalid, "zero byte"},
		{"missing directory", filepath.Join(dir, "missing", "market.db"), ports.ErrUnavailable, "create its directory"},
		{"directory", dir, ports.ErrUnavailable, "path of a file"},
		{"not a database", plain, ports.ErrSchema, "marketdata file, or a new one"},
		{"foreign database", foreign, ports.ErrSchema, "another path"},
		{"newer version", newer, ports.ErrSchema, "use a newer marketdata"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := sqlite.Open(t.Context(), sqlite.Config{Path: test.path})
			var e *ports.Error
			if !errors.As(err, &e) || !errors.Is(e.Kind, test.kind) || !strings.Contains(err.Error(), test.hint) {
				t.Fatalf("got %v, want kind %q and the hint %q", err, test.kind, test.hint)
			}
		})
	}
}

func TestOpenWithoutPermission(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write anything")
	}

	path := filepath.Join(t.TempDir(), "market.db")
	if err := os.WriteFile(path, nil, 0o400); err != nil {
		t.Fatal(err)
	}

	_, _, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if !errors.Is(err, ports.ErrPermission) || !strings.Contains(err.Error(), "writable") {
		t.Fatalf("got %v", err)
	}
}

func TestOpenCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(t.TempDir(), "market.db")})
	if !errors.Is(err, ports.ErrCanceled) || !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// Concurrent opens of a new file must all succeed.
func TestConcurrentOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "with ? and % and #.db")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, closeStore, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
			if err != nil {
				t.Error(err)
				return
			}

			closeStore()
		})
	}

	all.Wait()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestReopenedFileKeepsBars(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	bars := minutes(t, 0, 5000, 1)
	s, closeStore, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}

	write(t, s, bars)
	closeStore()
	if got, err := readAll(t.Context(), open(t, path), query(bars)); err != nil || !got.Equal(bars) {
		t.Fatalf("got %s, %v, want %s", got, err, bars)
	}

	if _, err := readAll(t.Context(), s, query(bars)); err == nil {
		t.Error("a read of a closed store succeeded")
	}
}

// An identical rewrite must not commit anything that another connection can see.
func TestRewriteWritesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, other := open(t, path), openRaw(t, path)
	dataVersion := func() (version int) {
		if err := other.QueryRowContext(t.Context(), `PRAGMA data_version`).Scan(&version); err != nil {
			t.Fatal(err)
		}
		return version
	}
	bars := minutes(t, 0, 1000, 1)
	before := dataVersion()
	write(t, s, bars)
	written := dataVersion()
	if written == before {
		t.Fatal("a write did not change the data version, so that this test proves nothing")
	}

	report, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace)
	if want := (ports.WriteReport{Unchanged: 1000}); err != nil || report != want {
		t.Fatalf("got %+v, %v, want %+v", report, err, want)
	}

	report, err = s.ReplaceBars(t.Context(), bars, bars.Range())
	if want := (ports.WriteReport{Unchanged: 1000}); err != nil || report != want {
		t.Fatalf("got %+v, %v, want %+v", report, err, want)
	}

	if dataVersion() != written {
		t.Error("an identical rewrite changed the data version")
	}
}

// More concurrent reads than idle connections must be possible, and each must see the snapshot of its beginning during
// a write.
func TestConcurrentReadsAreSnapshots(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "market.db"))
	bars := minutes(t, 0, 4500, 1) // more than one chunk
	write(t, s, bars)
	var nest func(depth int)
	nest = func(depth int) {
		if depth == 0 {
			write(t, s, minutes(t, 0, 4500, 5))
			return
		}

		got := domain.NewSeriesBuilder(btc, 0)
		for part, err := range s.ReadBars(t.Context(), query(bars)).Rows() {
			if err != nil {
				t.Fatal(err)
			}

			if got.Len() == 0 {
				nest(depth - 1)
			}
			if err := got.AppendSeries(part); err != nil {
				t.Fatal(err)
			}
		}

		if whole, err := got.Series(); err != nil || !whole.Equal(bars) {
			t.Errorf("depth %d: a read that began before a write returned %s, %v", depth, whole, err)
		}
	}
	nest(10)
}

// returnsWithin calls try, which returns how long a call took, until it is at most limit. A busy machine may need a few
// tries.
func returnsWithin(t *testing.T, limit time.Duration, try func() time.Duration) {
	t.Helper()
	const tries = 20
	best := time.Duration(math.MaxInt64)
	for range tries {
		if best = min(best, try()); best <= limit {
			return
		}
	}
	t.Errorf("returned after %s in the best of %d tries, want at most %s", best, tries, limit)
}

func TestCancelWhileAnotherWrites(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, other := open(t, path), openRaw(t, path)
	if _, err := other.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}

	bars := minutes(t, 0, 10, 1)

	returnsWithin(t, 300*time.Millisecond, func() time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := ports.WriteBars(ctx, s, bars, bars.Range(), ports.ConflictReplace)
		took := time.Since(began)
		if !errors.Is(err, ports.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want ErrTimeout", err)
		}
		if e, ok := errors.AsType[*ports.Error](err); !ok || e.Phase != ports.PhaseAcquire {
			t.Errorf("got %v, want the phase %s", err, ports.PhaseAcquire)
		}

		return took
	})

	if _, err := other.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}

	write(t, s, bars)
}

func TestCancelWhileWriting(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "market.db"))
	bars := minutes(t, 0, 1_000_000, 1)
	returnsWithin(t, 350*time.Millisecond, func() time.Duration {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := ports.WriteBars(ctx, s, bars, bars.Range(), ports.ConflictReplace)
		took := time.Since(began)
		if !errors.Is(err, ports.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}

		return took
	})
	if got, err := readAll(t.Context(), s, query(bars)); err != nil || got.Len() != 0 {
		t.Errorf("a canceled write left %s, %v", got, err)
	}
}

func TestPutSymbolsRejectsTextThatSQLiteChanges(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "market.db"))
	for _, text := range []string{"a\x00b", "\xff"} {
		err := s.PutSymbols(t.Context(), domain.SymbolMeta{Symbol: "A"}, domain.SymbolMeta{Symbol: "B", Venue: text})
		if !errors.Is(err, ports.ErrInvalid) {
			t.Errorf("venue %q: got %v", text, err)
		}
	}

	quoted := domain.SymbolMeta{Symbol: "C", Venue: `O'Neill's "?" \`, Base: "'; DROP TABLE chunks; --", Quote: "é\n?"}
	if err := s.PutSymbols(t.Context(), quoted); err != nil {
		t.Fatal(err)
	}

	got, err := ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{}))
	if err != nil || len(got) != 1 || !got[0].Equal(quoted) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Rows that no version of this package can have written must be ErrCorruptData.
func TestInvalidSymbolAndSeriesRows(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "market.db")
	s, raw := open(t, path), openRaw(t, path)
	write(t, s, minutes(t, 0, 1, 1))
	for _, statement := range []string{`UPDATE series SET grid = '1x'`, `UPDATE symbols SET tick = 'NaN'`} {
		if _, err := raw.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}

	_, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{}))
	if !errors.Is(err, ports.ErrCorruptData) || errors.Is(err, ports.ErrInvalid) {
		t.Errorf("Extents with an unknown grid: %v, want ErrCorruptData", err)
	}
	_, err = ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{}))
	if !errors.Is(err, ports.ErrCorruptData) || errors.Is(err, ports.ErrInvalid) {
		t.Errorf("Symbols with a tick size that is not a number: %v, want ErrCorruptData", err)
	}
}
