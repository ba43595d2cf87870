package seriescache_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"

	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

func TestBlocksAreReadOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, options{Config: seriescache.Config{ReadAhead: none()}})
	s.put(t, makeBars(t, 0, 20_000, 1))
	s.same(t, query(minutes(5_000, 6_000)))
	s.wantReads(t, 1)
	s.same(t, query(minutes(4_096, 8_192))) // the same block
	s.same(t, query(minutes(4_100, 4_101)))
	s.wantReads(t, 1)
	s.same(t, query(minutes(100, 9_000))) // the blocks before and behind it
	s.wantReads(t, 3)
	s.same(t, query(minutes(0, 20_000))) // two more, in one read
	s.wantReads(t, 4)
	for _, n := range []int{1, 500, 5_000} {
		s.same(t, ports.BarQuery{Key: key, Range: minutes(0, 20_000), Last: n})
		s.same(t, ports.BarQuery{Key: key, Range: minutes(17, 20_000), First: n})
		s.same(t, ports.BarQuery{Key: key, Range: minutes(-9_000_000, 9_000_000), Last: n})
	}
	s.wantReads(t, 4)
}

func TestThinSeriesHaveFirstAndLastBars(t *testing.T) {
	t.Parallel()
	for _, unversioned := range []bool{false, true} {
		s := setup(t, options{unversioned: unversioned})
		for _, minute := range []int{0, 300_000, 900_000} {
			s.put(t, makeBars(t, minute, 2, 1))
		}
		for _, n := range []int{1, 2, 3, 5, 6, 7} {
			s.same(t, ports.BarQuery{Key: key, Range: minutes(-1_000_000, 2_000_000), Last: n})
			s.same(t, ports.BarQuery{Key: key, Range: minutes(-1_000_000, 2_000_000), First: n})
			s.same(t, ports.BarQuery{Key: key, Range: minutes(1, 900_001), Last: n})
			s.same(t, ports.BarQuery{Key: key, Range: minutes(1, 900_001), First: n})
		}
		s.same(t, query(minutes(-10_000_000, 20_000_000)))
	}
}

// TestLongRangesBypass reads more than MaxBlocks blocks.
func TestLongRangesBypass(t *testing.T) {
	t.Parallel()
	s := setup(t, options{Config: seriescache.Config{MaxBlocks: 3}})
	s.put(t, makeBars(t, 0, 5*4_096, 1))
	s.same(t, query(minutes(0, 5*4_096)))
	if st := s.Stats(); st.Bypassed != 1 || st.Misses != 0 {
		t.Errorf("%+v", st)
	}
}

// TestEmptyReadPastTheCache reads nothing from a store whose states the cache does not use. Only the first piece may be
// empty, and then it has the state.
func TestEmptyReadPastTheCache(t *testing.T) {
	t.Parallel()
	s := setup(t, options{statesUnused: true, Config: seriescache.Config{MaxBlocks: 3}})
	s.put(t, makeBars(t, 0, 1, 1))
	rest := minutes(1, 5*4_096)
	if _, err := ports.WriteBars(t.Context(), s.under, domain.EmptySeries(key), rest, ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	for _, q := range []ports.BarQuery{query(rest), {Key: key, Range: rest, Last: 5}, {Key: key, Range: rest, First: 5}} {
		pieces := 0
		for p, err := range s.ReadCachedBars(t.Context(), q, 0) {
			if err != nil || p.Rows.Bars.Len() == 0 && (p.State == nil || pieces > 0) {
				t.Errorf("%+v: piece %d is empty: %+v, %v", q, pieces, p, err)
			}
			pieces++
		}
	}
	if st := s.Stats(); st.Bypassed == 0 {
		t.Errorf("nothing was read past the cache: %+v", st)
	}
}

// TestSlidingWindow slides a window bar by bar: each bar is read from the store at most 1.05 times.
func TestSlidingWindow(t *testing.T) {
	t.Parallel()
	const bars, window = 100_000, 1_000
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{})
		s.put(t, makeBars(t, 0, bars, 1))
		for i := range bars - window {
			got, pieces := 0, 0
			for p, err := range s.ReadBars(t.Context(), query(minutes(i, i+window))).Rows() {
				if err != nil {
					t.Fatal(err)
				}
				got += p.Len()
				pieces++
			}
			if got != window || pieces > 2 {
				t.Fatalf("%d bars in %d pieces", got, pieces)
			}
			if i%100 == 0 {
				synctest.Wait() // the reader works on the window
			}
		}

		if ratio := float64(s.under.bars.Load()) / bars; ratio > 1.05 {
			t.Errorf("each bar was read %.3f times", ratio)
		}
		if st := s.Stats(); st.PrefetchHits < 20 {
			t.Errorf("of 24 blocks, %d were read ahead: %+v", st.PrefetchHits, st)
		}
	})
}

// TestLiveWindow writes a bar every minute, here or in another process, and reads the last 300: each read takes one bar
// from the store.
func TestLiveWindow(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			const first, bars, window = 3_800, 1_000, 300 // a block ends among them
			s := setup(t, options{Config: seriescache.Config{ReadAhead: none()}})
			all := makeBars(t, first, bars, 1)
			for i := range bars {
				time.Sleep(time.Minute)
				if one := all.Slice(i, i+1); own {
					s.write(t, one)
				} else {
					s.put(t, one)
				}
				s.same(t, query(minutes(first+i+1-window, first+i+1)))
			}
			if read := s.under.bars.Load(); read != bars {
				t.Errorf("%d bars were read, want %d: %+v", read, bars, s.Stats())
			}
			if states := s.under.states.Load(); states > bars+2 {
				t.Errorf("%d states were read for %d bars", states, bars)
			}
		})
	}
}

// TestOverwrittenTailIsReadWhole changes bars of the last block beside an append.
func TestOverwrittenTailIsReadWhole(t *testing.T) {
	t.Parallel()
	s := setup(t, options{})
	s.put(t, makeBars(t, 0, 100, 1))
	whole := query(minutes(0, 200))
	s.same(t, whole)
	for i, change := range []func(){
		func() { s.write(t, makeBars(t, 100, 1, 1)) },
		func() { s.write(t, makeBars(t, 50, 52, 2)) },
		func() {
			if _, err := s.DeleteBars(t.Context(), key, minutes(10, 20)); err != nil {
				t.Fatal(err)
			}
		},
		func() { s.write(t, makeBars(t, 102, 2, 1)) },
		func() {
			s.write(t, makeBars(t, 104, 2, 1))
			s.write(t, makeBars(t, 105, 1, 3))
			s.write(t, makeBars(t, 106, 1, 1))
		},
	} {
		change()
		s.same(t, whole)
		if tails := s.Stats().TailReads; tails != []int64{1, 1, 1, 2, 2}[i] {
			t.Errorf("after change %d, %d reads of tails", i, tails)
		}
	}
}

// TestOnlyTheLastBlockIsExtended has a write to two blocks, whose nonce is in the tail: that is of the last block, and
// tells nothing of a later change of the other one, also where the number of its bars could be that of an extension.
func TestOnlyTheLastBlockIsExtended(t *testing.T) {
	t.Parallel()
	s := setup(t, options{})
	blocks := []domain.Series{makeBars(t, 0, 10, 1), makeBars(t, 4_096, 10, 1)}
	both, err := domain.ConcatSeries(domain.EmptySeries(key), blocks)
	if err != nil {
		t.Fatal(err)
	}

	whole := query(minutes(0, 5_000))
	s.write(t, both)
	s.same(t, whole)
	s.write(t, makeBars(t, 5, 6, 2)) // other values of bars, and one bar behind them
	s.same(t, whole)
}

// terse is a store whose states have no more blocks than were asked for.
type terse struct{ *counting }

func (s terse) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	states, err := s.counting.ReadStates(ctx, queries)
	for i, state := range states {
		if state == nil {
			continue
		}

		q, clipped := queries[i], *state
		clipped.Blocks, clipped.Tail = state.BlocksWithin(domain.BarBlocks(q.Key.Grid), q.State.Range), nil
		states[i] = &clipped
	}

	return states, err
}

// TestStateHasTheBlocksWanted reads bars of one block, and wants the blocks of a longer range in the state, unless it
// has a known version.
func TestStateHasTheBlocksWanted(t *testing.T) {
	t.Parallel()
	under := &counting{Store: memory.New()}
	s := setup(t, options{under: under, store: terse{under}, Config: seriescache.Config{ReadAhead: none()}})
	thinBlocks(t, s, 5)
	q := query(minutes(4_096, 2*4_096))
	_, state := readPieces(t, s, q)
	if state == nil || len(state.Blocks) != 1 {
		t.Fatalf("the state is %+v", state)
	}

	q.State = ports.StateQuery{Range: minutes(0, 4*4_096), Known: state.Version}
	readPieces(t, s, q)
	if n := s.under.states.Load(); n != 1 {
		t.Errorf("%d states were read for a known one", n)
	}

	q.State.Known = domain.Version{}
	_, want := readPieces(t, under.Store, q)
	if _, got := readPieces(t, s, q); got == nil || !got.SameWithin(want, domain.BarBlocks(key.Grid), q.State.Range) {
		t.Errorf("the state is %+v, want the blocks of %+v", got, want)
	}
}

func TestErrorsAreNotKept(t *testing.T) {
	t.Parallel()
	s := setup(t, options{Config: seriescache.Config{ReadAhead: none()}})
	s.put(t, makeBars(t, 0, 10_000, 1))
	down := &ports.Error{Kind: ports.ErrUnavailable, Op: "read bars", Err: errors.New("gone")}
	s.under.beforeRead = func(context.Context, ports.BarQuery) error { return down }
	if _, err := collect(t.Context(), s, query(minutes(0, 10_000))); !errors.Is(err, ports.ErrUnavailable) {
		t.Fatalf("got %v", err)
	}

	s.under.beforeRead = func(context.Context, ports.BarQuery) error { panic("boom") }
	_, err := collect(t.Context(), s, query(minutes(0, 10_000)))
	if !errors.Is(err, ports.ErrInternal) || !strings.Contains(fmt.Sprint(err), "boom") {
		t.Fatalf("got %v", err)
	}

	s.under.beforeRead = nil
	s.same(t, query(minutes(0, 10_000)))
}

// TestCorruptBesideTheRequest reads a range whose block has corrupt data elsewhere.
func TestCorruptBesideTheRequest(t *testing.T) {
	t.Parallel()
	s := setup(t, options{})
	s.put(t, makeBars(t, 0, 1_000, 1))
	s.under.beforeRead = func(_ context.Context, q ports.BarQuery) error {
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

// TestCorruptInTheRequestIsReadOnce reads a range with a corrupt bar: another read past the cache would only meet it again.
func TestCorruptInTheRequestIsReadOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, options{})
	s.put(t, makeBars(t, 0, 1_000, 1))
	at, reads := start.Add(500*time.Minute), 0
	s.under.beforeRead = func(_ context.Context, q ports.BarQuery) error {
		reads++
		if q.Range.Contains(at) {
			return &ports.Error{Kind: ports.ErrCorruptData, Op: "read bars", Err: &domain.RuleError{Rule: domain.RuleIncomplete, At: at}}
		}

		return nil
	}
	if _, err := collect(t.Context(), s, query(minutes(0, 600))); !errors.Is(err, ports.ErrCorruptData) || reads != 1 {
		t.Errorf("%d reads: %v", reads, err)
	}
	s.same(t, query(minutes(0, 400)))
}

// lossy is a store that loses the first bar of every read.
type lossy struct{ *counting }

func (s lossy) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		for p, err := range s.counting.ReadBars(ctx, q) {
			if p.State != nil && p.Rows.Len() > 0 {
				p.Rows = p.Rows.Slice(1, p.Rows.Len())
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// TestLostBarsAreCorruptData reads a block with fewer bars than the store counts, as after a dropped partition.
func TestLostBarsAreCorruptData(t *testing.T) {
	t.Parallel()
	s := setup(t, options{})
	s.put(t, makeBars(t, 0, 100, 1))
	d := seriescache.Dependencies{
		Store: lossy{s.under}, States: s.under, Caches: seriescache.Caches{Local: s.local}, Clock: fixedClock{start},
	}
	broken, err := seriescache.New(d, seriescache.Config{Name: "memory"})
	if err != nil {
		t.Fatal(err)
	}

	defer broken.Close()
	for _, q := range []ports.BarQuery{query(minutes(0, 100)), query(minutes(50, 60)), {Key: key, Range: minutes(0, 100), Last: 3}} {
		_, err := collect(t.Context(), broken, q)
		if !errors.Is(err, ports.ErrCorruptData) || !strings.Contains(err.Error(), "has 99 bars, the store counts 100") {
			t.Errorf("got %v", err)
		}
	}
}

type fixedClock struct{ at time.Time }

func (c fixedClock) Now() time.Time { return c.at }

func TestPiecesTellWhatIsKnown(t *testing.T) {
	t.Parallel()
	s := setup(t, options{Config: seriescache.Config{ReadAhead: none()}})
	s.put(t, makeBars(t, 0, 4_096, 1))
	bar := makeBars(t, 4_096, 1, 1).At(0)
	bar.High = domain.MustDecimal("1") // below all others
	wrong, err := domain.NewSeries(key, bar)
	if err != nil {
		t.Fatal(err)
	}

	s.put(t, wrong)
	for _, cached := range []bool{false, true} {
		var got []blockcache.Bars
		for p, err := range s.ReadCachedBars(t.Context(), query(minutes(0, 5_000)), 0).Rows() {
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

// TestPagesAreReadAhead reads page by page, as a stream does.
func TestPagesAreReadAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{})
		s.put(t, makeBars(t, 0, 40_000, 1))
		for from := 0; from < 40_000; from += 1_000 {
			s.same(t, ports.BarQuery{Key: key, Range: minutes(from, 40_000), First: 1_000})
			synctest.Wait() // the reader works on the page
		}
		if st := s.Stats(); st.PrefetchHits < 5 {
			t.Errorf("of ten blocks, %d were read ahead and used: %+v", st.PrefetchHits, st)
		}
	})
}

// TestConcurrentCallersShareReads has a thousand callers on one cold block. They cause one read of the state and one of
// the bars, and the first may leave.
func TestConcurrentCallersShareReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{})
		s.put(t, makeBars(t, 0, 4_096, 1))
		s.under.beforeRead = func(context.Context, ports.BarQuery) error {
			time.Sleep(time.Second)
			return nil
		}
		left, leave := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer leave()
		var callers sync.WaitGroup
		for i := range 1_000 {
			callers.Go(func() {
				ctx := t.Context()
				if i == 0 {
					ctx = left
				}
				got, err := collect(ctx, s, query(minutes(i, 4_000)))
				if i == 0 && !errors.Is(err, ports.ErrTimeout) || i > 0 && (err != nil || got.Len() != 4_000-i) {
					t.Errorf("caller %d: %s, %v", i, got, err)
				}
			})
		}
		callers.Wait()
		s.wantReads(t, 1)
	})
}

// TestAllCallersLeave cancels the read that no caller waits for.
func TestAllCallersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{})
		s.put(t, makeBars(t, 0, 100, 1))
		canceled := false
		s.under.beforeRead = func(ctx context.Context, _ ports.BarQuery) error {
			<-ctx.Done()
			canceled = true
			return ctx.Err()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := collect(ctx, s, query(minutes(0, 100))); !errors.Is(err, ports.ErrTimeout) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if !canceled {
			t.Error("the read goes on")
		}
	})
}

// TestReadTimeout ends a read that hangs, for all who wait.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, options{Config: seriescache.Config{ReadTimeout: time.Second}})
		s.put(t, makeBars(t, 0, 100, 1))
		s.under.beforeRead = func(ctx context.Context, _ ports.BarQuery) error {
			<-ctx.Done()
			return ctx.Err()
		}
		began := time.Now()
		if _, err := collect(t.Context(), s, query(minutes(0, 100))); err == nil || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// TestCloseBesideReads closes the cache beside readers: what was begun ends, and later reads go to the store.
func TestCloseBesideReads(t *testing.T) {
	t.Parallel()
	s := setup(t, options{})
	s.put(t, makeBars(t, 0, 20_000, 1))
	var readers sync.WaitGroup
	for i := range 8 {
		readers.Go(func() {
			for n := range 50 {
				from := (i*997 + n*131) % 19_000
				got, err := collect(t.Context(), s, query(minutes(from, from+1_000)))
				isClosed := errors.Is(err, ports.ErrCanceled)
				if err != nil && !isClosed || err == nil && got.Len() != 1_000 {
					t.Errorf("%s, %v", got, err)
				}
			}
		})
	}
	s.Close()
	readers.Wait()
	s.same(t, query(minutes(0, 20_000)))
}

// thinBlocks writes one bar into each of n blocks.
func thinBlocks(t *testing.T, s *subject, n int) {
	t.Helper()
	for i := range n {
		s.put(t, makeBars(t, 4_096*i+5, 1, 1))
	}
}

// TestChangesDuringALongRead writes while a long read is under way: all of its result is of one state.
func TestChangesDuringALongRead(t *testing.T) {
	t.Parallel()
	const blocks = 200
	long := query(minutes(0, 4_096*blocks))
	for name, written := range map[string][]int{"behind and ahead": {0, blocks - 1}, "behind": {0}, "ahead": {blocks - 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, at := range []int64{1, 3, 6, 7} { // reads of the store that went before
				s := setup(t, options{Config: seriescache.Config{ReadAhead: none()}})
				thinBlocks(t, s, blocks)
				change := sync.OnceFunc(func() {
					for _, block := range written {
						s.put(t, makeBars(t, 4_096*block+5, 1, 2)) // nobody is told
					}
				})
				s.under.beforeRead = func(context.Context, ports.BarQuery) error {
					if s.under.reads.Load() > at {
						change()
					}

					return nil
				}
				b := domain.NewSeriesBuilder(key, 0)
				for p, err := range s.ReadCachedBars(t.Context(), long, 0) {
					if err == nil {
						err = b.AppendSeries(p.Rows.Bars)
					}
					if err != nil {
						t.Fatal(err)
					}
					change()
				}

				got, err := b.Series()
				if err != nil || got.Len() != blocks {
					t.Fatalf("%s, %v", got, err)
				}
				for _, block := range written {
					if got.At(block).Trades != got.At(written[0]).Trades {
						t.Errorf("a change after %d reads: bars of two states", at)
					}
				}
			}
		})
	}
}

// TestBypassEndsABelief reads past the cache what another process wrote: later reads must not be older.
func TestBypassEndsABelief(t *testing.T) {
	t.Parallel()
	s := setup(t, options{Config: seriescache.Config{MaxBlocks: 3}})
	thinBlocks(t, s, 5)
	short := query(minutes(0, 100))
	s.same(t, short)
	s.under.beforeRead = func(context.Context, ports.BarQuery) error {
		s.put(t, makeBars(t, 5, 1, 2)) // after the state was read, and nobody is told
		return nil
	}
	s.same(t, query(minutes(0, 5*4_096))) // in one read of the store
	s.under.beforeRead = nil
	s.same(t, short)
}

// TestWrongTailIsReadWhole has a shared block that says to be a version in the tail, and is not.
func TestWrongTailIsReadWhole(t *testing.T) {
	t.Parallel()
	shared := newSharedMap()
	first := setup(t, options{shared: shared})
	first.put(t, makeBars(t, 0, 100, 1))
	first.same(t, query(minutes(0, 200)))
	for k, block := range shared.blocks {
		block.Bars = block.Bars.Slice(10, 100)
		shared.blocks[k] = block
	}
	first.put(t, makeBars(t, 100, 5, 1))

	second := setup(t, options{under: first.under, shared: shared})
	second.same(t, query(minutes(0, 200)))
	if st := second.Stats(); st.TailReads != 1 || st.Reads != 2 {
		t.Errorf("%+v", st)
	}
}
