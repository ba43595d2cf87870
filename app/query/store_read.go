package query

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// reading is the one query of a store that is under way, and buffers that spare the common case an allocation.
type reading struct {
	query     ports.BarQuery
	collector access.Collector[blockcache.Bars]
	local     [1]blockcache.Bars
}

// beginReading prepares the collector for the result of a query of the store.
func (t *task) beginReading(s *access.Store, q ports.BarQuery) {
	t.reading.query = q
	t.reading.collector = access.Collector[blockcache.Bars]{
		Type:  access.BarRows(),
		Store: s,
		Empty: access.AsPiece(domain.EmptySeries(q.Key)),
		Range: q.Range,
		Limit: max(q.First, q.Last),
	}
	c := &t.reading.collector
	if c.Limit > 0 {
		return
	}

	c.MaxRows = t.provider.limits.MaxBars
	if t.query.request.Quality == domain.QualityDrop {
		c.CountRows = func(p blockcache.Bars) int {
			kept, _ := t.withoutFatal(p)
			return kept.Len()
		}
	}
}

// readStore queries a store, or the cache before it, and keeps what the store could not represent, unless the policy
// fails for it. The pieces are valid until the next call.
func (t *task) readStore(ctx context.Context, read *plan.Read, q ports.BarQuery) ([]blockcache.Bars, error) {
	q.ReportUnreadable = t.query.reportsUnreadable()
	pieces, err := t.queryStore(ctx, read, q)
	t.result.unreadable = append(t.result.unreadable, t.reading.collector.Unreadable...)

	return pieces, err
}

func (t *task) queryStore(ctx context.Context, read *plan.Read, q ports.BarQuery) ([]blockcache.Bars, error) {
	s := t.provider.stores.ByName(read.Source)
	call := t.query.call.For(s)
	q.State = t.states.continuity(s, q.Key, "").Query()
	t.beginReading(s, q)
	if s.Cache != nil {
		return t.readCached(ctx, call, read, q)
	}

	if _, err := access.Do(ctx, call, readBars, t); err != nil {
		return nil, err
	}

	return t.reading.collector.Pieces, t.checkState(ctx, call, read, q)
}

// readCached is queryStore of a store with a cache.
func (t *task) readCached(
	ctx context.Context, call *access.Call, read *plan.Read, q ports.BarQuery,
) ([]blockcache.Bars, error) {
	if err := ctx.Err(); err != nil {
		return nil, call.Interrupted(ctx, nil)
	}

	t.refresh(call.Store, q.Key)
	c, cache := &t.reading.collector, call.Store.Cache
	local, state, ok := cache.LocalBars(t.reading.local[:0], q)
	if ok {
		if err := c.CollectSlice(local); err != nil {
			return nil, call.Failed(ctx, err)
		}
		c.State = state
	} else if _, err := access.Do(ctx, call, readBars, t); err != nil {
		return nil, err
	}

	isStored := func(p blockcache.Bars) bool { return !p.Cached }
	if !ok && (c.Rows == 0 || slices.ContainsFunc(c.Pieces, isStored)) {
		t.result.storeReads = append(t.result.storeReads, plan.Read{Source: call.Store.Name, Range: q.Range})
	}

	err := t.checkState(ctx, call, read, q)
	if err != nil {
		cache.Invalidate(q.Key) // the next attempt asks the store
	}

	return c.Pieces, err
}

// The operations of a task that read bars.
var (
	readBars  = access.Operation[*task, []blockcache.Bars]{Name: "read bars", Run: collectBars, Rows: barsOf}
	aggregate = access.Operation[*task, []blockcache.Bars]{Name: "aggregate trades", Run: collectAggregate, Rows: barsOf}
)

// barsOf returns the number of bars in the pieces.
func barsOf(pieces []blockcache.Bars) int {
	bars := 0
	for _, p := range pieces {
		bars += p.Len()
	}

	return bars
}

// collectBars reads the whole result of the task's query.
func collectBars(ctx context.Context, s *access.Store, t *task) (pieces []blockcache.Bars, err error) {
	c := &t.reading.collector
	if s.Cache != nil {
		pieces := s.Cache.ReadCachedBars(ctx, t.reading.query, t.query.request.MaxStale)
		err = access.CollectSequence(c, pieces, access.SamePiece)
	} else {
		err = access.CollectSequence(c, s.Bars.ReadBars(ctx, t.reading.query), access.AsPiece)
	}

	return c.Pieces, err
}

// aggregateTrades has the store make the bars of r from its trades. The consumer bounds the bars: a step may have more
// than the request is allowed to return.
func (t *task) aggregateTrades(ctx context.Context, read *plan.Read, r domain.Range) ([]blockcache.Bars, error) {
	s := t.provider.stores.ByName(read.Source)
	t.beginReading(s, ports.BarQuery{Key: t.query.key(), Range: r})
	t.reading.collector.MaxRows = 0

	call := t.query.call.For(s)
	pieces, err := access.Do(ctx, call, aggregate, t)
	if err == nil {
		state := t.reading.collector.State
		if err = t.checkTickState(ctx, call, domain.TickTrades, read.Range, state); err == nil && state != nil {
			t.states.continuity(s, t.query.key(), domain.TickTrades).AddStep(state, r)
		}
	}

	return pieces, err
}

// collectAggregate reads the whole result of an aggregation.
func collectAggregate(ctx context.Context, s *access.Store, t *task) ([]blockcache.Bars, error) {
	c, q := &t.reading.collector, t.reading.query
	err := access.CollectSequence(c, s.Aggregate.AggregateTrades(ctx, q.Key, q.Range), access.AsPiece)

	return c.Pieces, err
}
