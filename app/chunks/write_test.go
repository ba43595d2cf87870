package chunks_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/cache/tiered"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func (s *subject) write(tb testing.TB, bars domain.Series) {
	tb.Helper()
	if _, err := s.WriteBars(tb.Context(), bars, bars.Range()); err != nil {
		tb.Fatal(err)
	}
}

func TestWritesInvalidateWhatTheyTouch(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{ReadAhead: none()})
	s.put(t, makeBars(t, 0, 5*4_096, 1))
	all := query(chunkOf(0, 5))
	s.same(t, all)
	s.reads(t, 1)
	s.write(t, makeBars(t, 4_096, 10, 1)) // as they were
	s.same(t, all)
	s.reads(t, 1)
	s.write(t, makeBars(t, 2*4_096-1, 2, 2)) // in two chunks
	before := s.under.bars.Load()
	s.same(t, all)
	if got := s.under.bars.Load() - before; got != 2*4_096 {
		t.Errorf("%d bars were read again", got)
	}
	if _, err := s.ReplaceBars(t.Context(), domain.EmptySeries(key), minutes(100, 200)); err != nil {
		t.Fatal(err)
	}
	s.same(t, all)
	s.reads(t, 3)
	forever := domain.Range{Start: time.Unix(0, 0), End: start.AddDate(5000, 0, 0)} // more chunks than are deleted one by one
	if _, err := s.ReplaceBars(t.Context(), domain.EmptySeries(key), forever); err != nil {
		t.Fatal(err)
	}
	s.same(t, all)
}

func TestManyChunksAreNoLongerBelieved(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{ReadAhead: none()})
	s.put(t, makeBars(t, 0, 100, 1))
	s.same(t, query(chunkOf(0, 1)))
	s.put(t, makeBars(t, 0, 100, 2))
	s.Invalidate(t.Context(), key, domain.Range{Start: time.Unix(0, 0), End: start.AddDate(9, 0, 0)})
	s.same(t, query(chunkOf(0, 1)))
}

// A read that began before a write does not put into the cache what was there before it.
func TestReadBesideAWrite(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{})
	s.put(t, makeBars(t, 0, 1_000, 1))
	wrote := false
	s.under.after = func() { // the store has answered; the cache has not heard
		if !wrote {
			wrote = true
			s.write(t, makeBars(t, 0, 1_000, 2))
		}
	}
	got, err := collect(t.Context(), s, query(minutes(0, 1_000)))
	if err != nil || !got.Equal(makeBars(t, 0, 1_000, 1)) && !got.Equal(makeBars(t, 0, 1_000, 2)) {
		t.Fatalf("got %s, %v", got, err)
	}
	s.same(t, query(minutes(0, 1_000)))
}

// A write whose end is not known may still be done: for a while nothing is kept.
func TestFailedWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		s.put(t, makeBars(t, 0, 100, 1))
		s.same(t, query(minutes(0, 100)))
		s.under.write = func() error { return errors.New("connection lost") }
		if _, err := s.WriteBars(t.Context(), makeBars(t, 0, 100, 2), minutes(0, 100)); err == nil {
			t.Fatal("no error")
		}
		s.same(t, query(minutes(0, 100)))
		s.put(t, makeBars(t, 0, 100, 3)) // as if it were done late
		s.same(t, query(minutes(0, 100)))
		time.Sleep(2 * time.Minute)
		s.same(t, query(minutes(0, 100)))
		before := s.under.reads.Load()
		s.same(t, query(minutes(0, 100)))
		s.reads(t, before)
	})
}

// Readers beside writers that rewrite everything: each answer is one version, and none older than the last write that had returned.
func TestAnswersAreOfOneVersion(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{})
	const bars, rounds = 4_200, 60
	s.write(t, makeBars(t, 4_096-100, bars, 0))
	ctx, cancel := context.WithCancel(t.Context())
	var done int
	var mu sync.Mutex
	var reading sync.WaitGroup
	for range 3 {
		reading.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				least := done
				mu.Unlock()
				got, err := collect(t.Context(), s, query(chunkOf(0, 3)))
				if err != nil {
					t.Error(err)
					return
				}
				version := versionOf(got)
				if version < least || got.Len() != bars {
					t.Errorf("%d bars of version %d (-1 is mixed), begun at %d", got.Len(), version, least)
					return
				}
			}
		})
	}
	for round := range rounds {
		s.write(t, makeBars(t, 4_096-100, bars, round+1))
		mu.Lock()
		done = round + 1
		mu.Unlock()
	}
	cancel()
	reading.Wait()
}

// versionOf is the seed that all bars were made with, -1 where they differ.
func versionOf(s domain.Series) int {
	trades := s.Columns().Trades
	for _, n := range trades {
		if n != trades[0] {
			return -1
		}
	}

	return int(trades[0])
}

// Whatever is read, written and deleted in whatever order, while time passes: through the cache all is as without it.
func TestAsWithoutIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) { asWithoutIt(t, rt) })
}

func asWithoutIt(t *testing.T, rt *rapid.T) {
	const span = 3 * 4_096
	cache, err := ristretto.NewSeries(rapid.SampledFrom([]int64{0, 300_000}).Draw(rt, "bytes"))
	if err != nil {
		rt.Fatal(err)
	}
	defer cache.Close()
	s := setupWith(rt, chunks.Config{}, cache, nil)
	near := clock.NewSimulated(start.Add(time.Duration(rapid.IntRange(0, span).Draw(rt, "now")) * time.Minute))
	store, err := chunks.New(s.under, chunks.Caches{Near: cache}, nil, near, chunks.Config{Name: "near", MaxChunks: 3})
	if err != nil {
		rt.Fatal(err)
	}
	defer store.Close()
	drawn := func() domain.Range {
		from := rapid.IntRange(-10, span).Draw(rt, "from")
		return minutes(from, from+rapid.SampledFrom([]int{0, 1, 7, 300, 5_000, 30_000}).Draw(rt, "length"))
	}
	rt.Repeat(map[string]func(*rapid.T){
		"read": func(rt *rapid.T) {
			q := query(drawn())
			switch n := rapid.SampledFrom([]int{1, 3, 400, 6_000}).Draw(rt, "n"); rapid.IntRange(0, 2).Draw(rt, "end") {
			case 1:
				q.First = n
			case 2:
				q.Last = n
			}
			want, err := collect(t.Context(), s.under.next, q)
			if err != nil {
				rt.Fatal(err)
			}
			got, err := collect(t.Context(), store, q)
			if err != nil || !got.Equal(want) {
				rt.Fatalf("%s first %d last %d: got %s, want %s, %v", q.Range, q.First, q.Last, got, want, err)
			}
		},
		"write": func(rt *rapid.T) {
			bars := makeBars(t, rapid.IntRange(0, span).Draw(rt, "minute"), rapid.SampledFrom([]int{1, 10, 2_000}).Draw(rt, "bars"),
				rapid.IntRange(0, 3).Draw(rt, "seed"))
			if _, err := store.WriteBars(t.Context(), bars, bars.Range()); err != nil {
				rt.Fatal(err)
			}
		},
		"delete": func(rt *rapid.T) {
			if _, err := store.ReplaceBars(t.Context(), domain.EmptySeries(key), drawn()); err != nil {
				rt.Fatal(err)
			}
		},
		"time passes": func(rt *rapid.T) {
			near.Advance(time.Duration(rapid.IntRange(1, 5_000).Draw(rt, "minutes")) * time.Minute)
		},
		"others write": func(rt *rapid.T) {
			bars := makeBars(t, rapid.IntRange(0, span).Draw(rt, "minute"), 10, rapid.IntRange(4, 6).Draw(rt, "seed"))
			s.put(t, bars)
			store.Invalidate(t.Context(), key, bars.Range())
		},
	})
}

// wire carries invalidations between the subjects of a test.
type wire struct {
	mu    sync.Mutex
	heard []chan ports.Invalidation
	lost  chan struct{}
}

func (w *wire) Publish(_ context.Context, changes ...ports.Invalidation) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range changes {
		for _, h := range w.heard {
			h <- c
		}
	}

	return nil
}

func (w *wire) Subscribe(ctx context.Context) (iter.Seq2[ports.Invalidation, error], error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard := make(chan ports.Invalidation, 100)
	w.heard = append(w.heard, heard)

	return func(yield func(ports.Invalidation, error) bool) {
		for {
			select {
			case c := <-heard:
				if !yield(c, nil) {
					return
				}
			case <-w.lost:
				yield(ports.Invalidation{}, errors.New("lost"))
				return
			case <-ctx.Done():
				yield(ports.Invalidation{}, ctx.Err())
				return
			}
		}
	}, nil
}

// A write in one process reaches the cache of another; after a lost subscription nothing from before is believed.
func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{lost: make(chan struct{})}
		level := func() *ristretto.Cache[ports.ChunkKey, ports.Chunk] {
			c, err := ristretto.NewSeries(0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)

			return c
		}
		here := setupWith(t, chunks.Config{}, level(), w)
		there, err := chunks.New(here.under, chunks.Caches{Near: level()}, w, here.clock, chunks.Config{Name: "memory"})
		if err != nil {
			t.Fatal(err)
		}
		defer there.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var following sync.WaitGroup
		following.Go(func() { _ = there.Follow(ctx) })
		wants := func(seed int) {
			t.Helper()
			synctest.Wait()
			got, err := collect(t.Context(), there, query(minutes(0, 100)))
			if err != nil || !got.Equal(makeBars(t, 0, 100, seed)) {
				t.Fatalf("version %d is not what is read: %v", seed, err)
			}
		}
		here.write(t, makeBars(t, 0, 100, 1))
		wants(1)
		time.Sleep(time.Second)
		here.write(t, makeBars(t, 0, 100, 2))
		wants(2)
		time.Sleep(time.Second)
		here.put(t, makeBars(t, 0, 100, 3)) // nobody told
		wants(2)
		w.lost <- struct{}{}
		time.Sleep(2 * time.Second)
		wants(3)
		cancel()
		following.Wait()
	})
}

// Two processes share a cache, and their clocks are a little apart: what one takes for settled, and keeps there, the other still
// rewrites. It sees its own write.
func TestClocksApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		at := start.Add(100*time.Minute - 100*time.Millisecond)
		open := func(ahead time.Duration) *chunks.Store {
			own := near(t)
			caches := chunks.Caches{Near: own, All: tiered.NewSeries(own, s.cache)}
			store, err := chunks.New(s.under, caches, nil, clockAt{at.Add(ahead)}, chunks.Config{Name: "s"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.Close)

			return store
		}
		here, there := open(0), open(time.Second)
		s.put(t, makeBars(t, 0, 100, 1))
		if _, err := collect(t.Context(), there, query(minutes(0, 98))); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if _, err := here.WriteBars(t.Context(), makeBars(t, 97, 1, 2), minutes(97, 98)); err != nil {
			t.Fatal(err)
		}
		got, err := collect(t.Context(), here, query(minutes(0, 98)))
		if err != nil || !got.At(97).Equal(makeBars(t, 97, 1, 2).At(0)) {
			t.Fatalf("our own write is not seen: %v", err)
		}
	})
}

// heard is two processes over one store, of which the second hears the first.
func heard(t *testing.T) (here *subject, there *chunks.Store, end func()) {
	t.Helper()
	w := &wire{lost: make(chan struct{})}
	here = setupWith(t, chunks.Config{}, near(t), w)
	there, err := chunks.New(here.under, chunks.Caches{Near: near(t)}, w, here.clock, chunks.Config{Name: "memory"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { _ = there.Follow(ctx) })
	synctest.Wait()

	return here, there, func() {
		cancel()
		following.Wait()
		there.Close()
	}
}

// A write that failed here, and is done later, is doubted by others too.
func TestOthersDoubtAFailedWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there, end := heard(t)
		defer end()
		here.put(t, makeBars(t, 0, 100, 1))
		read := func() domain.Series {
			got, err := collect(t.Context(), there, query(minutes(0, 100)))
			if err != nil {
				t.Fatal(err)
			}

			return got
		}
		read()
		here.under.write = func() error { // as if it were not done yet
			here.put(t, makeBars(t, 0, 100, 1))
			return errors.New("connection lost")
		}
		if _, err := here.WriteBars(t.Context(), makeBars(t, 0, 100, 2), minutes(0, 100)); err == nil {
			t.Fatal("no error")
		}
		synctest.Wait()
		read()
		here.put(t, makeBars(t, 0, 100, 2)) // now it is
		time.Sleep(2 * time.Minute)
		if got := read(); !got.Equal(makeBars(t, 0, 100, 2)) {
			t.Error("two minutes later another process still has what was before")
		}
	})
}

// A claim that is made, or taken away, without a bar reaches the others; a write that changes nothing at all does not.
func TestOthersHearOfClaims(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		here, there, end := heard(t)
		defer end()
		claimed := func(want int) {
			t.Helper()
			synctest.Wait()
			if got, err := there.Extents(t.Context(), key.Symbol); err != nil || len(got) != want {
				t.Errorf("%v is claimed, %v; want %d", got, err, want)
			}
		}
		claimed(0)
		if _, err := here.WriteBars(t.Context(), domain.EmptySeries(key), minutes(0, 10)); err != nil {
			t.Fatal(err)
		}
		claimed(1)
		if _, err := here.ReplaceBars(t.Context(), domain.EmptySeries(key), minutes(0, 10)); err != nil {
			t.Fatal(err)
		}
		claimed(0)
	})
}
