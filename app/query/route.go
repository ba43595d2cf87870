package query

import (
	"context"

	"github.com/gal-friday/marketdata/app/plan"
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

// chooseDirectRoute reads from the preferred store where one of its extents covers the query, which is the common case:
// no plan is better, so no other store is queried. Where the extent covers only the end of a query for the last bars,
// the route begins with it, as a try.
func (t *task) chooseDirectRoute(ctx context.Context) (bool, error) {
	q := &t.query
	visible := q.grid().Align(q.window.visible)
	last := q.request.Last > 0
	if q.call.Store == nil || q.request.Resample || visible.Empty() || q.window.start.IsZero() && !last {
		return false, nil
	}

	extents := t.localExtents
	if extents == nil {
		var err error
		if extents, err = t.extents.barExtents(ctx, &q.call, q.call.Store, q.symbol[0]); err != nil {
			return false, err
		}
	}

	for _, e := range extents {
		if e.Key != q.key() || e.Inferred || e.Range.End.Before(visible.End) {
			continue
		}

		r := visible
		if e.Range.Start.After(r.Start) {
			r.Start = q.grid().Ceil(e.Range.Start)
		}
		if r.Empty() || !last && r.Start.After(visible.Start) {
			continue
		}

		t.setDirectRoute(r, r.Start.After(visible.Start))

		return true, nil
	}

	return false, nil
}

// setDirectRoute reads r, which is aligned, from the preferred store.
func (t *task) setDirectRoute(r domain.Range, narrowed bool) {
	rt := &t.route
	rt.window = t.query.window
	if narrowed {
		rt.window.visible.Start = r.Start
	}

	rt.buf.read[0] = plan.Read{Source: t.query.call.Store.Name, Range: r}
	rt.buf.leg[0] = plan.Leg{Range: r, Rows: ports.RowsOfBars, Grid: t.query.grid(), Reads: rt.buf.read[:]}
	rt.buf.covered[0] = r
	rt.direct, rt.legs, rt.covered = true, rt.buf.leg[:], rt.buf.covered[:]
}

// choosePlannedRoute plans over all stores, which also resolves an open start.
func (t *task) choosePlannedRoute(ctx context.Context) error {
	q, rt := &t.query, &t.route
	rt.direct, rt.legs, rt.covered, rt.window = false, nil, nil, q.window
	if !q.window.visible.Empty() {
		p, err := t.extents.plan(ctx, q, q.window.visible, plan.Limits{Reads: plan.DefaultMaxReads})
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
		covered = append(covered, l.Range)
	}

	return domain.MergeRanges(covered)
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
