package app

import (
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// edges is where what is asked for can begin: a Grid for bars.
type edges interface {
	Floor(t time.Time) time.Time
	Ceil(t time.Time) time.Time
	Align(r domain.Range) domain.Range
}

// instants is the edges of trades and quotes, which can begin at any microsecond.
type instants struct{}

// Floor is t to the microsecond.
func (instants) Floor(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Ceil is t: bounds are rounded up to the microsecond by domain.NewRange.
func (instants) Ceil(t time.Time) time.Time { return t }

// Align is r.
func (instants) Align(r domain.Range) domain.Range { return r }

// window is the range of a request on its way: what is asked for, and what of it may be seen.
type window[E edges] struct {
	edges     E
	asked     time.Time // the start asked for; zero is from the first held
	openEnded bool      // asked for up to now
	within    domain.Range
	clamped   bool
	held      bool // something is held before the end, or the request says where to begin
}

// newWindow clamps the range asked for to now: what is not over by then does not begin in it.
func newWindow[E edges](e E, start, end, now time.Time) (window[E], error) {
	w := window[E]{edges: e, asked: start, openEnded: end.IsZero(), held: true}
	closed := e.Floor(now) // what begins here or later is not over
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
	w.within, err = domain.NewRange(start, end)
	return w, err
}

// begin fills in an open start: where the first claim begins.
func (w *window[E]) begin(claimed []domain.Range) {
	if !w.asked.IsZero() {
		return
	}

	w.held = len(claimed) > 0 && claimed[0].Start.Before(w.within.End)
	w.within.Start = w.within.End
	if w.held {
		w.within.Start = claimed[0].Start
	}
}

// uncovered is the parts of r in which something can begin and none of the claims reaches.
func (w *window[E]) uncovered(r domain.Range, claimed []domain.Range) []domain.Range {
	for _, c := range claimed {
		if c.Covers(r) { // as it is nearly always
			return nil
		}
	}

	parts := w.edges.Align(r).Subtract(claimed)
	for i := range parts {
		parts[i] = parts[i].Intersect(r)
	}
	return parts
}

// next is where to go on from after an answer about r: its end, or where the part at its end begins that nobody holds. What was
// returned, up to an end of its own, is held, so who goes on from there gets nothing twice.
func (w *window[E]) next(r domain.Range, uncovered []domain.Range, returned domain.Range) time.Time {
	if !w.held {
		return time.Time{}
	}
	if w.asked.After(r.End) {
		return w.edges.Ceil(w.asked) // it begins after now
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

// cut is the range that an answer of n rows speaks of: First or Last narrow it to what they kept, where they left something out.
func (w *window[E]) cut(returned domain.Range, n, first, last int) domain.Range {
	r := w.within
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
