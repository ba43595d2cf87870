package chunks_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// batches reads many series of a store at once, and counts how often.
type batches struct {
	next   ports.BarReader
	count  atomic.Int64
	before func(context.Context) error // nil does nothing
}

func (b *batches) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	return func(yield func(ports.BatchBars, error) bool) {
		b.count.Add(1)
		if b.before != nil {
			if err := b.before(ctx); err != nil {
				yield(ports.BatchBars{}, err)
				return
			}
		}
		for i, q := range queries {
			for p, err := range b.next.ReadBars(ctx, q).Rows() {
				if !yield(ports.BatchBars{Query: i, Bars: p}, err) {
					return
				}
			}
		}
	}
}

// many is a store of so many series of 5,000 minutes, read in batches, and a query for the last 500 of each.
func many(tb testing.TB, series int, cfg chunks.Config) (*subject, *batches, []ports.BarQuery) {
	tb.Helper()
	b := &batches{}
	cfg.Batch, cfg.ReadAhead = b, none()
	s := setup(tb, cfg)
	b.next = s.under.next
	like := makeBars(tb, 0, 5_000, 1)
	var queries []ports.BarQuery
	for i := range series {
		k := domain.SeriesKey{Symbol: domain.Symbol(fmt.Sprintf("S%d/USD", i)), Grid: key.Grid}
		bars := domain.NewSeriesBuilder(k, like.Len())
		for _, bar := range like.All() {
			if err := bars.Append(bar); err != nil {
				tb.Fatal(err)
			}
		}
		made, err := bars.Series()
		if err != nil {
			tb.Fatal(err)
		}
		s.put(tb, made)
		queries = append(queries, ports.BarQuery{Key: k, Range: minutes(0, 5_000), Last: 500})
	}

	return s, b, queries
}

// What many queries need is read in few round trips, and once.
func TestWarm(t *testing.T) {
	t.Parallel()
	s, b, queries := many(t, 200, chunks.Config{})
	for range 2 {
		s.Prefetch(t.Context(), queries)
		if got := b.count.Load(); got != 4 { // of 64 chunks at most, one for each series
			t.Fatalf("%d batches", got)
		}
	}
	for _, q := range queries {
		s.same(t, q)
	}
	s.reads(t, 0)
	if got := s.under.extents.Load(); got != 5 {
		t.Errorf("what is held was asked %d times, want 5: once before, and once after each batch", got)
	}
}

// A batch that fails is nobody's error, and who waits for a chunk of it has it from the store.
func TestWarmFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, fail := range map[string]func() error{
			"error": func() error {
				return &ports.Error{Kind: ports.ErrCorruptData, Op: "read", Err: errors.New("another's bar")}
			},
			"panic": func() error { panic("boom") },
		} {
			s, b, queries := many(t, 3, chunks.Config{})
			b.before = func(context.Context) error {
				time.Sleep(time.Second)
				return fail()
			}
			var asking sync.WaitGroup
			asking.Go(func() { s.Prefetch(t.Context(), queries) })
			synctest.Wait()
			asking.Go(func() { s.same(t, queries[0]) })
			asking.Wait()
			s.same(t, queries[1])
			if got := s.under.reads.Load(); got != 2 {
				t.Errorf("%s: %d reads", name, got)
			}
		}
	})
}

// Who warms may leave: the batch goes on for those who wait for a part of it, and ends where nobody does.
func TestWarmIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, waited := range []bool{true, false} {
			s, b, queries := many(t, 3, chunks.Config{})
			var ended error
			b.before = func(ctx context.Context) error {
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
					ended = ctx.Err()
				}

				return ended
			}
			ctx, cancel := context.WithCancel(t.Context())
			var asking sync.WaitGroup
			asking.Go(func() { s.Prefetch(ctx, queries) })
			synctest.Wait()
			if waited {
				asking.Go(func() { s.same(t, queries[0]) })
				synctest.Wait()
			}
			cancel()
			asking.Wait()
			synctest.Wait()
			if (ended == nil) != waited || s.under.reads.Load() != 0 {
				t.Errorf("waited for %t: the batch ended with %v, %d reads beside it", waited, ended, s.under.reads.Load())
			}
		}
	})
}

// However queries are warmed, beside writes, answers are those of the store.
func TestWarmAsWithoutIt(t *testing.T) {
	t.Parallel()
	s, _, all := many(t, 6, chunks.Config{})
	rapid.Check(t, func(rt *rapid.T) {
		var queries []ports.BarQuery
		for range rapid.IntRange(0, 12).Draw(rt, "queries") {
			from := rapid.IntRange(-5_000, 10_000).Draw(rt, "from")
			q := ports.BarQuery{Key: rapid.SampledFrom(all).Draw(rt, "series").Key, Range: minutes(from, from+rapid.SampledFrom([]int{0, 9, 6_000}).Draw(rt, "length"))}
			switch rapid.IntRange(0, 2).Draw(rt, "end") {
			case 1:
				q.First = rapid.SampledFrom([]int{1, 400, 6_000}).Draw(rt, "first")
			case 2:
				q.Last = rapid.SampledFrom([]int{1, 400, 6_000}).Draw(rt, "last")
			}
			queries = append(queries, q)
		}
		if rapid.Bool().Draw(rt, "delete") {
			k := rapid.SampledFrom(all).Draw(rt, "deleted").Key
			from := rapid.IntRange(0, 5_000).Draw(rt, "delete from")
			if _, err := s.ReplaceBars(t.Context(), domain.EmptySeries(k), minutes(from, from+10)); err != nil {
				rt.Fatal(err)
			}
		}
		s.Prefetch(t.Context(), queries)
		for _, q := range queries {
			want, err := collect(t.Context(), s.under.next, q)
			if err != nil {
				rt.Fatal(err)
			}
			if got, err := collect(t.Context(), s, q); err != nil || !got.Equal(want) {
				rt.Fatalf("%s first %d last %d: got %s, want %s, %v", q.Range, q.First, q.Last, got, want, err)
			}
		}
	})
}
