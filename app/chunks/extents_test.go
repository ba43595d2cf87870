package chunks_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func (s *subject) extents(tb testing.TB, symbols ...domain.Symbol) []domain.Extent {
	tb.Helper()
	held, err := s.Extents(tb.Context(), symbols...)
	if err != nil {
		tb.Fatal(err)
	}

	return held
}

func extent(from, to int) domain.Extent { return domain.Extent{Key: key, Range: minutes(from, to)} }

// What the store holds is asked for once in a while, and after every write that came through here.
func TestExtentsAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		s.put(t, makeBars(t, 0, 100, 1))
		wants := func(asked int64, want ...domain.Extent) {
			t.Helper()
			if got := s.extents(t, key.Symbol); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if got := s.under.extents.Load(); got != asked {
				t.Errorf("the store was asked %d times, want %d", got, asked)
			}
		}
		wants(1, extent(0, 100))
		wants(1, extent(0, 100))
		s.write(t, makeBars(t, 100, 1, 1))
		wants(2, extent(0, 101))
		if _, err := s.WriteBars(t.Context(), domain.EmptySeries(key), minutes(101, 105)); err != nil { // only claims
			t.Fatal(err)
		}
		wants(3, extent(0, 105))
		s.Invalidate(t.Context(), key, minutes(0, 1))
		wants(4, extent(0, 105))
		s.put(t, makeBars(t, 105, 1, 1)) // nobody tells
		wants(4, extent(0, 105))
		time.Sleep(chunks.DefaultExtentTTL)
		wants(5, extent(0, 106))
		got := s.extents(t, key.Symbol)
		got[0] = extent(7, 8) // a caller's slice is the caller's
		wants(5, extent(0, 106))
	})
}

// Of several symbols, those that are not known are asked for at once; the answer is ordered as the store's is.
func TestExtentsOfSeveral(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{})
	for _, symbol := range []domain.Symbol{"C/USD", "A/USD", "B/USD"} {
		for _, g := range []domain.Grid{domain.Hour1.UTC(), domain.Minute1.UTC()} {
			none := domain.EmptySeries(domain.SeriesKey{Symbol: symbol, Grid: g})
			if _, err := s.under.next.WriteBars(t.Context(), none, chunkOf(0, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := s.under.next.Extents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.extents(t, "B/USD")
	for range 2 {
		if got := s.extents(t, "C/USD", "A/USD", "X/USD", "B/USD", "A/USD"); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if got := s.under.extents.Load(); got != 2 {
			t.Errorf("the store was asked %d times", got)
		}
	}
	if got := s.extents(t); !slices.Equal(got, want) {
		t.Errorf("of all: got %v", got)
	}
}

// However many ask of one symbol at once, the store is asked once, and who leaves harms nobody.
func TestExtentsStampede(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		s.put(t, makeBars(t, 0, 100, 1))
		s.under.held = func() { time.Sleep(time.Second) }
		first, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			if _, err := s.Extents(first, key.Symbol); err == nil {
				t.Error("who left got an answer")
			}
		})
		synctest.Wait()
		for range 1_000 {
			asking.Go(func() {
				if got, err := s.Extents(t.Context(), key.Symbol); err != nil || len(got) != 1 {
					t.Error(got, err)
				}
			})
		}
		time.Sleep(time.Millisecond)
		cancel()
		asking.Wait()
		if got := s.under.extents.Load(); got != 1 {
			t.Errorf("asked %d times", got)
		}
	})
}

// A write that falls into the question makes the answer nobody's to keep.
func TestExtentsBesideAWrite(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{})
	s.put(t, makeBars(t, 0, 100, 1))
	wrote := false
	s.under.held = func() { // the store has answered; the cache has not heard
		if !wrote {
			wrote = true
			s.write(t, makeBars(t, 100, 100, 1))
		}
	}
	s.extents(t, key.Symbol)
	if got := s.extents(t, key.Symbol); !slices.Equal(got, []domain.Extent{extent(0, 200)}) {
		t.Errorf("got %v", got)
	}
}

// As long as the writes of others are not heard of, the cache is not used, and keeps nothing.
func TestUnheard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		level, err := ristretto.NewSeries(0)
		if err != nil {
			t.Fatal(err)
		}
		defer level.Close()
		w := &wire{lost: make(chan struct{})}
		s := setupWith(t, chunks.Config{ReadAhead: none()}, level, w)
		s.put(t, makeBars(t, 0, 100, 1))
		asks := func(want int64, heard string) {
			t.Helper()
			before := s.under.reads.Load()
			for range 3 {
				s.same(t, query(minutes(0, 100)))
			}
			if got := s.under.reads.Load() - before; got != want {
				t.Errorf("%s: %d reads of the store, want %d", heard, got, want)
			}
			if _, near := s.LocalExtents(key.Symbol); near != (want < 3) {
				t.Errorf("%s: extents are near: %t", heard, near)
			}
		}
		asks(3, "before it listens")
		ctx, cancel := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { _ = s.Follow(ctx) })
		synctest.Wait()
		asks(1, "listening")
		asks(0, "listening")
		w.lost <- struct{}{}
		synctest.Wait()
		if !s.Stats().Disconnected {
			t.Error("it does not tell that it is deaf")
		}
		asks(3, "deaf")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if s.Stats().Disconnected {
			t.Error("it tells that it is deaf")
		}
		asks(1, "listening again")
		cancel()
		following.Wait()
	})
}

// Others claim, write and delete, and tell nobody: what is read under a claim that was seen is what was held when it was seen, or
// later, never an emptiness from before.
func TestUntoldClaims(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) { untoldClaims(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func untoldClaims(t *testing.T, r *rand.Rand) {
	t.Helper()
	const slots = 12 // of 1,000 minutes: three chunks
	s := setup(t, chunks.Config{})
	var filled [slots]bool
	for range 40 {
		i := r.IntN(slots)
		switch r.IntN(4) {
		case 0: // bars come, and are never taken away: so a claim that was seen is of bars that are there
			if !filled[i] {
				filled[i] = true
				s.put(t, makeBars(t, i*1_000, 1_000, 1))
			}
		case 1:
			time.Sleep(time.Duration(1+r.IntN(400)) * time.Second)
		default:
			held := s.extents(t, key.Symbol)
			asked := minutes(i*1_000, (i+1+r.IntN(4))*1_000)
			got, err := collect(t.Context(), s, query(asked))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range held {
				claimed := e.Range.Intersect(asked)
				if want := int(key.Grid.Slots(claimed)); got.Clip(claimed).Len() != want {
					t.Fatalf("%s is claimed and holds %d bars, want %d", claimed, got.Clip(claimed).Len(), want)
				}
			}
		}
	}
}

// What is near is what is read, and what is kept needs no read.
func TestNear(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := setup(rt, chunks.Config{ReadAhead: none()})
		for _, part := range [][2]int{{0, 3_000}, {4_096, 100}, {6_000, 9_000}} {
			s.put(t, makeBars(t, part[0], part[1], 1))
		}
		for range rapid.IntRange(1, 12).Draw(rt, "queries") {
			from := rapid.IntRange(-100, 16_000).Draw(rt, "from")
			q := query(minutes(from, from+rapid.SampledFrom([]int{0, 1, 700, 5_000, 20_000}).Draw(rt, "length")))
			switch n := rapid.SampledFrom([]int{1, 30, 5_000}).Draw(rt, "n"); rapid.IntRange(0, 2).Draw(rt, "end") {
			case 1:
				q.First = n
			case 2:
				q.Last = n
			}
			kept := s.CachedRanges(t.Context(), q)
			near, ok := s.LocalBars(make([]ports.CachedBars, 0, 1), q)
			before := s.under.reads.Load()
			want, err := collect(t.Context(), s, q)
			if err != nil {
				rt.Fatal(err)
			}
			read := s.under.reads.Load() > before
			if ok && read && q.First == 0 && q.Last == 0 {
				rt.Fatalf("%s first %d last %d: near, and read", q.Range, q.First, q.Last)
			}
			if whole := len(q.Range.Subtract(kept)) == 0; q.First == 0 && q.Last == 0 && whole == read && !q.Range.Empty() {
				rt.Fatalf("%s: of it %v is kept; read: %t", q.Range, kept, read)
			}
			if !ok {
				continue
			}
			b := domain.NewSeriesBuilder(key, 0)
			for _, p := range near {
				if err := b.AppendSeries(p.Bars); err != nil {
					rt.Fatal(err)
				}
			}
			if got, err := b.Series(); err != nil || !got.Equal(want) {
				rt.Fatalf("%s first %d last %d: near %s, want %s, %v", q.Range, q.First, q.Last, got, want, err)
			}
		}
	})
}
