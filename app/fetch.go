package app

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Provider answers requests for bars, trades and quotes.
type Provider struct {
	stores  stores
	symbols *lookup
	clock   ports.Clock
	cfg     *Config // with defaults
}

var _ ports.HistoricalDataProvider = (*Provider)(nil)

// Fetch returns the bars asked for: exact, judged, and closed at Result.Now; what nobody holds is in Result.Uncovered. They come
// from whichever stores hold them, and are made of finer bars, or of trades or quotes, where they are not stored: package plan says
// how that is chosen. What is judged is what was read: under domain.QualityDrop a fatal fine bar is left out of the bar that it is
// a part of, and named by its own open time.
//
// The kinds of its errors: ErrInvalid and ErrTooLarge (by more grid slots, or a larger First or Last, than the limits allow)
// before any input or output, except that the slots of a range with an open end are counted up to the last one held; ErrNotFound
// for a symbol that no catalog knows, with near names; ErrTooLarge for more bars than Config.MaxBars, for a plan of more than
// plan.DefaultMaxLegs reads, and for a sum that no Decimal holds; ErrCorruptData for a bar that breaks a fatal rule, under
// domain.QualityFail; ErrTimeout, which says whose deadline passed; ErrCanceled; ErrInternal for a store that panics or breaks its
// contract; and what the stores report. It returns within 50 ms of ctx being done.
func (p *Provider) Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error) {
	f, err := p.newFetch("fetch", r)
	if err != nil {
		return domain.Result{}, err
	}
	ctx, cancel := f.bounded(ctx, p.stores)
	defer cancel()
	if _, err := p.symbols.known(ctx, &f.caller, f.symbol[:]); err != nil {
		return domain.Result{}, err
	}
	return f.run(ctx)
}

// fetch is one request for bars on its way.
type fetch struct {
	caller
	window[domain.Grid]
	request domain.DataRequest
	symbol  [1]domain.Symbol // of the request
	now     time.Time
	routed  int // the store that routing by frequency names; -1 is none
	stores  stores
	held    *held
	own     held // where no other request shares it

	legs    []plan.Leg     // the plan
	covered []domain.Range // what its legs answer: ascending, disjoint
	report  domain.QualityReport

	query  ports.BarQuery // under way
	answer gathering[domain.Series]

	room struct { // for the plan that most requests have
		leg     [1]plan.Leg
		read    [1]plan.Read
		covered [1]domain.Range
	}
}

// newFetch does what costs no input or output: it refuses what breaks a rule or a limit, and clamps the range to now.
func (p *Provider) newFetch(op string, r domain.DataRequest) (*fetch, error) {
	if err := r.Validate(); err != nil {
		return nil, refusal(op, "", err)
	}
	f := &fetch{request: r, symbol: [1]domain.Symbol{r.Key.Symbol}, now: p.clock.Now().UTC(), stores: p.stores}
	f.caller = caller{op: op, subject: &f.request.Key, cfg: p.cfg}
	f.own = newHeld(p.stores, f.symbol[:])
	f.held = &f.own
	f.report.Policy = r.Quality
	if err := f.prepare(); err != nil {
		return nil, refusal(op, f.subject.String(), err)
	}
	return f, nil
}

func (f *fetch) prepare() (err error) {
	r := &f.request
	if err := f.cfg.holdToRows(max(r.First, r.Last)); err != nil {
		return err
	}
	if err := f.stores.makes(r.Key.Grid); err != nil {
		return err
	}
	f.routed = -1
	for i, s := range f.stores {
		if s.Bars != nil && s.Takes.Contain(r.Key.Grid.Frequency()) {
			f.routed, f.store = i, s
			break
		}
	}
	if f.window, err = newWindow(r.Key.Grid, r.Start, r.End, f.now); err != nil {
		return err
	}
	if !r.Start.IsZero() && !f.openEnded {
		return f.holdToSlots(f.within)
	}
	return nil
}

// holdToSlots refuses a range with room for more bars than the limit, unless only a few of them are wanted.
func (f *fetch) holdToSlots(r domain.Range) error {
	limit := *f.cfg.MaxSlots
	if limit == 0 || f.few() {
		return nil
	}
	if slots := f.edges.Slots(r); slots > limit {
		return fmt.Errorf("%s has room for %d bars, at most %d may be asked for (max_slots); "+
			"ask for a shorter range or a lower frequency: %w", r, slots, limit, ports.ErrTooLarge)
	}
	return nil
}

// few reports whether only the first or last few bars are wanted.
func (f *fetch) few() bool { return f.request.First > 0 || f.request.Last > 0 }

// run answers the request. What is held is read before the bars: a write between the two then leaves bars that look unheld, never
// a claim whose bars are missing.
func (f *fetch) run(ctx context.Context) (domain.Result, error) {
	bars, done, err := f.direct(ctx)
	if err == nil && !done {
		bars, err = f.wide(ctx)
	}
	if err != nil {
		return domain.Result{}, err
	}
	return f.result(bars), nil
}

// direct answers from the store that routing names, where one of its claims covers the request, as it does nearly always: no plan
// is better, so no other store is asked. Of a request for the last bars it covers the end.
func (f *fetch) direct(ctx context.Context) (bars domain.Series, done bool, err error) {
	whole := f.edges.Align(f.within)
	if f.routed < 0 || whole.Empty() || f.asked.IsZero() && f.request.Last == 0 {
		return domain.Series{}, false, nil
	}
	extents, err := f.held.barsOf(ctx, &f.caller, f.routed, f.request.Key.Symbol)
	if err != nil {
		return domain.Series{}, false, err
	}
	for _, e := range extents {
		if e.Key != f.request.Key || e.Assumed || !whole.Start.Before(e.Range.End) || e.Range.End.Before(whole.End) {
			continue
		}
		r := whole
		if e.Range.Start.After(r.Start) {
			if f.request.Last == 0 {
				continue
			}
			r.Start = f.edges.Ceil(e.Range.Start)
		}
		if r.Empty() {
			continue
		}
		f.room.read[0] = plan.Read{Source: f.store.Name, Range: r}
		f.room.leg[0] = plan.Leg{Range: r, From: plan.FromBars, Grid: f.edges, Reads: f.room.read[:]}
		f.room.covered[0] = r
		f.legs, f.covered = f.room.leg[:], f.room.covered[:]
		bars, err = f.read(ctx)
		return bars, bars.Len() == f.request.Last || r.Equal(whole) && !f.asked.IsZero(), err
	}
	return domain.Series{}, false, nil
}

// wide answers from all stores.
func (f *fetch) wide(ctx context.Context) (domain.Series, error) {
	if err := f.plan(ctx); err != nil {
		return domain.Series{}, err
	}
	if err := f.holdToSlots(f.reach()); err != nil {
		return domain.Series{}, refusal(f.op, f.subject.String(), err)
	}
	return f.read(ctx)
}

// plan finds out where the bars come from, and with it where an open start is.
func (f *fetch) plan(ctx context.Context) error {
	f.legs, f.covered, f.report = nil, nil, domain.QualityReport{Policy: f.request.Quality}
	if !f.within.Empty() {
		p, err := f.held.planned(ctx, &f.caller, f.request.Key, f.within, f.asked.IsZero())
		if err != nil {
			return err
		}
		f.legs = p.Legs
	}
	for _, l := range f.legs {
		f.covered = append(f.covered, l.Range)
	}
	f.covered = domain.MergeRanges(f.covered)
	f.begin(f.covered)
	return nil
}

// reach is the range that the limit of slots is held to: with an open end, up to the last that is held.
func (f *fetch) reach() domain.Range {
	r := f.within
	if !f.openEnded {
		return r
	}
	last := r.Start
	if n := len(f.covered); n > 0 {
		last = f.covered[n-1].End
	}
	if last.Before(r.End) {
		r.End = last
	}
	return r
}

// result is the answer of these bars.
func (f *fetch) result(bars domain.Series) domain.Result {
	returned := bars.Range()
	r := f.cut(returned, bars.Len(), f.request.First, f.request.Last)
	uncovered := f.uncovered(r, f.covered)
	return domain.Result{
		Series: bars, Range: r, Clamped: f.clamped, Uncovered: uncovered, Quality: f.report,
		Provenance: f.provenance(bars, r), Now: f.now, Next: f.next(r, uncovered, returned),
	}
}

// provenance is a Leg for each read of the plan that took part in the answer.
func (f *fetch) provenance(bars domain.Series, r domain.Range) []domain.Leg {
	var legs []domain.Leg
	for _, l := range f.legs {
		for _, read := range l.Reads {
			part := read.Range.Intersect(r)
			if part.Empty() {
				continue
			}
			if legs == nil {
				legs = make([]domain.Leg, 0, len(f.legs))
			}
			legs = append(legs, domain.Leg{
				Store: read.Source, Grid: l.Grid, Ticks: ticksOf(l.From), Range: part, Bars: bars.Within(part).Len(),
			})
		}
	}
	return legs
}

// ticksOf is the kind of tick that a leg reads; none for bars.
func ticksOf(from plan.From) domain.TickKind {
	switch from {
	case plan.FromTrades:
		return domain.TickTrades
	case plan.FromQuotes:
		return domain.TickQuotes
	}
	return ""
}
