package query

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// reading is the one query of a store that is under way, and buffers that spare the common case an allocation.
type reading struct {
	query     ports.BarQuery
	collector access.Collector[ports.CachedBars]
	local     [1]ports.CachedBars
}

// beginReading prepares the collector for the result of a query of the store.
func (t *task) beginReading(s *access.Store, q ports.BarQuery) {
	t.reading.query = q
	t.reading.collector = access.Collector[ports.CachedBars]{
		Type: access.BarRows(), Store: s, Empty: access.AsPiece(domain.EmptySeries(q.Key)), Range: q.Range, Limit: max(q.First, q.Last),
	}
	c := &t.reading.collector
	if c.Limit > 0 {
		return
	}

	c.MaxRows = t.provider.limits.MaxBars
	if t.query.request.Quality == domain.QualityDrop {
		c.CountRows = func(p ports.CachedBars) int { return t.withoutFatal(p).Len() }
	}
}

// readStore queries a store, or the cache before it. The pieces are valid until the next call.
func (t *task) readStore(ctx context.Context, read *plan.Read, q ports.BarQuery) ([]ports.CachedBars, error) {
	s := t.provider.stores.ByName(read.Source)
	call := t.query.call.For(s)
	t.beginReading(s, q)
	c := &t.reading.collector
	if s.Cache == nil {
		return access.Do(ctx, call, collectBars, t)
	}

	if err := ctx.Err(); err != nil {
		return nil, call.Interrupted(ctx, nil)
	}
	if local, ok := s.Cache.LocalBars(t.reading.local[:0], q); ok {
		if err := c.CollectSlice(local); err != nil {
			return nil, call.Failed(ctx, err)
		}

		return c.Pieces, nil
	}

	if _, err := access.Do(ctx, call, collectBars, t); err != nil {
		return nil, err
	}
	if c.Rows == 0 || slices.ContainsFunc(c.Pieces, func(p ports.CachedBars) bool { return !p.Cached }) {
		t.result.storeReads = append(t.result.storeReads, plan.Read{Source: s.Name, Range: q.Range})
	}

	return c.Pieces, t.checkStillCovered(ctx, call, read, q)
}

// collectBars reads the whole result of the task's query.
func collectBars(ctx context.Context, s *access.Store, t *task) (pieces []ports.CachedBars, err error) {
	c := &t.reading.collector
	if s.Cache != nil {
		err = c.Collect(s.Cache.ReadCachedBars(ctx, t.reading.query))
	} else {
		err = c.CollectBars(s.Bars.ReadBars(ctx, t.reading.query), access.AsPiece)
	}

	return c.Pieces, err
}

// aggregateTrades has the store make the bars of r from its trades.
func (t *task) aggregateTrades(ctx context.Context, read *plan.Read, r domain.Range) ([]ports.CachedBars, error) {
	s := t.provider.stores.ByName(read.Source)
	t.beginReading(s, ports.BarQuery{Key: t.query.key(), Range: r})

	return access.Do(ctx, t.query.call.For(s), collectAggregate, t)
}

// collectAggregate reads the whole result of an aggregation.
func collectAggregate(ctx context.Context, s *access.Store, t *task) ([]ports.CachedBars, error) {
	c, q := &t.reading.collector, t.reading.query
	err := c.CollectBars(s.Aggregate.AggregateTrades(ctx, q.Key, q.Range), access.AsPiece)

	return c.Pieces, err
}

// checkStillCovered makes sure that a store with a cache still declares the coverage that the route relied on, because
// the coverage may have been known for a while when the bars were read. It returns errCoverageChanged where it does
// not.
func (t *task) checkStillCovered(ctx context.Context, call *access.Call, read *plan.Read, q ports.BarQuery) error {
	if read.Inferred {
		return nil
	}

	extents, local := call.Store.Cache.LocalExtents(q.Key.Symbol)
	if !local {
		var err error
		if extents, err = access.Do(ctx, call, access.ReadExtents, t.query.symbol[:]); err != nil {
			return err
		}
	}

	if slices.ContainsFunc(extents, func(e domain.Extent) bool {
		return e.Key == q.Key && !e.Inferred && e.Range.Covers(q.Range)
	}) {
		return nil
	}

	return call.Fault(ports.ErrIncomplete, errCoverageChanged)
}
