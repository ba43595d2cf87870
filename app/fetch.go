package app

import (
	"context"
	"fmt"
	"time"

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

// Fetch returns the bars asked for: exact, judged, and closed at Result.Now; what nobody holds is in Result.Uncovered.
//
// The kinds of its errors: ErrInvalid and ErrTooLarge (by more grid slots, or a larger First or Last, than the limits allow)
// before any input or output, except that the slots of a range with an open end are counted up to the last one held; ErrNotFound
// for a symbol that no catalog knows, with near names; ErrTooLarge for more bars than Config.MaxBars; ErrCorruptData for a bar
// that breaks a fatal rule, under domain.QualityFail; ErrTimeout, which says whose deadline passed; ErrCanceled; ErrInternal for a
// store that panics or breaks its contract; and what the store reports. It returns within 50 ms of ctx being done.
func (p *Provider) Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error) {
	if err := r.Validate(); err != nil {
		return domain.Result{}, refusal("fetch", "", err)
	}
	f := &fetch{request: r, symbol: []domain.Symbol{r.Key.Symbol}, now: p.clock.Now().UTC()}
	f.caller = caller{op: "fetch", subject: &f.request.Key, cfg: p.cfg}
	if err := f.prepare(p.stores); err != nil {
		return domain.Result{}, refusal(f.op, f.subject.String(), err)
	}
	ctx, cancel := f.bounded(ctx, p.stores)
	defer cancel()
	if _, err := p.symbols.known(ctx, &f.caller, f.symbol); err != nil {
		return domain.Result{}, err
	}
	return f.run(ctx)
}

// fetch is one request for bars on its way.
type fetch struct {
	caller
	window[domain.Grid]
	request domain.DataRequest
	symbol  []domain.Symbol // of the request
	room    [1]domain.Range // for the only claim that most series have
	now     time.Time
	answer  gathering[domain.Series]
}

// prepare does what costs no input or output: it refuses what breaks a limit, finds the store, and clamps the range to now.
func (f *fetch) prepare(all stores) (err error) {
	r := &f.request
	if err := f.cfg.holdToRows(max(r.First, r.Last)); err != nil {
		return err
	}
	if f.store, err = all.ofBars(r.Key.Grid); err != nil {
		return err
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

// run answers the request. The claims are read before the bars: a write between the two then leaves bars that look unclaimed,
// never a claim whose bars are missing.
func (f *fetch) run(ctx context.Context) (domain.Result, error) {
	claimed, err := f.claims(ctx)
	if err != nil {
		return domain.Result{}, err
	}
	f.begin(claimed)
	if err := f.holdToSlots(f.reach(claimed)); err != nil {
		return domain.Result{}, refusal(f.op, f.subject.String(), err)
	}
	bars := domain.EmptySeries(f.request.Key)
	if !f.within.Empty() {
		if bars, err = f.read(ctx); err != nil {
			return domain.Result{}, err
		}
	}
	result := domain.Result{Clamped: f.clamped, Now: f.now}
	if result.Series, result.Quality, err = f.judge(bars); err != nil {
		return domain.Result{}, err
	}
	returned := result.Series.Range()
	result.Range = f.cut(returned, result.Series.Len(), f.request.First, f.request.Last)
	result.Uncovered = f.uncovered(result.Range, claimed)
	result.Next = f.next(result.Range, result.Uncovered, returned)
	if !f.within.Empty() {
		result.Provenance = []domain.Leg{
			{Store: f.store.Name, Grid: f.edges, Range: result.Range, Bars: result.Series.Len()},
		}
	}
	return result, nil
}

// claims reads which open times of the series the store claims to hold: ascending, disjoint. What it assumes counts as held.
func (f *fetch) claims(ctx context.Context) ([]domain.Range, error) {
	extents, err := call(ctx, &f.caller, barExtents, f.symbol)
	if err != nil {
		return nil, err
	}
	ranges := f.room[:0]
	for _, e := range extents {
		if r := f.edges.Align(e.Range); e.Key == f.request.Key && !r.Empty() {
			ranges = append(ranges, r)
		}
	}
	if len(ranges) < 2 {
		return ranges, nil
	}
	return domain.MergeRanges(ranges), nil
}

// reach is the range that the limit of slots is held to: with an open end, up to the last that is held.
func (f *fetch) reach(claimed []domain.Range) domain.Range {
	r := f.within
	if !f.openEnded {
		return r
	}
	last := r.Start
	if n := len(claimed); n > 0 {
		last = claimed[n-1].End
	}
	if last.Before(r.End) {
		r.End = last
	}
	return r
}

// judge applies the quality policy to what was read.
func (f *fetch) judge(bars domain.Series) (domain.Series, domain.QualityReport, error) {
	verdict := domain.NewJudge(f.within, f.now).Check(bars)
	report := domain.QualityReport{Policy: f.request.Quality, Bars: verdict.Bars, Findings: verdict.Findings}
	switch f.request.Quality {
	case domain.QualityFail:
		if err := verdict.Err(f.request.Key); err != nil {
			return domain.Series{}, domain.QualityReport{}, f.fault(ports.ErrCorruptData, fmt.Errorf(
				"%w; %d of %d bars break a fatal rule; ask with quality drop or flag, or write the bars anew", err,
				len(verdict.Fatal), verdict.Bars))
		}
	case domain.QualityDrop:
		for _, i := range verdict.Fatal {
			report.Dropped = append(report.Dropped, bars.OpenTime(i))
		}
		bars = bars.Without(verdict.Fatal)
	}
	return bars, report, nil
}
