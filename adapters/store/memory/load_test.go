package memory_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/codec/barfile"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// allTime covers every bar of a store.
var allTime = domain.Range{
	Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
	End:   time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
}

// readAll returns the stored bars of the key.
func readAll(t *rapid.T, s *memory.Store, key domain.SeriesKey) domain.Series {
	b := domain.NewSeriesBuilder(key, 0)
	for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: key, Range: allTime}).Rows() {
		if err == nil {
			err = b.AppendSeries(piece)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	all, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return all
}

// checkEqual checks that both stores have the same extents and the same bars.
func checkEqual(t *rapid.T, want, got *memory.Store) {
	extents, err := ports.Collect(want.Extents(t.Context(), ports.ExtentQuery{}))
	if err != nil {
		t.Fatal(err)
	}
	if gotExtents, err := ports.Collect(got.Extents(t.Context(), ports.ExtentQuery{})); err != nil || !slices.Equal(gotExtents, extents) {
		t.Fatalf("extents %v, want %v (%v)", gotExtents, extents, err)
	}

	for _, e := range extents {
		if a, b := readAll(t, want, e.Key), readAll(t, got, e.Key); !a.Equal(b) {
			t.Fatalf("got %v, want %v", b, a)
		}
	}
}

// drawStore draws a store with bars and coverage of several series, some of it without a bar.
func drawStore(t *rapid.T) *memory.Store {
	s := memory.New()
	for range rapid.IntRange(0, 5).Draw(t, "writes") {
		key := gen.Key().Draw(t, "key")
		r := gen.Range(key.Grid).Draw(t, "coverage")
		bars := gen.Bars(key, r, 50).Draw(t, "bars")
		if _, err := ports.WriteBars(t.Context(), s, bars, r, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	return s
}

func TestCopyIsEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawStore(t), memory.New()
		if err := to.Copy(t.Context(), from); err != nil {
			t.Fatal(err)
		}

		checkEqual(t, from, to)
	})
}

// TestCopyOverwrites checks that a copy into a store with bars does the same as writing the bars of the source.
func TestCopyOverwrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to, want := drawStore(t), memory.New(), memory.New()
		for range rapid.IntRange(0, 5).Draw(t, "writes before") {
			key := gen.Key().Draw(t, "key")
			r := gen.Range(key.Grid).Draw(t, "coverage")
			write(t, gen.Bars(key, r, 50).Draw(t, "bars"), r, to, want)
		}

		extents, err := ports.Collect(from.Extents(t.Context(), ports.ExtentQuery{}))
		if err != nil {
			t.Fatal(err)
		}

		for _, e := range extents { // some bars of the source are stored already, with other values
			if rapid.Bool().Draw(t, "stored") {
				write(t, gen.Bars(e.Key, e.Range, 50).Draw(t, "other bars"), e.Range, to, want)
			}
		}

		for _, e := range extents {
			write(t, readAll(t, from, e.Key).Clip(e.Range), e.Range, want)
		}
		if err := to.Copy(t.Context(), from); err != nil {
			t.Fatal(err)
		}

		checkEqual(t, want, to)
	})
}

func write(t *rapid.T, bars domain.Series, coverage domain.Range, stores ...*memory.Store) {
	for _, s := range stores {
		if _, err := ports.WriteBars(t.Context(), s, bars, coverage, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}
}

// pieceSource is a source that yields pieces of so many bars.
type pieceSource struct {
	*memory.Store
	bars int
}

// ReadBars yields the bars of the store in shorter pieces.
func (p pieceSource) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(func(yield func(domain.Series, error) bool) {
		for s, err := range p.Store.ReadBars(ctx, q).Rows() {
			for at := 0; at < s.Len(); at += p.bars {
				if !yield(s.Slice(at, min(at+p.bars, s.Len())), err) {
					return
				}
			}
		}
	})
}

// TestCopySharesPieces checks that a copy stores the pieces of the source without copying a bar.
func TestCopySharesPieces(t *testing.T) {
	t.Parallel()
	const long = 3000
	from, to, b := memory.New(), memory.New(), minuteBars(t, 10*long)
	if _, err := ports.WriteBars(t.Context(), from, b, b.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if err := to.Copy(t.Context(), pieceSource{from, long}); err != nil {
		t.Fatal(err)
	}

	got := readPieces(t, to, ports.BarQuery{Key: key, Range: b.Range()})
	if len(got) != 10 {
		t.Fatalf("%d pieces", len(got))
	}

	for i, piece := range got {
		if &piece.Columns().OpenMicros[0] != &b.Columns().OpenMicros[i*long] {
			t.Errorf("piece %d was copied", i)
		}
	}
}

// overlappingSource is a source that yields every piece twice, against its contract.
type overlappingSource struct{ *memory.Store }

// ReadBars yields every piece of the store twice.
func (o overlappingSource) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return ports.Unversioned(func(yield func(domain.Series, error) bool) {
		for s, err := range o.Store.ReadBars(ctx, q).Rows() {
			for range 2 {
				if !yield(s, err) {
					return
				}
			}
		}
	})
}

func TestCopyRefusesPiecesOutOfOrder(t *testing.T) {
	t.Parallel()
	from, to, b := memory.New(), memory.New(), minuteBars(t, 10)
	if _, err := ports.WriteBars(t.Context(), from, b, b.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	if err := to.Copy(t.Context(), overlappingSource{from}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if extents, err := ports.Collect(to.Extents(t.Context(), ports.ExtentQuery{})); err != nil || len(extents) > 0 {
		t.Errorf("extents %v (%v), want none", extents, err)
	}
}

func TestOpenReadsBarFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		from := drawStore(t)
		path := filepath.Join(folder, "bars")
		w, err := barfile.Create(path)
		if err != nil {
			t.Fatal(err)
		}

		extents, err := ports.Collect(from.Extents(t.Context(), ports.ExtentQuery{}))
		if err != nil {
			t.Fatal(err)
		}

		for _, e := range extents {
			if err := w.Write(readAll(t, from, e.Key).Clip(e.Range), e.Range); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}

		to, err := memory.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}

		checkEqual(t, from, to)
	})
}

func TestOpenRefusesOtherFormats(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	if err := os.WriteFile(path, []byte("time,open,high,low,close,volume\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.Open(t.Context(), path); err == nil {
		t.Fatal("a CSV file was opened as a bar file")
	}
}
