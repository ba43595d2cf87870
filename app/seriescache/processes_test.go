package seriescache_test

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// sharedMap is a blockcache.SharedCache.
type sharedMap struct {
	mu     sync.Mutex
	blocks map[blockcache.Key]blockcache.Block
	got    int // blocks returned
}

func newSharedMap() *sharedMap { return &sharedMap{blocks: map[blockcache.Key]blockcache.Block{}} }

func (c *sharedMap) GetBlocks(_ context.Context, keys []blockcache.Key) []blockcache.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	blocks := make([]blockcache.Block, len(keys))
	for i, key := range keys {
		if blocks[i] = c.blocks[key]; blocks[i].Bars.Len() > 0 {
			c.got++
		}
	}

	return blocks
}

func (c *sharedMap) PutBlocks(_ context.Context, keys []blockcache.Key, blocks []blockcache.Block) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, key := range keys {
		c.blocks[key] = blocks[i]
	}
}

// bus carries hints between the caches of a test. Each hint takes delay, and is lost where loses says so.
type bus struct {
	mu    sync.Mutex
	subs  []chan blockcache.Hint
	delay func() time.Duration
	loses func() bool
}

func (b *bus) Publish(_ context.Context, hints ...blockcache.Hint) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, sub := range b.subs {
		for _, h := range hints {
			if b.loses != nil && b.loses() {
				continue
			}

			delay := time.Duration(0)
			if b.delay != nil {
				delay = b.delay()
			}
			time.AfterFunc(delay, func() { sub <- h })
		}
	}

	return nil
}

func (b *bus) Subscribe(ctx context.Context) (iter.Seq2[blockcache.Hint, error], error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	sub := make(chan blockcache.Hint, 1_000)
	b.subs = append(b.subs, sub)

	return func(yield func(blockcache.Hint, error) bool) {
		for {
			select {
			case h := <-sub:
				if !yield(h, nil) {
					return
				}
			case <-ctx.Done():
				yield(blockcache.Hint{}, ctx.Err())
				return
			}
		}
	}, nil
}

// watch runs Watch until the test ends.
func watch(t *testing.T, s *subject) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { _ = s.Watch(ctx) })
	t.Cleanup(func() {
		cancel()
		watching.Wait()
	})
}

// TestWritesOfOthersAreSeenAfterALease has no hints: a write of another process is seen when the lease ends, not before.
func TestWritesOfOthersAreSeenAfterALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{})
		s.put(t, makeBars(t, 0, 100, 1))
		q := query(minutes(0, 100))
		s.same(t, q)
		s.put(t, makeBars(t, 0, 100, 2))
		time.Sleep(seriescache.DefaultLease - time.Millisecond)
		if got, err := collect(t.Context(), s, q); err != nil || got.At(0).Trades != 1 || s.under.states.Load() != 1 {
			t.Errorf("within the lease: %s, %v, %d states read", got, err, s.under.states.Load())
		}
		time.Sleep(time.Millisecond)
		s.same(t, q)
		if n := s.under.states.Load(); n != 2 {
			t.Errorf("%d states were read", n)
		}
	})
}

// TestHintsEndALease has a hint of each write: other processes see it soon.
func TestHintsEndALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		under, hints := &counting{Store: memory.New()}, &bus{}
		writer, reader := setup(t, options{under: under, hints: hints}), setup(t, options{under: under, hints: hints})
		watch(t, reader)
		synctest.Wait()
		q := query(minutes(0, 100))
		for seed := range 3 {
			writer.write(t, makeBars(t, 0, 100, seed))
			synctest.Wait()
			reader.same(t, q)
		}
		if st := reader.Stats(); st.Hints != 3 || st.Disconnected {
			t.Errorf("%+v", st)
		}
	})
}

// TestCloseSendsHints closes the cache right after a write: other processes are told of it all the same.
func TestCloseSendsHints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		under, hints := &counting{Store: memory.New()}, &bus{}
		writer, reader := setup(t, options{under: under, hints: hints}), setup(t, options{under: under, hints: hints})
		watch(t, reader)
		synctest.Wait()
		writer.write(t, makeBars(t, 0, 100, 1))
		writer.Close()
		synctest.Wait()
		if st := reader.Stats(); st.Hints != 1 || writer.Stats().HintsLost != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// nowhere carries no hints.
type nowhere struct{}

func (nowhere) Publish(context.Context, ...blockcache.Hint) error { return errors.New("nowhere") }

func (nowhere) Subscribe(context.Context) (iter.Seq2[blockcache.Hint, error], error) {
	return nil, errors.New("nowhere")
}

// TestLostHintsCostNothing has hints that cannot be sent nor received: writes succeed, and the cache is used.
func TestLostHintsCostNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := setup(t, options{hints: nowhere{}, Config: seriescache.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}})
		watch(t, s)
		synctest.Wait()
		s.write(t, makeBars(t, 0, 100, 1))
		synctest.Wait()
		q := query(minutes(0, 100))
		s.same(t, q)
		s.same(t, q)
		s.wantReads(t, 1)
		if st := s.Stats(); !st.Disconnected || st.HintsLost != 1 || st.Hits != 1 {
			t.Errorf("%+v", st)
		}
		if !strings.Contains(log.String(), "were not told of a write") {
			t.Errorf("the log is %s", log.String())
		}
	})
}

// TestSharedBlocks has two processes: the second takes from the shared cache what the first read before it started.
func TestSharedBlocks(t *testing.T) {
	t.Parallel()
	under, shared := &counting{Store: memory.New()}, newSharedMap()
	first := setup(t, options{under: under, shared: shared})
	first.put(t, makeBars(t, 0, 10_000, 1))
	first.same(t, query(minutes(0, 10_000)))
	reads := under.reads.Load()

	second := setup(t, options{under: under, shared: shared})
	second.same(t, query(minutes(0, 10_000)))
	second.wantReads(t, reads)
	if st := second.Stats(); st.SharedHits != 3 || st.Misses != 0 {
		t.Errorf("%+v", st)
	}

	first.put(t, makeBars(t, 10_000, 1, 1))
	third := setup(t, options{under: under, shared: shared})
	third.same(t, query(minutes(0, 11_000)))
	if st := third.Stats(); st.SharedHits != 2 || st.TailReads != 1 || st.Bars != 1 {
		t.Errorf("%+v", st)
	}

	first.put(t, makeBars(t, 0, 10, 2)) // what is shared is of another version now
	fourth := setup(t, options{under: under, shared: shared})
	fourth.same(t, query(minutes(0, 11_000)))
	if st := fourth.Stats(); st.SharedHits != 2 || st.Misses != 1 {
		t.Errorf("%+v", st)
	}
}

// TestStoreWentBack restores a store under a process that knows later writes.
func TestStoreWentBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{})
		s.put(t, makeBars(t, 0, 100, 1))
		s.put(t, makeBars(t, 0, 100, 2))
		q := query(minutes(0, 100))
		s.same(t, q)

		restored := memory.New() // to an older state, with the same number of writes as a part of the newer one
		for _, seed := range []int{3, 4} {
			bars := makeBars(t, 0, 100, seed)
			if _, err := ports.WriteBars(t.Context(), restored, bars, bars.Range(), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}
		}
		s.under.Store = restored
		time.Sleep(seriescache.DefaultLease)
		s.same(t, q)
		if n := s.Stats().WentBack; n != 1 {
			t.Errorf("%d series went back", n)
		}
	})
}

// TestOneQuestionForAllInUse lets the leases of many series end: one question renews them.
func TestOneQuestionForAllInUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{})
		queries := manySeries(t, s, 50)
		for range 3 {
			before := s.under.states.Load()
			for _, q := range queries {
				s.same(t, q)
			}
			if asked := s.under.states.Load() - before; before > 0 && asked != 1 {
				t.Errorf("%d questions", asked)
			}
			time.Sleep(seriescache.DefaultLease)
		}
	})
}

// manySeries writes n series and returns a query for each.
func manySeries(t *testing.T, s *subject, n int) []ports.BarQuery {
	t.Helper()
	queries := make([]ports.BarQuery, n)
	for i := range queries {
		k := domain.SeriesKey{Symbol: domain.Symbol(strings.Repeat("S", i+1) + "/USD"), Grid: key.Grid}
		bars, err := domain.NewSeries(k, makeBars(t, i, 1, i).At(0))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ports.WriteBars(t.Context(), s.under, bars, bars.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
		queries[i] = ports.BarQuery{Key: k, Range: minutes(0, 2*n)}
	}

	return queries
}

// TestPrefetchReadsManySeriesAtOnce needs one read of states and one of bars.
func TestPrefetchReadsManySeriesAtOnce(t *testing.T) {
	t.Parallel()
	for _, unversioned := range []bool{false, true} {
		s := setup(t, options{unversioned: unversioned})
		queries := manySeries(t, s, 40)
		s.Prefetch(t.Context(), queries)
		s.Prefetch(t.Context(), queries)
		s.wantReads(t, 1)
		for _, q := range queries {
			s.same(t, q)
		}
		s.wantReads(t, 1)
		if states, extents := s.under.states.Load(), s.under.extents.Load(); states > 1 || extents > 2 {
			t.Errorf("%d reads of states, %d of coverage", states, extents)
		}
	}
}

// TestUnversionedCoverageEndsVersions has a store without versions whose coverage another process changes.
func TestUnversionedCoverageEndsVersions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{unversioned: true})
		s.put(t, makeBars(t, 0, 5_000, 1))
		whole := query(minutes(0, 6_000))
		s.same(t, whole)
		s.same(t, whole)
		s.wantReads(t, 1)

		s.put(t, makeBars(t, 5_000, 1, 1)) // the second block
		time.Sleep(seriescache.DefaultUnversionedLease)
		s.same(t, whole)
		s.wantReads(t, 2)
		if bars := s.under.bars.Load(); bars != 5_000+905 {
			t.Errorf("%d bars were read", bars)
		}

		s.put(t, makeBars(t, 0, 10, 2)) // the coverage stays
		time.Sleep(seriescache.DefaultUnversionedTTL)
		s.same(t, whole)
		s.write(t, makeBars(t, 0, 10, 3))
		s.same(t, whole)
	})
}

// TestUnversionedDeletionBesideARead has a store without versions, from which another process deletes under a lease, and
// to which it writes the same again while the bars are read: a result without them would say that nothing traded.
func TestUnversionedDeletionBesideARead(t *testing.T) {
	t.Parallel()
	s := setup(t, options{unversioned: true})
	s.put(t, makeBars(t, 0, 100, 1))
	whole := query(minutes(0, 100))
	if _, err := s.SeriesState(t.Context(), whole, 0); err != nil { // its coverage is believed from now on
		t.Fatal(err)
	}
	if _, err := s.under.DeleteBars(t.Context(), key, minutes(10, 20)); err != nil {
		t.Fatal(err)
	}

	s.under.afterRead = sync.OnceFunc(func() { s.put(t, makeBars(t, 10, 10, 1)) })
	got, err := collect(t.Context(), s, whole)
	if err != nil || got.Len() != 100 {
		t.Errorf("%s, %v", got, err)
	}
}

// TestUnversionedWriteBesideTheCoverage has a store without versions, to which this process writes when a reader has got
// the coverage of before: the result must not have the new bars of the first block without those of the second.
func TestUnversionedWriteBesideTheCoverage(t *testing.T) {
	t.Parallel()
	s := setup(t, options{unversioned: true})
	s.put(t, makeBars(t, 0, 4_096, 1))
	s.under.afterExtents = sync.OnceFunc(func() { s.write(t, makeBars(t, 4_000, 200, 2)) })
	s.same(t, query(minutes(0, 5_000)))
}

// A reader that joins a question which was sent longer than a lease ago asks again, because the answer may be older than
// what others wrote before the reader came.
func TestSlowQuestionIsNotShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &stalling{Store: memory.New(), stall: 4 * time.Second}
		s := setup(t, options{under: &counting{Store: store.Store}, store: store})
		write := func(seed int) domain.Series {
			bars := makeBars(t, 0, 3, seed)
			if _, err := ports.WriteBars(t.Context(), store.Store, bars, bars.Range(), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}

			return bars
		}
		q := query(minutes(0, 3))
		write(1)
		if _, err := collect(t.Context(), s, q); err != nil { // its blocks are cached from now on
			t.Fatal(err)
		}
		time.Sleep(seriescache.DefaultLease)

		var first sync.WaitGroup
		first.Go(func() { _, _ = collect(t.Context(), s, q) }) // its question is answered at once, and the answer comes late
		time.Sleep(100 * time.Millisecond)
		want := write(2)
		time.Sleep(seriescache.DefaultLease + time.Second/2)
		if got, err := collect(t.Context(), s, q); err != nil || !got.Equal(want) {
			t.Errorf("a question was shared that was sent before the lease: got %v, %v, want %v", got, err, want)
		}
		first.Wait()
	})
}

// stalling answers questions for states at once, and delivers the answers late.
type stalling struct {
	*memory.Store

	stall time.Duration
}

func (s *stalling) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	states, err := s.Store.ReadStates(ctx, queries)
	time.Sleep(s.stall)

	return states, err
}
