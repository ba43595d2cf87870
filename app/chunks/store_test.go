package chunks_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/cache/tiered"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers"
)

func TestContract(t *testing.T) {
	t.Parallel()
	held(t, func(tb testing.TB) chunks.Caches { return chunks.Caches{Near: near(tb)} })
}

// The same with a second level that is shared and far.
func TestContractOverRedis(t *testing.T) {
	t.Parallel()
	url := servers.Redis(t)
	held(t, func(tb testing.TB) chunks.Caches {
		far, end, err := redis.Open(tb.Context(), redis.Config{URL: secret.New(url), Prefix: rand.Text()})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(end)
		level := near(tb)

		return chunks.Caches{Near: level, All: tiered.NewSeries(level, far)}
	})
}

func near(tb testing.TB) ports.SeriesCache {
	tb.Helper()
	cache, err := ristretto.NewSeries(16 << 20)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(cache.Close)

	return cache
}

func held(t *testing.T, caches func(testing.TB) chunks.Caches) {
	t.Helper()
	contract.Decorator(t, func(testing.TB) contract.Store {
		s := memory.New()
		return contract.Store{Bars: s, Catalog: s, Symbols: s}
	}, func(tb testing.TB, next contract.Store) contract.Store {
		s, err := chunks.New(next.Bars, caches(tb), nil, clock.NewSystem(), chunks.Config{Name: "memory"})
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(s.Close)
		next.Bars, next.UnversionedBars = s, true

		return next
	}, contract.Profile{})
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	_, err := chunks.New(nil, chunks.Caches{}, nil, nil, chunks.Config{ClosedTTL: -1, MaxChunks: -1, ReadAhead: new(-1)})
	for _, fault := range []string{"name", "closed_ttl", "max_chunks", "read_ahead"} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v does not tell of %s", err, fault)
		}
	}
}

func TestChunksAreReadOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{ReadAhead: none()})
	s.put(t, makeBars(t, 0, 20_000, 1))
	s.same(t, query(minutes(5_000, 6_000)))
	s.reads(t, 1)
	s.same(t, query(minutes(4_096, 8_192))) // the same chunk
	s.same(t, query(minutes(4_100, 4_101)))
	s.reads(t, 1)
	s.same(t, query(minutes(100, 9_000))) // the chunks before and behind it
	s.reads(t, 3)
	s.same(t, query(minutes(0, 20_000))) // two more, in one read
	s.reads(t, 4)
	for _, n := range []int{1, 500, 5_000} {
		s.same(t, ports.BarQuery{Key: key, Range: minutes(0, 20_000), Last: n})
		s.same(t, ports.BarQuery{Key: key, Range: minutes(17, 20_000), First: n})
	}
	s.reads(t, 4)
}

func TestThinSeriesAnswerFirstAndLast(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{})
	for _, minute := range []int{0, 300_000, 900_000} {
		s.put(t, makeBars(t, minute, 2, 1))
	}
	for _, n := range []int{1, 2, 3, 5, 6, 7} {
		s.same(t, ports.BarQuery{Key: key, Range: minutes(-1_000_000, 2_000_000), Last: n})
		s.same(t, ports.BarQuery{Key: key, Range: minutes(-1_000_000, 2_000_000), First: n})
	}
	s.same(t, query(minutes(-1_000_000, 2_000_000)))
	s.same(t, query(minutes(-10_000_000, 20_000_000))) // more than MaxChunks
	if s.Stats().Bypassed == 0 {
		t.Error("nothing was left to the store")
	}
}

// The number of the design: a window slid bar by bar reads each bar from the store at most 1.05 times.
func TestSlidingWindow(t *testing.T) {
	t.Parallel()
	const bars, window = 100_000, 1_000
	s := setup(t, chunks.Config{})
	s.put(t, makeBars(t, 0, bars, 1))
	for i := range bars - window {
		got, n := 0, 0
		for p, err := range s.ReadBars(t.Context(), query(minutes(i, i+window))).Rows() {
			if err != nil {
				t.Fatal(err)
			}
			got += p.Len()
			n++
		}
		if got != window || n > 2 {
			t.Fatalf("%d bars in %d pieces", got, n)
		}
	}
	ratio := float64(s.under.bars.Load()) / bars
	t.Logf("each bar was read %.3f times, %d reads, %+v", ratio, s.under.reads.Load(), s.Stats())
	if ratio > 1.05 {
		t.Errorf("each bar was read %.3f times", ratio)
	}
	if st := s.Stats(); st.PrefetchHits < 15 {
		t.Errorf("of 24 chunks, %d were read ahead", st.PrefetchHits)
	}
}

// A live reader and a recorder: every minute a bar is written and the last thousand are read. What is settled is not read again.
func TestLiveWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const first, bars, window = 3_800, 1_000, 300 // a chunk ends among them
		s := setup(t, chunks.Config{ReadAhead: none()})
		all := makeBars(t, first, bars, 1)
		live, err := chunks.New(s.under, chunks.Caches{Near: s.cache}, nil, clockAt{minutes(first, first).Start}, chunks.Config{Name: "live"})
		if err != nil {
			t.Fatal(err)
		}
		defer live.Close()
		began := time.Now()
		for i := range bars {
			time.Sleep(time.Until(began.Add(time.Duration(i+1) * time.Minute)))
			one := all.Slice(i, i+1)
			if _, err := live.WriteBars(t.Context(), one, one.Range()); err != nil {
				t.Fatal(err)
			}
			got, err := collect(t.Context(), live, query(minutes(first+i+1-window, first+i+1)))
			if err != nil {
				t.Fatal(err)
			}
			if want := all.Slice(max(0, i+1-window), i+1); !got.Equal(want) {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
		ratio := float64(s.under.bars.Load()) / bars
		t.Logf("each bar was read %.2f times: %+v", ratio, live.Stats())
		if ratio > 3.1 { // when it is new, and until it has settled
			t.Errorf("each bar was read %.2f times", ratio)
		}
	})
}

// clockAt tells the time of the bubble as if it had begun at the instant.
type clockAt struct{ at time.Time }

func (c clockAt) Now() time.Time {
	return c.at.Add(time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func TestTimesToLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		now   time.Time // business time
		asked domain.Range
		short time.Duration // still believed
		long  time.Duration // no longer
	}{
		"closed":              {start.AddDate(1, 0, 0), minutes(10, 20), 21*time.Hour + 30*time.Minute, 24*time.Hour + time.Second},
		"empty":               {start.AddDate(1, 0, 0), chunkOf(5, 1), 269 * time.Second, 301 * time.Second},
		"open":                {start.Add(time.Hour), minutes(30, 80), 53 * time.Second, 61 * time.Second},
		"settled part of one": {start.Add(time.Hour), minutes(10, 58), 21*time.Hour + 30*time.Minute, 24*time.Hour + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setup(t, chunks.Config{})
				s.put(t, makeBars(t, 0, 100, 1))
				s.clock.Set(c.now.AddDate(10, 0, 0))
				shifted, err := chunks.New(s.under, chunks.Caches{Near: s.cache}, nil, fixedClock{c.now}, chunks.Config{Name: "s"})
				if err != nil {
					t.Fatal(err)
				}
				defer shifted.Close()
				ask := func() int64 {
					if _, err := collect(t.Context(), shifted, query(c.asked)); err != nil {
						t.Fatal(err)
					}
					return s.under.reads.Load()
				}
				if got := ask(); got != 1 {
					t.Fatalf("%d reads", got)
				}
				time.Sleep(c.short)
				if got := ask(); got != 1 {
					t.Errorf("read again after %s", c.short)
				}
				time.Sleep(c.long - c.short)
				if got := ask(); got != 2 {
					t.Errorf("not read again after %s", c.long)
				}
			})
		})
	}
}

type fixedClock struct{ at time.Time }

func (c fixedClock) Now() time.Time { return c.at }

// What was read together is not read again together.
func TestJitter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{ReadAhead: none()})
		s.put(t, makeBars(t, 0, 100*4096, 1))
		s.same(t, query(chunkOf(0, 100)))
		time.Sleep(22*time.Hour + 48*time.Minute) // 95 %
		before := s.Stats().Misses
		s.same(t, query(chunkOf(0, 100)))
		if again := s.Stats().Misses - before; again < 20 || again > 80 {
			t.Errorf("after 95 %% of the time, %d of 100 chunks were read again", again)
		}
	})
}

// A bar that was still forming when its chunk was read is not what a later reader gets.
func TestNoFormingBarStays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		store, err := chunks.New(s.under, chunks.Caches{Near: s.cache}, nil, clockAt{start.Add(100 * time.Minute)}, chunks.Config{Name: "s"})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s.put(t, makeBars(t, 0, 100, 1))
		s.put(t, makeBars(t, 100, 1, 50)) // forming
		ahead, err := collect(t.Context(), store, query(minutes(0, 100)))
		if err != nil || ahead.Len() != 100 {
			t.Fatalf("%s, %v", ahead, err)
		}
		s.put(t, makeBars(t, 100, 1, 60)) // as it closed
		time.Sleep(time.Minute + time.Second)
		got, err := collect(t.Context(), store, query(minutes(0, 101)))
		if err != nil || !got.At(100).Equal(makeBars(t, 100, 1, 60).At(0)) {
			t.Fatalf("got %s, %v", got, err)
		}
	})
}

// A bar that was still forming is not believed once it closed, however young the chunk is.
func TestFormingBarIsReadAgainWhenItClosed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		now := clockAt{start.Add(100*time.Minute + 50*time.Second)}
		store, err := chunks.New(s.under, chunks.Caches{Near: s.cache}, nil, now, chunks.Config{Name: "s"})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s.put(t, makeBars(t, 0, 100, 1))
		s.put(t, makeBars(t, 100, 1, 50)) // forming
		if _, err := collect(t.Context(), store, query(minutes(0, 100))); err != nil {
			t.Fatal(err)
		}
		s.put(t, makeBars(t, 100, 1, 60)) // as it closed
		time.Sleep(10 * time.Second)
		got, err := collect(t.Context(), store, query(minutes(0, 101)))
		if err != nil || !got.At(100).Equal(makeBars(t, 100, 1, 60).At(0)) {
			t.Fatalf("got %s, %v", got, err)
		}
	})
}

// What is settled grows old, though the tail of its chunk is read again and again.
func TestSettledPartGrowsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{ReadAhead: none()})
		clock := clockAt{start.Add(100 * time.Minute)}
		store, err := chunks.New(s.under, chunks.Caches{Near: s.cache}, nil, clock, chunks.Config{Name: "s"})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		s.put(t, makeBars(t, 0, 100, 1))
		read := func() domain.Series {
			t.Helper()
			got, err := collect(t.Context(), store, query(domain.Range{Start: start, End: clock.Now().Truncate(time.Minute)}))
			if err != nil {
				t.Fatal(err)
			}

			return got
		}
		read()
		s.put(t, makeBars(t, 0, 10, 2)) // nobody is told
		for range 25 {
			time.Sleep(time.Hour)
			read()
		}
		if got := read(); !got.At(0).Equal(makeBars(t, 0, 1, 2).At(0)) {
			t.Errorf("after a day it is still %v", got.At(0))
		}
	})
}

func TestErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{ReadAhead: none()})
	s.put(t, makeBars(t, 0, 10_000, 1))
	down := &ports.Error{Kind: ports.ErrUnavailable, Op: "read bars", Err: errors.New("gone")}
	s.under.before = func(context.Context, ports.BarQuery) error { return down }
	if _, err := collect(t.Context(), s, query(minutes(0, 10_000))); !errors.Is(err, ports.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	s.under.before = func(context.Context, ports.BarQuery) error { panic("boom") }
	if _, err := collect(t.Context(), s, query(minutes(0, 10_000))); !errors.Is(err, ports.ErrInternal) ||
		!strings.Contains(fmt.Sprint(err), "boom") {
		t.Fatalf("got %v", err)
	}
	s.under.before = nil
	s.same(t, query(minutes(0, 10_000)))
}

// Corrupt data beside what was asked for is nobody's error.
func TestCorruptBesideTheRequest(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{})
	s.put(t, makeBars(t, 0, 1_000, 1))
	s.under.before = func(_ context.Context, q ports.BarQuery) error {
		if q.Range.Contains(start.Add(500 * time.Minute)) {
			return &ports.Error{Kind: ports.ErrCorruptData, Op: "read bars"}
		}
		return nil
	}
	s.same(t, query(minutes(0, 400)))
	if _, err := collect(t.Context(), s, query(minutes(0, 600))); !errors.Is(err, ports.ErrCorruptData) {
		t.Errorf("got %v", err)
	}
}

func TestPiecesTellWhatIsKnown(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{ReadAhead: none()})
	s.put(t, makeBars(t, 0, 4_096, 1))
	same := makeBars(t, 4_096, 1, 1).At(0)
	low, err := domain.NewDecimal(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	same.High = low // below all others
	wrong, err := domain.NewSeries(key, same)
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, wrong)
	for _, cached := range []bool{false, true} {
		var got []ports.CachedBars
		for p, err := range s.ReadCachedBars(t.Context(), query(minutes(0, 5_000))) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, p)
		}
		if len(got) != 2 || !got[0].Validated || got[1].Validated || got[0].Cached != cached || got[1].Cached != cached {
			t.Errorf("cached %v: got %+v", cached, got)
		}
	}
}

// Pages, as a stream reads them, go on from chunk to chunk too.
func TestPagesAreReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		s.put(t, makeBars(t, 0, 40_000, 1))
		for from := 0; from < 40_000; from += 1_000 {
			s.same(t, ports.BarQuery{Key: key, Range: minutes(from, 40_000), First: 1_000})
			synctest.Wait() // the reader works on what he has
		}
		if st := s.Stats(); st.PrefetchHits < 5 {
			t.Errorf("of ten chunks, %d were read ahead and used", st.PrefetchHits)
		}
	})
}
