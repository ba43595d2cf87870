package memory_test

import (
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
			if err := w.Write(held(t, from, e.Key).Within(e.Range), e.Range); err != nil {
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
