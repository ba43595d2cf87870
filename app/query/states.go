package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/checkpoint"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// seriesStates holds the reads of each stored series by one request to one state.
type seriesStates struct {
	series []*seriesRead
	first  seriesRead // the first of series, because most requests read one
	buf    [1]*seriesRead
}

// seriesRead is a stored series that a request reads.
type seriesRead struct {
	store *access.Store
	key   domain.SeriesKey // of ticks, that of the request
	ticks domain.TickKind  // empty for bars
	reads access.Continuity
}

// continuity returns that of the bars of the key, or of its symbol's ticks, which begins with no read.
func (s *seriesStates) continuity(store *access.Store, key domain.SeriesKey, ticks domain.TickKind) *access.Continuity {
	if ticks != "" {
		key.Grid = domain.Grid{}
	}
	for _, r := range s.series {
		if r.store == store && r.key == key && r.ticks == ticks {
			return &r.reads
		}
	}

	read := &s.first
	if s.series == nil {
		s.series = s.buf[:0]
	} else {
		read = new(seriesRead)
	}
	layout := checkpoint.Series{Grid: key.Grid, Ticks: ticks}
	*read = seriesRead{store: store, key: key, ticks: ticks, reads: access.Continuity{Layout: layout.Layout()}}
	s.series = append(s.series, read)

	return &read.reads
}

// refresh makes the cache ask the store for the series, once for a request that wants it fresh.
func (t *task) refresh(store *access.Store, key domain.SeriesKey) {
	if !t.query.request.Fresh || store.Cache == nil {
		return
	}

	if reads := t.states.continuity(store, key, ""); !reads.Fresh {
		reads.Fresh = true
		store.Cache.Invalidate(key)
	}
}

// checkState makes sure that the rows of a read belong to one state with all that the request read before, and that the
// route still holds in it. It returns access.ErrStateChanged where they do not.
func (t *task) checkState(ctx context.Context, call *access.Call, read *plan.Read, q ports.BarQuery) error {
	state := t.reading.collector.State
	if state == nil {
		return t.checkStillCovered(ctx, call, read, q)
	}

	t.result.staleFor = max(t.result.staleFor, state.StaleFor)
	told, endsAtRow := t.reading.rangeRead()
	// A cache counts the bars of each block that it reads, but reads unreadable ones past it.
	if call.Store.Cache == nil || len(t.reading.collector.Unreadable) > 0 {
		if err := t.checkCounts(call, state, told); err != nil {
			return err
		}
	}

	state, err := t.states.continuity(call.Store, q.Key, "").Add(state, told, endsAtRow)
	if err == nil && !t.route.holds(t, call.Store, q, state) {
		err = access.ErrStateChanged
	}

	return call.Conflict(err)
}

// checkCounts makes sure that every block that was read whole has as many bars as the store counts. A store that lost
// bars, with a dropped partition for example, would else say that nothing traded there. read is the range that the rows
// tell of.
func (t *task) checkCounts(call *access.Call, state *domain.SeriesState, read domain.Range) error {
	c := &t.reading.collector
	layout := domain.BarBlocks(t.reading.query.Key.Grid)
	pieces := c.Pieces
	for _, b := range state.BlocksWithin(layout, read) {
		block := layout.Range(b.Index, b.Index+1)
		if b.Rows == 0 || !read.Covers(block) {
			continue
		}

		for len(pieces) > 0 && !pieces[0].Bars.Range().End.After(block.Start) {
			pieces = pieces[1:]
		}
		bars := 0
		for _, p := range pieces {
			if !p.Bars.OpenTime(0).Before(block.End) {
				break
			}
			bars += p.Bars.Clip(block).Len()
		}
		for _, unreadable := range c.Unreadable {
			if block.Contains(unreadable.At) {
				bars++
			}
		}
		if bars != b.Rows {
			return call.Fault(ports.ErrCorruptData, fmt.Errorf("the block from %s has %d bars, the store counts %d; "+
				"delete the range and import it again", access.FormatTime(block.Start), bars, b.Rows))
		}
	}

	return nil
}

// checkTickState makes sure that the coverage of ticks that the route relied on, which contains r, holds in the state
// of a read of them. It returns access.ErrStateChanged where it does not. A nil state is that of a store without
// versions, which is asked again, because the coverage was read before the ticks.
func (t *task) checkTickState(
	ctx context.Context, call *access.Call, kind domain.TickKind, r domain.Range, state *domain.SeriesState,
) error {
	planned := t.extents.plannedTicks(t.query.symbol[0], kind)
	if state != nil {
		whole := t.query.grid().Align(t.route.window.visible).Hull(r)
		if sameWithin(planned, state.Coverage, whole) {
			return nil
		}

		return call.Conflict(access.ErrStateChanged)
	}

	t.unversioned = true
	extents, err := access.Do(ctx, call, access.ReadTickExtents, t.query.symbol[:])
	if err != nil {
		return err
	}
	if !sameWithin(planned, rangesOfTicks(extents, t.query.symbol[0], kind), r) {
		return call.Conflict(access.ErrStateChanged)
	}

	return nil
}

// sameWithin reports whether both coverages are the same in r.
func sameWithin(a, b []domain.Range, r domain.Range) bool {
	return slices.EqualFunc(domain.ClipRanges(a, r), domain.ClipRanges(b, r), domain.Range.Equal)
}

// wholeRange returns everything that the request may read of the queried series.
func (t *task) wholeRange(q ports.BarQuery) domain.Range {
	return t.query.grid().Align(t.route.window.visible).Hull(q.Range)
}

// holds reports whether the route is still right for the state of a series: a direct route needs coverage of what it
// reads, a planned one needs the coverage that it was planned with.
func (rt *route) holds(t *task, store *access.Store, q ports.BarQuery, state *domain.SeriesState) bool {
	if rt.direct {
		return state.Covers(q.Range)
	}

	return sameWithin(t.extents.plannedBars(store, q.Key), state.Coverage, t.wholeRange(q))
}

// rangeRead returns the part of the query's range that the rows tell of, and whether it ends with the last row, as it
// does where First limited the read. Last limits its start.
func (r *reading) rangeRead() (told domain.Range, endsAtRow bool) {
	c, told := &r.collector, r.query.Range
	switch {
	case c.Limit == 0 || c.RowsRead() < c.Limit:
	case r.query.First > 0:
		told.End = r.rowRange().End
		return told, true
	default:
		told.Start = r.rowRange().Start
	}

	return told, false
}

// checkStillCovered makes sure that a store without versions still declares the coverage that the route relied on,
// because a deletion between the read of the coverage and the read of the bars would look as if nothing traded. It
// returns access.ErrStateChanged where it does not.
func (t *task) checkStillCovered(ctx context.Context, call *access.Call, read *plan.Read, q ports.BarQuery) error {
	t.unversioned = true
	if read.Inferred {
		return nil
	}

	extents, err := access.Do(ctx, call, access.ReadExtents, t.query.symbol[:])
	if err != nil {
		return err
	}

	state := domain.SeriesState{Coverage: declaredRanges(extents, q.Key)}
	for _, needed := range domain.ClipRanges(t.route.covered, q.Range) {
		if !state.Covers(needed) {
			return call.Conflict(access.ErrStateChanged)
		}
	}

	return nil
}
