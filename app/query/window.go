package query

import (
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
)

// window is the range of a request: the requested bounds, and the part of them that may be seen at the clock's now.
type window[E access.Edges] struct {
	edges     E
	start     time.Time // as requested; zero means from the first covered instant
	openEnded bool      // requested up to now
	visible   domain.Range
	clamped   bool // the request reaches beyond now
	hasData   bool // something is covered before the end, or the request has a start
}

// newWindow clamps the requested bounds to now: a row that is not closed by then does not begin in the visible range.
func newWindow[E access.Edges](edges E, start, end, now time.Time) (window[E], error) {
	w := window[E]{edges: edges, start: start, openEnded: end.IsZero(), hasData: true}
	closed := edges.Floor(now)
	switch {
	case w.openEnded:
		end = closed
	case end.After(closed):
		end = closed
		w.clamped = true
	}

	if start.After(end) {
		w.clamped = w.clamped || start.After(closed)
		start = end
	}

	var err error
	w.visible, err = domain.NewRange(start, end)

	return w, err
}

// withCoverage returns the window with an open start resolved to the start of the coverage.
func (w window[E]) withCoverage(covered []domain.Range) window[E] {
	if !w.start.IsZero() {
		return w
	}

	w.hasData = len(covered) > 0 && covered[0].Start.Before(w.visible.End)
	w.visible.Start = w.visible.End
	if w.hasData {
		w.visible.Start = covered[0].Start
	}

	return w
}

// uncovered returns the parts of r where a row can begin and the coverage does not reach.
func (w *window[E]) uncovered(r domain.Range, covered []domain.Range) []domain.Range {
	for _, c := range covered {
		if c.Covers(r) { // the common case
			return nil
		}
	}

	parts := w.edges.Align(r).Subtract(covered)
	for i := range parts {
		parts[i] = parts[i].Intersect(r)
	}

	return parts
}

// next returns where a reader continues after a result for r: at its end, or at the start of the uncovered part at its
// end. It never lies before the end of the returned rows, so that no row is returned twice.
func (w *window[E]) next(r domain.Range, uncovered []domain.Range, returned domain.Range) time.Time {
	if !w.hasData {
		return time.Time{}
	}
	if w.start.After(r.End) {
		return w.edges.Ceil(w.start) // the request begins after now
	}

	n := len(uncovered)
	if n == 0 || !uncovered[n-1].End.Equal(r.End) {
		return w.edges.Ceil(r.End)
	}

	next := w.edges.Ceil(uncovered[n-1].Start)
	if returned.End.After(next) {
		return returned.End
	}

	return next
}

// resultRange returns the range that a result of n rows speaks of: First or Last narrow it to the rows they kept.
func (w *window[E]) resultRange(returned domain.Range, n, first, last int) domain.Range {
	r := w.visible
	switch {
	case n == 0:
	case first > 0 && n >= first:
		if returned.End.Before(r.End) {
			r.End = returned.End
		}
	case last > 0 && n >= last:
		r.Start = returned.Start
	}

	return r
}
