package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	sizes   sizes
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
	f, err := p.newFetch("fetch", r, p.clock.Now())
	if err == nil {
		err = f.refuseSlots()
	}
	if err != nil {
		return domain.Result{}, err
	}

	f.bound(ctx, p.stores)
	if !f.claimed() {
		if _, err := p.symbols.known(ctx, &f.caller, f.symbol[:]); err != nil {
			return domain.Result{}, err
		}
	}

	return f.settled(ctx)
}

// claimed reports whether something of the series is known to be claimed, which only is where its symbol is known.
func (f *fetch) claimed() bool {
	if f.routed < 0 || f.store.Cache == nil {
		return false
	}

	f.near, _ = f.store.Cache.LocalExtents(f.request.Key.Symbol)
	return slices.ContainsFunc(f.near, func(e domain.Extent) bool { return e.Key == f.request.Key && !e.Inferred })
}

// triesOfMoved is how often a request is answered anew because what is held changed meanwhile.
const triesOfMoved = 3

// settled is run, as often as what is held changes meanwhile, within reason.
func (f *fetch) settled(ctx context.Context) (domain.Result, error) {
	for try := 1; ; try++ {
		result, err := f.run(ctx)
		if try == triesOfMoved || !errors.Is(err, errMoved) {
			return result, err
		}
		if f, err = f.anew(); err != nil {
			return domain.Result{}, err
		}
	}
}

// anew is the same request, nothing of it done, nor known what is held.
func (f *fetch) anew() (*fetch, error) {
	again := f.like(f.request)
	again.own.over(f.stores, again.symbol[:])
	again.held = &again.own
	if err := again.prepare(); err != nil {
		return nil, refusal(f.op, f.subject.String(), err)
	}

	return again, nil
}

// like is another request of the same caller, for the same instant, nothing of it done.
func (f *fetch) like(r domain.DataRequest) *fetch {
	other := &fetch{caller: f.caller, request: r, symbol: f.symbol, now: f.now, stores: f.stores, held: f.held, sizes: f.sizes}
	other.subject = &other.request.Key
	return other
}

// fetch is one request for bars on its way.
type fetch struct {
	caller
	window[domain.Grid]
	request domain.DataRequest
	symbol  [1]domain.Symbol // of the request
	now     time.Time
	sizes   sizes
	routed  int // the store that routing by frequency names; -1 is none
	stores  stores
	held    *held
	own     held // where no other request shares it

	legs    []plan.Leg     // the plan
	covered []domain.Range // what its legs answer: ascending, disjoint

	report   domain.QualityReport
	filled   []domain.Range  // by the fill policy: ascending, disjoint
	returned domain.Range    // of the bars that are returned
	bars     int             // that are returned
	served   []domain.Origin // for each read of the plan, the bars of it that are returned

	near      []domain.Extent // of the store that routing names, where its cache had them at the beginning
	fromStore []plan.Read     // what was read from stores that have a cache

	query  ports.BarQuery // under way
	answer gathering[ports.CachedBars]

	room struct { // for the plan that most requests have
		leg     [1]plan.Leg
		read    [1]plan.Read
		covered [1]domain.Range
		near    [1]ports.CachedBars
		kept    [1]domain.Series
	}
}

// newFetch does what costs no input or output: it refuses what breaks a rule or a limit, and clamps the range to now.
func (p *Provider) newFetch(op string, r domain.DataRequest, now time.Time) (*fetch, error) {
	if err := r.Validate(); err != nil {
		return nil, refusal(op, "", err)
	}

	f := &fetch{request: r, symbol: [1]domain.Symbol{r.Key.Symbol}, now: now.UTC(), stores: p.stores, sizes: p.sizes}
	f.caller = caller{op: op, subject: &f.request.Key, cfg: p.cfg}
	f.own.over(p.stores, f.symbol[:])
	f.held = &f.own
	if err := f.prepare(); err != nil {
		return nil, refusal(op, f.subject.String(), err)
	}

	return f, nil
}

// refuseSlots refuses, before any input or output, a range that is known to have room for too many bars.
func (f *fetch) refuseSlots() error {
	if f.request.Start.IsZero() || f.openEnded {
		return nil
	}
	if err := f.holdToSlots(f.within); err != nil {
		return refusal(f.op, f.subject.String(), err)
	}

	return nil
}

// before is a request of the same kind for the last bar before t, of the same instant and the same held data.
func (f *fetch) before(t time.Time) (*fetch, error) {
	r := domain.DataRequest{Key: f.request.Key, End: t, Last: 1, Quality: f.request.Quality, Resample: f.request.Resample}
	b := f.like(r)
	return b, b.prepare()
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

	f.window, err = newWindow(r.Key.Grid, r.Start, r.End, f.now)
	return err
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
	bars, err := f.answered(ctx)
	if err != nil {
		return domain.Result{}, err
	}

	f.tally(bars)
	result := f.result()
	result.Series = bars
	return result, nil
}

// answered is the bars asked for.
func (f *fetch) answered(ctx context.Context) (domain.Series, error) {
	start := f.within.Start
	direct, err := f.direct(ctx)
	if err != nil {
		return domain.Series{}, err
	}

	if direct {
		bars, err := f.read(ctx)
		if err != nil || f.within.Start.Equal(start) || bars.Len() == f.request.Last {
			return bars, err
		}

		f.within.Start = start // there may be more further back
	}
	if err := f.plan(ctx); err != nil {
		return domain.Series{}, err
	}

	return f.read(ctx)
}

// direct makes the plan to read from the store that routing names, where one of its claims covers the request, as it does nearly
// always: no plan is better, so no other store is asked. Where the claim covers only the end of a request for the last bars, the
// range begins with it, for a try.
func (f *fetch) direct(ctx context.Context) (bool, error) {
	all := f.edges.Align(f.within)
	if f.routed < 0 || f.request.Resample || all.Empty() || f.asked.IsZero() && f.request.Last == 0 {
		return false, nil
	}

	extents := f.near
	if extents == nil {
		var err error
		if extents, err = f.held.barsOf(ctx, &f.caller, f.routed, f.request.Key.Symbol); err != nil {
			return false, err
		}
	}

	for _, e := range extents {
		if e.Key != f.request.Key || e.Inferred || e.Range.End.Before(all.End) {
			continue
		}

		r := all
		if e.Range.Start.After(r.Start) {
			r.Start = f.edges.Ceil(e.Range.Start)
		}
		if r.Empty() || f.request.Last == 0 && r.Start.After(all.Start) {
			continue
		}

		f.room.read[0] = plan.Read{Source: f.store.Name, Range: r}
		f.room.leg[0] = plan.Leg{Range: r, Rows: plan.BarRows, Grid: f.edges, Reads: f.room.read[:]}
		f.room.covered[0] = r
		if r.Start.After(all.Start) {
			f.within.Start = r.Start
		}
		f.legs, f.covered = f.room.leg[:], f.room.covered[:]

		return true, nil
	}

	return false, nil
}

// wanted is the request as a planner takes it.
func (f *fetch) wanted() plan.Request {
	r := plan.Request{Key: f.request.Key, Range: f.within}
	if f.request.Resample {
		r.Exclude = plan.StoredBars
	}
	return r
}

// plan finds out, of all stores, where the bars come from, and with it where an open start is.
func (f *fetch) plan(ctx context.Context) error {
	f.legs, f.covered, f.report, f.filled = nil, nil, domain.QualityReport{}, nil
	if !f.within.Empty() {
		p, err := f.held.planned(ctx, &f.caller, f.wanted(),
			plan.Limits{Legs: plan.DefaultMaxLegs}, f.asked.IsZero())
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
	if err := f.holdToSlots(f.reach()); err != nil {
		return refusal(f.op, f.subject.String(), err)
	}

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

// tally counts bars that are returned, ascending from one call to the next.
func (f *fetch) tally(bars domain.Series) {
	if f.served == nil && len(f.legs) > 0 {
		f.served = make([]domain.Origin, 0, len(f.legs))
		for _, l := range f.legs {
			for _, read := range l.Reads {
				f.served = append(f.served, domain.Origin{Store: read.Source, Grid: l.Grid, Ticks: ticksOf(l.Rows), Range: read.Range})
			}
		}
	}
	if bars.Len() == 0 {
		return
	}

	r := bars.Range()
	if f.bars == 0 {
		f.returned = r
	}
	f.returned.End = r.End
	f.bars += bars.Len()
	for i := range f.served {
		f.served[i].Bars += bars.Clip(f.served[i].Range).Len()
	}
}

// result is the answer without its bars.
func (f *fetch) result() domain.Result {
	r := f.cut(f.returned, f.bars, f.request.First, f.request.Last)
	uncovered := f.uncovered(r, f.covered)
	result := domain.Result{
		Series: domain.EmptySeries(f.request.Key), Range: r, Clamped: f.clamped, Uncovered: uncovered, Filled: f.filled,
		Quality: f.report, Now: f.now, Next: f.next(r, uncovered, f.returned),
	}
	result.Quality.Policy = f.request.Quality

	whole := f.edges.Align(r) // Where bars are resampled, the last one is made of rows up to its own end.
	for _, leg := range f.served {
		part := whole
		if leg.Grid == f.edges {
			part = r
		}
		if leg.Range = leg.Range.Intersect(part); !leg.Range.Empty() {
			leg.Cached = f.cached(leg)
			if result.Provenance == nil {
				result.Provenance = f.served[:0]
			}
			result.Provenance = append(result.Provenance, leg)
		}
	}

	return result
}

// cached reports whether no store was asked for the bars of the leg.
func (f *fetch) cached(l domain.Origin) bool {
	return l.Ticks == "" && f.stores.named(l.Store).Cache != nil && !slices.ContainsFunc(f.fromStore, func(r plan.Read) bool {
		return r.Source == l.Store && !r.Range.Intersect(l.Range).Empty()
	})
}

// ticksOf is the kind of tick that a leg reads; none for bars.
func ticksOf(from plan.RowKind) domain.TickKind {
	switch from {
	case plan.TradeRows:
		return domain.TickTrades
	case plan.QuoteRows:
		return domain.TickQuotes
	}
	return ""
}
