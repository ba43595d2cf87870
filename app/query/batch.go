package query

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// batchConcurrency is the number of requests of a FetchMany that are answered at the same time.
const batchConcurrency = 4

// FetchMany answers each request as Fetch does, all for one instant of the clock. Result i belongs to request i, and a
// request that fails leaves the others alone. The catalogs are queried once for all symbols, and so is each store for
// its coverage. Where a store that reads many series at once has a cache, the bars are read in a few batches; elsewhere
// request by request, four at a time.
func (p *Provider) FetchMany(ctx context.Context, requests []domain.DataRequest) []ports.BatchResult {
	results := make([]ports.BatchResult, len(requests))
	b := p.newBatch(requests, results)
	if len(b.symbols) == 0 {
		return results
	}

	b.call.SetDefaultDeadline(ctx, p.stores)
	entries, err := p.symbols.ResolveAll(ctx, &b.call, b.symbols)
	b.extents.subject = b.call.Subject
	b.extents.init(p.stores, b.symbols)
	for _, t := range b.tasks {
		if t != nil {
			t.extents, t.query.call.Deadline = &b.extents, b.call.Deadline
		}
	}
	if err == nil {
		b.prefetch(ctx)
	}

	b.forEach(func(i int, t *task) {
		result := &results[i]
		resolved := entries[t.query.symbol[0]]
		if result.Err = cmp.Or(err, resolved.Err); result.Err == nil {
			result.Err = p.symbols.CheckKnown(&t.query.call, t.query.symbol[0], resolved.Entry)
		}
		if result.Err == nil {
			result.Result, result.Err = t.runWithRetry(ctx)
		}
	})

	return results
}

// batch is the requests of a FetchMany.
type batch struct {
	call    access.Call
	tasks   []*task // by request; nil for one that was refused
	symbols []domain.Symbol
	extents extentSet
}

// newBatch validates the requests. Those that are refused have their error in results.
func (p *Provider) newBatch(requests []domain.DataRequest, results []ports.BatchResult) *batch {
	b := &batch{tasks: make([]*task, len(requests))}
	now := p.clock.Now()
	for i, r := range requests {
		t, err := p.newTask("fetch", r, now)
		if err == nil {
			err = t.query.checkSlots(p.limits)
		}
		if err != nil {
			results[i].Err = err
			continue
		}

		b.tasks[i] = t
		b.symbols = append(b.symbols, r.Key.Symbol)
	}

	slices.Sort(b.symbols)
	b.symbols = slices.Compact(b.symbols)
	b.call = access.Call{Op: "fetch", Subject: access.JoinSymbols(b.symbols), Settings: p.settings, Deadline: time.Time{}}

	return b
}

// forEach calls f for every task, batchConcurrency at a time, and returns when all are done.
func (b *batch) forEach(f func(i int, t *task)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(batchConcurrency, len(b.tasks)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(b.tasks); i = int(next.Add(1)) - 1 {
				if t := b.tasks[i]; t != nil {
					f(i, t)
				}
			}
		})
	}

	workers.Wait()
}

// prefetch has the caches read the bars that direct routes need, in one call for each store. A failure is met again by
// the request that needs the bars.
func (b *batch) prefetch(ctx context.Context) {
	queries := map[*access.Store][]ports.BarQuery{}
	for _, t := range b.tasks {
		if t == nil || t.query.call.Store == nil || t.query.call.Store.Cache == nil {
			continue
		}

		t.refresh(t.query.call.Store, t.query.key())
		if t.mayBeDirect() {
			queries[t.query.call.Store] = append(queries[t.query.call.Store], t.directQuery())
		}
	}

	for s, all := range queries {
		_, _ = access.Do(ctx, b.call.For(s), prefetchBars, all)
	}
}

var prefetchBars = access.Operation[[]ports.BarQuery, struct{}]{Name: "prefetch", Run: prefetch}

func prefetch(ctx context.Context, s *access.Store, queries []ports.BarQuery) (struct{}, error) {
	s.Cache.Prefetch(ctx, queries)
	return struct{}{}, ctx.Err()
}
