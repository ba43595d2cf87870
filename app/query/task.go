package query

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
)

// task is one request under way: the query, the route chosen for it, and the result so far. It is for one goroutine.
type task struct {
	provider *Provider
	query    query
	extents  *extentSet // shared by the tasks of a FetchMany
	route    route
	result   result
	reading  reading
	states   *seriesStates // shared with the task for the bar before the range

	unversioned bool // a store that was read keeps no versions

	all         allBars     // consumer without a limit
	limited     limitedBars // consumer with First or Last
	derivedRows int         // rows read at a time where bars are made of them

	ownExtents extentSet // extents, where no other task shares them
	ownStates  seriesStates
}

// newTask validates and clamps the request. It does no I/O.
func (p *Provider) newTask(op string, r domain.DataRequest, now time.Time) (*task, error) {
	if err := r.Validate(); err != nil {
		return nil, access.Refusal(op, "", err)
	}

	t := &task{provider: p}
	if err := t.query.init(op, r, now, p); err != nil {
		return nil, t.query.call.Refuse(err)
	}
	t.ownExtents.init(p.stores, t.query.symbol[:])
	t.ownExtents.maxStale = r.MaxStale
	t.extents, t.states = &t.ownExtents, &t.ownStates

	return t, nil
}

// restart returns the same request with nothing read and no coverage known.
func (t *task) restart() *task {
	again := &task{provider: t.provider, query: t.query}
	again.query.call.Subject = &again.query.request.Key
	again.ownExtents.init(t.provider.stores, again.query.symbol[:])
	again.ownExtents.maxStale = t.query.request.MaxStale
	again.extents, again.states = &again.ownExtents, &again.ownStates

	return again
}

// lastBefore returns a task for the last bar before end, at the same instant, with the same coverage and in the same
// states of the stored series.
func (t *task) lastBefore(end time.Time) (*task, error) {
	q := &t.query
	r := domain.DataRequest{
		Key: q.key(), End: end, Last: 1, Quality: q.request.Quality, Resample: q.request.Resample,
		MaxStale: q.request.MaxStale,
	}
	before := &task{provider: t.provider, extents: t.extents, states: t.states}
	if err := before.query.init(q.call.Op, r, q.now, t.provider); err != nil {
		return nil, q.call.Refuse(err)
	}
	before.query.call.Deadline = q.call.Deadline

	return before, nil
}

// symbolIsCovered reports whether the cache knows coverage of the series. Then the symbol is known, and no catalog is
// queried.
func (t *task) symbolIsCovered() bool {
	s := t.query.call.Store
	if s == nil || s.Cache == nil {
		return false
	}

	state, ok := s.Cache.LocalState(t.query.key(), t.query.request.MaxStale)

	return ok && len(state.Coverage) > 0
}

// maxPlanAttempts bounds how often a request is planned when the data changes while it is read.
const maxPlanAttempts = 3

// runWithRetry is run, repeated when the data changes meanwhile.
func (t *task) runWithRetry(ctx context.Context) (domain.Result, error) {
	for attempt := 1; ; attempt++ {
		result, err := t.run(ctx)
		if attempt == maxPlanAttempts || !errors.Is(err, access.ErrStateChanged) {
			return result, err
		}

		t = t.restart()
	}
}

// run answers the request.
func (t *task) run(ctx context.Context) (domain.Result, error) {
	bars, err := t.readBars(ctx)
	if err != nil {
		return domain.Result{}, err
	}

	t.result.record(bars, t.route.legs)
	result := t.finish()
	result.Series = bars

	if err := t.checkPages(ctx, &result); err != nil {
		return domain.Result{}, err
	}

	return result, nil
}

// readBars routes the request and reads its bars. Coverage is read before the bars, because a write between the two
// then leaves bars that look uncovered, and never coverage without its bars.
func (t *task) readBars(ctx context.Context) (domain.Series, error) {
	narrowed, err := t.chooseRoute(ctx)
	if err != nil {
		return domain.Series{}, err
	}

	bars, err := t.read(ctx)
	if err != nil || !narrowed || bars.Len() == t.query.request.Last {
		return bars, err
	}

	t.result = result{storeReads: t.result.storeReads} // the narrowed range has too few bars; there may be more before it
	if err := t.choosePlannedRoute(ctx); err != nil {
		return domain.Series{}, err
	}

	return t.read(ctx)
}

// finish returns the Result without its bars.
func (t *task) finish() domain.Result {
	q, a, w := &t.query, &t.result, &t.route.window
	r := w.resultRange(a.returned, a.bars, q.request.First, q.request.Last)
	uncovered := w.uncovered(r, t.route.covered)
	result := domain.Result{
		Series:     q.empty(),
		Range:      r,
		Clamped:    w.clamped,
		Uncovered:  uncovered,
		Inferred:   t.route.inferred(r),
		Filled:     a.filled,
		Quality:    a.report,
		Provenance: a.provenance(r, q.grid(), t.servedFromCache),
		Now:        q.now,
		Next:       w.next(r, uncovered, a.returned),
		StaleFor:   a.staleFor,
	}
	result.Quality.Policy = q.request.Quality
	a.reportUnreadable(&result, q.grid())

	return result
}

// servedFromCache reports whether no store was queried for the bars of the origin.
func (t *task) servedFromCache(o domain.Origin) bool {
	return o.Ticks == "" && t.provider.stores.ByName(o.Store).Cache != nil &&
		!slices.ContainsFunc(t.result.storeReads, func(r plan.Read) bool {
			return r.Source == o.Store && !r.Range.Intersect(o.Range).Empty()
		})
}
