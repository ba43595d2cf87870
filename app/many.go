package app

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// manyAtOnce is how many requests of a FetchMany are answered at the same time.
const manyAtOnce = 4

// FetchMany answers each request as Fetch does, all for one instant of the clock, and in their order. The catalogs are asked once
// for all symbols, and so is each store for what it holds; where a cache stands before a store that reads many series at once, what
// the requests need is read in a few batches, elsewhere request by request, four at a time. One that fails leaves the others alone.
func (p *Provider) FetchMany(ctx context.Context, requests []domain.DataRequest) []ports.BatchResult {
	answers := make([]ports.BatchResult, len(requests))
	fetches := make([]*fetch, len(requests))
	var symbols []domain.Symbol
	now := p.clock.Now()
	for i, r := range requests {
		f, err := p.newFetch("fetch", r, now)
		if err == nil {
			err = f.refuseSlots()
		}
		if err != nil {
			answers[i].Err = err
			continue
		}

		fetches[i] = f
		symbols = append(symbols, r.Key.Symbol)
	}
	if len(symbols) == 0 {
		return answers
	}

	slices.Sort(symbols)
	symbols = slices.Compact(symbols)

	by := &caller{op: "fetch", subject: namesOf(symbols), cfg: p.cfg}
	by.bound(ctx, p.stores)
	known, err := p.symbols.many(ctx, by, symbols)
	shared := &held{subject: by.subject}
	shared.over(p.stores, symbols)

	for _, f := range fetches {
		if f != nil {
			f.held, f.until = shared, by.until
		}
	}

	if err == nil {
		warm(ctx, by, fetches)
	}

	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(manyAtOnce, len(requests)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < len(fetches); i = next.Add(1) - 1 {
				f, answer := fetches[i], &answers[i]
				if f == nil {
					continue
				}

				if answer.Err = err; err == nil {
					answer.Err = unknown(&f.caller, f.request.Key.Symbol, known[f.request.Key.Symbol])
				}
				if answer.Err == nil {
					answer.Result, answer.Err = f.settled(ctx)
				}
			}
		})
	}

	workers.Wait()
	return answers
}

// warm has the caches read what the requests need, all of a store at once. It is what most of them need: what is stored, and claimed.
// What fails is met again by the request that needs it.
func warm(ctx context.Context, by *caller, fetches []*fetch) {
	queries := map[*store][]ports.BarQuery{}
	for _, f := range fetches {
		if f == nil || f.routed < 0 || f.store.Cache == nil {
			continue
		}

		before := f.window
		if direct, err := f.direct(ctx); direct && err == nil {
			q := ports.BarQuery{Key: f.request.Key, Range: f.legs[0].Range, First: f.request.First, Last: f.request.Last}
			queries[f.store] = append(queries[f.store], q)
		}

		f.window, f.legs, f.covered = before, nil, nil
	}

	for s, asked := range queries {
		_, _ = call(ctx, by.at(s), warmed, asked)
	}
}

func warmed(ctx context.Context, s *store, queries []ports.BarQuery) (struct{}, error) {
	s.Cache.Prefetch(ctx, queries)
	return struct{}{}, ctx.Err()
}
