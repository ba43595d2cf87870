package memory_test

import (
	"context"
	"errors"
	"iter"
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

// everything is more than any store holds.
var everything = domain.Range{Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}

// held is what a store holds of the key.
func held(t *rapid.T, s *memory.Store, key domain.SeriesKey) domain.Series {
	b := domain.NewSeriesBuilder(key, 0)
	for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: key, Range: everything}) {
		if err == nil {
			err = b.AppendSeries(piece)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	whole, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return whole
}

func equal(t *rapid.T, want, got *memory.Store) {
	extents, err := want.Extents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if have, err := got.Extents(t.Context()); err != nil || !slices.Equal(have, extents) {
		t.Fatalf("extents %v, want %v (%v)", have, extents, err)
	}

	for _, e := range extents {
		if a, b := held(t, want, e.Key), held(t, got, e.Key); !a.Equal(b) {
			t.Fatalf("got %v, want %v", b, a)
		}
	}
}

// filled is a store of a few series with claims, some of them without a bar.
func filled(t *rapid.T) *memory.Store {
	s := memory.New()
	for range rapid.IntRange(0, 5).Draw(t, "writes") {
		key := gen.Key().Draw(t, "key")
		r := gen.Range(key.Grid).Draw(t, "claim")
		bars := gen.Bars(key, r, 50).Draw(t, "bars")
		if _, err := s.WriteBars(t.Context(), bars, r); err != nil {
			t.Fatal(err)
		}
	}

	return s
}

func TestCopyIsEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to := filled(t), memory.New()
		if err := to.Copy(t.Context(), from); err != nil {
			t.Fatal(err)
		}

		equal(t, from, to)
	})
}

// Over what is there already, a copy is what writing the same is.
func TestCopyOverwrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from, to, want := filled(t), memory.New(), memory.New()
		for range rapid.IntRange(0, 5).Draw(t, "writes before") {
			key := gen.Key().Draw(t, "key")
			r := gen.Range(key.Grid).Draw(t, "claim")
			write(t, gen.Bars(key, r, 50).Draw(t, "bars"), r, to, want)
		}

		extents, err := from.Extents(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		for _, e := range extents { // a part of what comes is there, and a part of it is another
			if rapid.Bool().Draw(t, "there") {
				write(t, gen.Bars(e.Key, e.Range, 50).Draw(t, "other bars"), e.Range, to, want)
			}
		}

		for _, e := range extents {
			write(t, held(t, from, e.Key).Clip(e.Range), e.Range, want)
		}
		if err := to.Copy(t.Context(), from); err != nil {
			t.Fatal(err)
		}

		equal(t, want, to)
	})
}

func write(t *rapid.T, bars domain.Series, claim domain.Range, stores ...*memory.Store) {
	for _, s := range stores {
		if _, err := s.WriteBars(t.Context(), bars, claim); err != nil {
			t.Fatal(err)
		}
	}
}

// cut is a source that answers in pieces of so many bars.
type cut struct {
	*memory.Store
	bars int
}

func (c cut) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for s, err := range c.Store.ReadBars(ctx, q) {
			for at := 0; at < s.Len(); at += c.bars {
				if !yield(s.Slice(at, min(at+c.bars, s.Len())), err) {
					return
				}
			}
		}
	}
}

// What comes in pieces is held in them: no bar is copied.
func TestCopyCopiesNoBar(t *testing.T) {
	t.Parallel()
	const long = 3000
	from, to, b := memory.New(), memory.New(), minuteBars(t, 10*long)
	if _, err := from.WriteBars(t.Context(), b, b.Range()); err != nil {
		t.Fatal(err)
	}
	if err := to.Copy(t.Context(), cut{from, long}); err != nil {
		t.Fatal(err)
	}

	got := pieces(t, to, ports.BarQuery{Key: key, Range: b.Range()})
	if len(got) != 10 {
		t.Fatalf("%d pieces", len(got))
	}

	for i, piece := range got {
		if &piece.Columns().OpenMicros[0] != &b.Columns().OpenMicros[i*long] {
			t.Errorf("piece %d was copied", i)
		}
	}
}

// broken is a source whose pieces overlap.
type broken struct{ *memory.Store }

func (b broken) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for s, err := range b.Store.ReadBars(ctx, q) {
			for range 2 {
				if !yield(s, err) {
					return
				}
			}
		}
	}
}

func TestCopyRefusesPiecesOutOfOrder(t *testing.T) {
	t.Parallel()
	from, to, b := memory.New(), memory.New(), minuteBars(t, 10)
	if _, err := from.WriteBars(t.Context(), b, b.Range()); err != nil {
		t.Fatal(err)
	}

	if err := to.Copy(t.Context(), broken{from}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	if extents, err := to.Extents(t.Context()); err != nil || len(extents) > 0 {
		t.Errorf("holds %v (%v)", extents, err)
	}
}

func TestOpenIsWhatWasWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		from := filled(t)
		path := filepath.Join(folder, "bars")
		w, err := barfile.Create(path)
		if err != nil {
			t.Fatal(err)
		}

		extents, err := from.Extents(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		for _, e := range extents {
			if err := w.Write(held(t, from, e.Key).Clip(e.Range), e.Range); err != nil {
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

		equal(t, from, to)
	})
}

func TestOpenRefusesAnotherFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bars")
	if err := os.WriteFile(path, []byte("time,open,high,low,close,volume\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := memory.Open(t.Context(), path); err == nil {
		t.Fatal("a CSV file was taken for a bar file")
	}
}
