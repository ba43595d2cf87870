package query

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/checkpoint"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// query is a request for bars, validated and clamped to one instant of the clock. It never changes once it is made.
type query struct {
	request domain.DataRequest
	symbol  [1]domain.Symbol       // of the request, as calls of stores take it
	before  *checkpoint.Checkpoint // of the pages before; nil if there are none
	window  window[domain.Grid]
	now     time.Time
	call    access.Call // how its errors name it, and the preferred store of its bars, which may be nil
}

// init validates and clamps the request. It does no I/O.
func (q *query) init(op string, r domain.DataRequest, now time.Time, s *Provider) error {
	q.request, q.symbol[0], q.now = r, r.Key.Symbol, now.UTC()
	q.call = access.Call{Op: op, Subject: &q.request.Key, Settings: s.settings, Store: s.stores.ForGrid(r.Key.Grid)}
	if err := s.limits.checkRows(q.limit()); err != nil {
		return err
	}
	if err := s.stores.CheckGrid(r.Key.Grid); err != nil {
		return err
	}

	var err error
	if q.before, err = checkpoint.Decode(r.Checkpoint); err != nil {
		return err
	}

	q.window, err = newWindow(r.Key.Grid, r.Start, r.End, q.now)

	return err
}

// key returns the key of the requested series.
func (q *query) key() domain.SeriesKey { return q.request.Key }

// grid returns the requested grid.
func (q *query) grid() domain.Grid { return q.request.Key.Grid }

// empty returns a Series of the key without a bar.
func (q *query) empty() domain.Series { return domain.EmptySeries(q.request.Key) }

// limit returns First or Last of the request; 0 is all bars.
func (q *query) limit() int { return max(q.request.First, q.request.Last) }

// backward reports whether the limit counts from the end.
func (q *query) backward() bool { return q.request.Last > 0 }

// isTargetGrid reports whether the leg's rows are the requested bars.
func (q *query) isTargetGrid(l plan.Leg) bool {
	return l.Rows == ports.RowBars && l.Grid == q.grid()
}

// planRequest returns the range r of the query as package plan takes it.
func (q *query) planRequest(r domain.Range) plan.Request {
	request := plan.Request{Key: q.request.Key, Range: r}
	if q.request.Resample {
		request.Exclude = plan.SourceBars
	}

	return request
}

// checkSlots refuses, before any I/O, a range with more slots than the limit. An open end is checked once the coverage
// is known.
func (q *query) checkSlots(l Limits) error {
	if q.request.Start.IsZero() || q.window.openEnded {
		return nil
	}

	return q.checkSlotsOf(q.window.visible, l)
}

func (q *query) checkSlotsOf(r domain.Range, l Limits) error {
	if l.MaxSlots == 0 || q.limit() > 0 {
		return nil
	}

	if slots := q.grid().Slots(r); slots > l.MaxSlots {
		return q.call.Refuse(fmt.Errorf("%s has slots for %d bars, at most %d may be requested (max_slots); "+
			"request a shorter range or a lower frequency: %w", r, slots, l.MaxSlots, ports.ErrTooLarge))
	}

	return nil
}
