package query

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// route says where the bars of a query come from.
type route struct {
	direct  bool // one read of the preferred store, which covers all of it
	legs    []plan.Leg
	covered []domain.Range      // by the legs: ascending, disjoint
	window  window[domain.Grid] // of the query, with an open start resolved

	buf struct { // of the single read that most queries need
		leg     [1]plan.Leg
		read    [1]plan.Read
		covered [1]domain.Range
	}
}

// chooseRoute chooses the direct route where there is one, else the planned one. It reports whether the route begins
// later than the query, as a try for the last bars.
func (t *task) chooseRoute(ctx context.Context) (narrowed bool, err error) {
	direct, err := t.chooseDirectRoute(ctx)
	if err != nil {
		return false, err
	}
	if direct {
		return !t.route.window.visible.Start.Equal(t.query.window.visible.Start), nil
	}

	return false, t.choosePlannedRoute(ctx)
}

// chooseDirectRoute reads from the preferred store where one range of its coverage has all of the query, which is the
// common case: no plan is better, so no other store is queried. Where the range covers only the end of a query for the
// last bars, the route begins with it, as a try.
func (t *task) chooseDirectRoute(ctx context.Context) (bool, error) {
	q := &t.query
	if !t.mayBeDirect() {
		return false, nil
	}
	if q.call.Store.Cache != nil {
		return t.chooseCachedRoute(ctx)
	}

	extents, err := t.extents.barExtents(ctx, &q.call, q.call.Store, q.symbol[0])
	if err != nil {
		return false, err
	}
	for _, e := range extents {
		if e.Key == q.key() && !e.Inferred && t.takeDirectRoute(e.Range) {
			return true, nil
		}
	}

	return false, nil
}

// chooseCachedRoute is chooseDirectRoute where the preferred store has a cache, which knows the coverage of the series.
func (t *task) chooseCachedRoute(ctx context.Context) (bool, error) {
	state, err := t.cachedState(ctx)
	if err != nil {
		return false, err
	}
	for _, covered := range state.Coverage {
		if t.takeDirectRoute(covered) {
			return true, nil
		}
	}

	return false, nil
}

// mayBeDirect reports whether the query allows a direct route.
func (t *task) mayBeDirect() bool {
	q := &t.query
	isOpen := q.window.start.IsZero() && q.request.Last == 0
	return q.call.Store != nil && !q.request.Resample && !isOpen && !t.visible().Empty()
}

// visible returns the range of the query's bars.
func (t *task) visible() domain.Range { return t.query.grid().Align(t.query.window.visible) }

// cachedState returns the state of the queried series as the cache of the preferred store has it.
func (t *task) cachedState(ctx context.Context) (*domain.SeriesState, error) {
	store := t.query.call.Store
	t.refresh(store, t.query.key())
	if state, ok := store.Cache.LocalState(t.query.key(), 0); ok {
		return state, nil
	}

	return access.Do(ctx, &t.query.call, readState, staleQuery{t.directQuery(), t.query.request.MaxStale})
}

// staleQuery is a query of a cache that may answer with an older state.
type staleQuery struct {
	query    ports.BarQuery
	maxStale time.Duration
}

// directQuery returns the query of the direct route.
func (t *task) directQuery() ports.BarQuery {
	r := &t.query.request
	return ports.BarQuery{Key: r.Key, Range: t.visible(), First: r.First, Last: r.Last}
}

var readState = access.Operation[staleQuery, *domain.SeriesState]{Name: "read states", Run: readSeriesState}

func readSeriesState(ctx context.Context, s *access.Store, q staleQuery) (*domain.SeriesState, error) {
	return s.Cache.SeriesState(ctx, q.query, q.maxStale)
}

// takeDirectRoute takes the direct route if covered, which is a range of the coverage, allows it.
func (t *task) takeDirectRoute(covered domain.Range) bool {
	visible, last := t.visible(), t.query.request.Last > 0
	if covered.End.Before(visible.End) {
		return false
	}

	r := visible
	if covered.Start.After(r.Start) {
		r.Start = t.query.grid().Ceil(covered.Start)
	}
	if r.Empty() || !last && r.Start.After(visible.Start) {
		return false
	}

	t.setDirectRoute(r, r.Start.After(visible.Start))

	return true
}

// setDirectRoute reads r, which is aligned, from the preferred store.
func (t *task) setDirectRoute(r domain.Range, narrowed bool) {
	rt := &t.route
	rt.window = t.query.window
	if narrowed {
		rt.window.visible.Start = r.Start
	}

	rt.buf.read[0] = plan.Read{Source: t.query.call.Store.Name, Range: r}
	rt.buf.leg[0] = plan.Leg{Range: r, Rows: ports.RowBars, Grid: t.query.grid(), Reads: rt.buf.read[:]}
	rt.buf.covered[0] = r
	rt.direct, rt.legs, rt.covered = true, rt.buf.leg[:], rt.buf.covered[:]
}

// choosePlannedRoute plans over all stores, which also resolves an open start.
func (t *task) choosePlannedRoute(ctx context.Context) error {
	q, rt := &t.query, &t.route
	rt.direct, rt.legs, rt.covered, rt.window = false, nil, nil, q.window
	for _, s := range t.provider.stores {
		t.refresh(s, q.key())
	}
	if !q.window.visible.Empty() {
		p, err := t.extents.plan(ctx, q, q.window.visible, plan.Limits{Reads: t.provider.limits.MaxReads})
		if err != nil {
			return err
		}

		rt.legs = p.Legs
	}

	rt.covered = coveredBy(rt.legs)
	rt.window = rt.window.withCoverage(rt.covered)

	return q.checkSlotsOf(rt.reach(), t.provider.limits)
}

// coveredBy returns the ranges of the legs: ascending, disjoint.
func coveredBy(legs []plan.Leg) []domain.Range {
	var covered []domain.Range
	for _, l := range legs {
		covered = append(covered, l.Covered()...)
	}

	return domain.MergeRanges(covered)
}

// inferred returns the parts of r whose coverage is inferred.
func (rt *route) inferred(r domain.Range) []domain.Range {
	var inferred []domain.Range
	for _, l := range rt.legs {
		inferred = append(inferred, domain.ClipRanges(l.Inferred, r)...)
	}
	if len(inferred) < 2 {
		return inferred
	}

	return domain.MergeRanges(inferred)
}

// reach returns the range that the limit of slots applies to: with an open end, up to the last covered slot.
func (rt *route) reach() domain.Range {
	r := rt.window.visible
	if !rt.window.openEnded {
		return r
	}

	last := r.Start
	if n := len(rt.covered); n > 0 {
		last = rt.covered[n-1].End
	}
	if last.Before(r.End) {
		r.End = last
	}

	return r
}
