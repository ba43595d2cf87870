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

// update writes the golden file if it is missing; once released it is never written again.
var update = flag.Bool("update", false, "write the golden file if it is missing")

const minute = 60_000_000

func key(symbol domain.Symbol) domain.SeriesKey {
	return domain.SeriesKey{Symbol: symbol, Grid: domain.Minute1.UTC()}
}

// series is n bars from the given minute on, each priced by its time.
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
	return domain.Range{Start: timeOf(int64(from) * minute), End: timeOf(int64(to) * minute)}
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// write makes a file of the pieces, each claimed as far as its bars go.
func write(t fataler, path string, pieces ...domain.Series) {
	w, err := Create(path)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}

	defer w.Discard()
	for _, s := range pieces {
		if err := w.Write(s, s.Range()); err != nil {
			t.Fatalf("Write: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// collect joins what a file yields.
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
		whole := map[domain.SeriesKey]*domain.SeriesBuilder{}
		var extents []domain.Extent
		var pieces []domain.Series
		next := map[domain.Symbol]int{}
		for range rapid.IntRange(0, 12).Draw(t, "pieces") {
			symbol := rapid.SampledFrom(symbols).Draw(t, "symbol")
			n := rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 2*codec.MaxBars)).Draw(t, "bars")
			from := next[symbol] + rapid.IntRange(0, 3).Draw(t, "gap")
			next[symbol] = from + n
			s := series(symbol, from, n)
			pieces = append(pieces, s)
			if whole[s.Key()] == nil {
				whole[s.Key()] = domain.NewSeriesBuilder(s.Key(), 0)
			}
			if err := whole[s.Key()].AppendSeries(s); err != nil {
				t.Fatalf("AppendSeries: %v", err)
			}

			extents = append(extents, domain.Extent{Key: s.Key(), Range: s.Range()})
		}

		write(t, path, pieces...)

		f, closeFile, err := Open(path)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}

		defer closeFile()
		if got, want := f.Extents(), domain.MergeExtents(extents); !slices.EqualFunc(got, want, func(a, b domain.Extent) bool {
			return a.Key == b.Key && a.Range.Equal(b.Range) && a.Inferred == b.Inferred
		}) {
			t.Fatalf("Extents = %v, want %v", got, want)
		}
		if len(f.Keys()) != len(whole) {
			t.Fatalf("Keys = %v, want %d", f.Keys(), len(whole))
		}

		for k, b := range whole {
			want, err := b.Series()
			if err != nil {
				t.Fatalf("Series: %v", err)
			}
			if !f.Range(k).Equal(want.Range()) {
				t.Fatalf("Range of %s = %v, want %v", k, f.Range(k), want.Range())
			}

			from := rapid.IntRange(0, next[k.Symbol]+2).Draw(t, "from")
			for _, r := range []domain.Range{f.Range(k), minutes(from, rapid.IntRange(from, next[k.Symbol]+2).Draw(t, "to"))} {
				got, err := collect(f, k, r)
				if err != nil || !got.Equal(want.Clip(r)) {
					t.Fatalf("Bars of %v = %v, %v; want %v", r, got, err, want.Clip(r))
				}
			}
		}
	})
}

// Bars that come one at a time fill chunks all the same.
func TestChunksAreFilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	s := series("BTC/USD", 0, 2*codec.MaxBars+5)
	var pieces []domain.Series
	for i := range s.Len() {
		pieces = append(pieces, s.Slice(i, i+1))
	}
	write(t, path, pieces...)
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	if chunks := len(f.byKey[s.Key()].Chunks); chunks != 3 {
		t.Errorf("%d bars in %d chunks, want 3", s.Len(), chunks)
	}
}

func TestLongSeriesComesInPieces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	s := series("BTC/USD", 0, (batchChunks+1)*codec.MaxBars)
	write(t, path, s)
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	var lengths []int
	for piece, err := range f.Bars(s.Key(), s.Range()) {
		if err != nil {
			t.Fatal(err)
		}
		lengths = append(lengths, piece.Len())
	}

	if want := []int{batchChunks * codec.MaxBars, codec.MaxBars}; !slices.Equal(lengths, want) {
		t.Errorf("pieces of %v bars, want %v", lengths, want)
	}
}

func TestWriteRefuses(t *testing.T) {
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
		name  string
		bars  domain.Series
		claim domain.Range
	}{
		{"bars again", s, s.Range()},
		{"bars before", series("BTC/USD", 0, 3), minutes(0, 3)},
		{"claim too short", later, minutes(20, 24)},
		{"no claim", later, domain.Range{}},
		{"no key", domain.Series{}, minutes(0, 3)},
	} {
		if err := w.Write(test.bars, test.claim); !errors.Is(err, domain.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", test.name, err)
		}
	}

	if err := w.Write(later, later.Range()); err != nil {
		t.Errorf("a refusal spoils the file: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	if err := w.Close(); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("Close again: %v, want ErrInvalid", err)
	}
	if err := w.Write(series("BTC/USD", 30, 1), minutes(30, 31)); !errors.Is(err, domain.ErrInvalid) {
		t.Errorf("Write after Close: %v, want ErrInvalid", err)
	}
}

// A file is there whole or not at all, and an older one stays until then.
func TestFileAppearsWhole(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "bars")
	old := series("BTC/USD", 0, 3)
	write(t, path, old)
	onlyOld := func(when string) {
		t.Helper()
		entries, err := os.ReadDir(folder)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s: %v, %v; want the one file", when, entries, err)
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
	start := func() *Writer {
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(series("BTC/USD", 0, 9999), minutes(0, 9999)); err != nil {
			t.Fatal(err)
		}

		return w
	}
	start().Discard()
	onlyOld("discarded")

	w := start()
	if err := w.file.Close(); err != nil { // as a full disk would, this fails what follows
		t.Fatal(err)
	}

	if err := w.Close(); err == nil {
		t.Error("Close of a broken file: no error")
	}
	onlyOld("broken")

	if err := start().Close(); err != nil {
		t.Fatal(err)
	}

	if f, closeFile, err := Open(path); err != nil || f.Range(old.Key()).Equal(old.Range()) {
		t.Errorf("the new file did not take the old one's place: %v", err)
	} else {
		closeFile()
	}
}

func TestSingleUse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	s := series("BTC/USD", 0, 3)
	write(t, path, s)
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
			t.Errorf("ranged over again: %v, %v; want ErrInvalid", got, err)
		}
	}

	if got, err := collect(f, key("ETH/USD"), s.Range()); err != nil || got.Len() != 0 || !f.Range(key("ETH/USD")).Empty() {
		t.Errorf("a key that is not there: %v, %v", got, err)
	}
}

// goldenPieces is what the golden file holds.
func goldenPieces() []domain.Series {
	return []domain.Series{series("BTC/USD", 0, 20), series("ETH/USD", 5, 10), series("BTC/USD", 25, 3)}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "v1.bars")
	if _, err := os.Stat(path); os.IsNotExist(err) && *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, goldenPieces()...)
	}

	again := filepath.Join(t.TempDir(), "bars")
	write(t, again, goldenPieces()...)
	held, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if written, err := os.ReadFile(again); err != nil || !bytes.Equal(written, held) {
		t.Errorf("the file is not written as it was: %v", err)
	}
	f, closeFile, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	defer closeFile()
	for _, piece := range goldenPieces() {
		if got, err := collect(f, piece.Key(), piece.Range()); err != nil || !got.Equal(piece) {
			t.Errorf("read %v, %v; want %v", got, err, piece)
		}
	}
}
