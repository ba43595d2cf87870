package chunks_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/ports"
)

// What was read ahead is counted when it is first used, also by who asks this process's memory alone.
func TestNearCountsWhatWasReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		s.put(t, makeBars(t, 0, 24*4096, 1))
		for i := range 24 {
			q := query(chunkOf(i, 1))
			if _, ok := s.LocalBars(nil, q); !ok {
				s.same(t, q)
			}
			synctest.Wait() // for what is read ahead
		}
		if st := s.Stats(); st.PrefetchHits != 22 || st.Misses-st.Prefetched != 2 {
			t.Errorf("of 24 chunks, the first two are asked for: %+v", st)
		}
	})
}

func TestNearCountsWhatItGives(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{ReadAhead: none()})
	s.put(t, makeBars(t, 0, 10_000, 1))
	s.same(t, query(chunkOf(0, 2)))
	for n, want := range map[int]int64{3: 0, 2: 2} {
		before := s.Stats().Hits
		if _, ok := s.LocalBars(nil, query(chunkOf(0, n))); ok != (n < 3) {
			t.Fatalf("%d chunks: %v", n, ok)
		}
		if got := s.Stats().Hits - before; got != want {
			t.Errorf("%d chunks: %d hits, want %d", n, got, want)
		}
	}
}

// gated is a cache that waits.
type gated struct {
	ports.SeriesCache
	gate chan struct{} // nil waits for nothing
}

func (g *gated) Get(ctx context.Context, key ports.ChunkKey) (ports.Chunk, bool) {
	if g.gate != nil {
		<-g.gate
	}
	return g.SeriesCache.Get(ctx, key)
}

// Who asks this process's memory does not wait for the cache behind it, even where the answer makes more be read ahead.
func TestNearWaitsForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		behind := &gated{SeriesCache: s.cache}
		store, err := chunks.New(s.under, chunks.Caches{Near: s.cache, All: behind}, nil, s.clock, chunks.Config{Name: "s"})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s.put(t, makeBars(t, 0, 24*4096, 1))
		for i := range 2 {
			if _, err := collect(t.Context(), store, query(chunkOf(i, 1))); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		behind.gate = make(chan struct{})
		time.AfterFunc(time.Hour, func() { close(behind.gate) })
		began := time.Now()
		if _, ok := store.LocalBars(nil, query(chunkOf(2, 1))); !ok {
			t.Fatal("not near")
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("it waited for %s", took)
		}
		time.Sleep(time.Hour) // what is read ahead waits
		synctest.Wait()
	})
}
