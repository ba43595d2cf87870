package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Provider answers requests for bars.
type Provider struct {
	source  Source
	symbols ports.SymbolCatalog
	clock   ports.Clock
	cfg     Config
}

var _ ports.HistoricalDataProvider = (*Provider)(nil)

// NewProvider returns a Provider of the store's bars, of the symbols that the catalog knows, as far as the clock lets them be
// seen. It refuses a Config that Validate refuses.
func NewProvider(source Source, symbols ports.SymbolCatalog, clock ports.Clock, cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Provider{source: source, symbols: symbols, clock: clock, cfg: cfg.WithDefaults()}, nil
}

// Fetch returns the bars asked for: exact, judged, and closed at Result.Now; what nobody holds is in Result.Uncovered.
//
// The kinds of its errors: ErrInvalid and ErrTooLarge (by more grid slots, or a larger First or Last, than the limits allow)
// before any input or output; ErrNotFound for a symbol that the catalog does not know, with near names; ErrTooLarge for more bars
// than Config.MaxBars; ErrCorruptData for a bar that breaks a fatal rule, under domain.QualityFail; ErrTimeout, which says whose
// deadline passed; ErrCanceled; ErrInternal for a store that panics or breaks its contract; and what the store reports. It returns
// within 50 ms of ctx being done.
func (p *Provider) Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error) {
	if err := p.validate(r); err != nil {
		return domain.Result{}, err
	}
	f := fetch{
		caller: caller{op: "fetch", source: p.source.Name, subject: r.Key.String(), cfg: p.cfg},
		store:  p.source.Store, request: r, now: p.clock.Now().UTC(),
	}
	if err := f.clamp(); err != nil {
		return domain.Result{}, err
	}
	ctx, cancel := f.bounded(ctx)
	defer cancel()
	if err := f.known(ctx, p.symbols); err != nil {
		return domain.Result{}, err
	}
	return f.run(ctx)
}

// validate refuses what costs no look at the clock.
func (p *Provider) validate(r domain.DataRequest) error {
	if err := r.Validate(); err != nil {
		return refusal("fetch", "", err)
	}
	if n, limit := max(r.First, r.Last), *p.cfg.MaxBars; limit > 0 && n > limit {
		return refusal("fetch", r.Key.String(), fmt.Errorf(
			"%d bars asked for, at most %d are returned (max_bars); ask for fewer at a time: %w", n, limit, ports.ErrTooLarge))
	}
	return nil
}

// fetch is one request on its way.
type fetch struct {
	caller
	store   ports.Store
	request domain.DataRequest
	now     time.Time
	within  domain.Range // what is asked for, not beyond now; Start is zero until it is known
	clamped bool
}

// clamp sets the range: no bar that ends after now opens in it.
func (f *fetch) clamp() error {
	closed := f.request.Key.Grid.Floor(f.now) // a bar that opens here or later is not over
	start, end := f.request.Start, closed
	switch {
	case f.request.End.IsZero():
	case f.request.End.After(closed):
		f.clamped = true
	default:
		end = f.request.End
	}
	if start.After(end) {
		f.clamped = f.clamped || start.After(closed)
		start = end
	}
	var err error
	if f.within, err = domain.NewRange(start, end); err != nil {
		return refusal(f.op, f.subject, err)
	}
	if f.within.Start.IsZero() {
		return nil
	}
	return f.holdToSlots()
}

// holdToSlots refuses a range with room for more bars than the limit, unless only a few of them are wanted.
func (f *fetch) holdToSlots() error {
	limit := *f.cfg.MaxSlots
	if limit == 0 || f.limited() {
		return nil
	}
	if slots := f.request.Key.Grid.Slots(f.within); slots > limit {
		return refusal(f.op, f.subject, fmt.Errorf("%s has room for %d bars, at most %d may be asked for (max_slots); "+
			"ask for a shorter range or a lower frequency: %w", f.within, slots, limit, ports.ErrTooLarge))
	}
	return nil
}

// limited reports whether only the first or last few bars are wanted.
func (f *fetch) limited() bool { return f.request.First > 0 || f.request.Last > 0 }

// run answers the request. The claims are read before the bars: a write between the two then leaves bars that look unclaimed,
// never a claim whose bars are missing.
func (f *fetch) run(ctx context.Context) (domain.Result, error) {
	claimed, err := f.claims(ctx)
	if err != nil {
		return domain.Result{}, err
	}
	held := true
	if f.within.Start.IsZero() {
		if held = len(claimed) > 0 && claimed[0].Start.Before(f.within.End); held {
			f.within.Start = claimed[0].Start
		} else {
			f.within.Start = f.within.End
		}
		if err := f.holdToSlots(); err != nil {
			return domain.Result{}, err
		}
	}
	bars := domain.EmptySeries(f.request.Key)
	if !f.within.Empty() {
		if bars, err = f.read(ctx); err != nil {
			return domain.Result{}, err
		}
	}
	result := domain.Result{Clamped: f.clamped, Now: f.now}
	if result.Series, result.Range, result.Quality, err = f.judge(bars); err != nil {
		return domain.Result{}, err
	}
	result.Uncovered = uncovered(f.request.Key.Grid, result.Range, claimed)
	if held {
		result.Next = f.next(result)
	}
	if !f.within.Empty() {
		result.Provenance = []domain.Leg{
			{Store: f.source, Grid: f.request.Key.Grid, Range: result.Range, Bars: result.Series.Len()},
		}
	}
	return result, nil
}

// claims reads which open times of the series the store claims to hold: ascending, disjoint. What it assumes counts as held.
func (f *fetch) claims(ctx context.Context) ([]domain.Range, error) {
	key := f.request.Key
	extents, err := call(ctx, f.caller, func(ctx context.Context) ([]domain.Extent, error) {
		return f.store.Extents(ctx, key.Symbol)
	})
	if err != nil {
		return nil, err
	}
	var ranges []domain.Range
	for _, e := range extents {
		if e.Key == key {
			ranges = append(ranges, key.Grid.Align(e.Range))
		}
	}
	return domain.MergeRanges(ranges), nil
}

// uncovered is the parts of r in which a bar can open and none of the claims reaches.
func uncovered(g domain.Grid, r domain.Range, claimed []domain.Range) []domain.Range {
	parts := g.Align(r).Subtract(claimed)
	for i := range parts {
		parts[i] = parts[i].Intersect(r)
	}
	return parts
}

// next is the open time to go on from: the end of the range, or where the part at its end begins that nobody holds. A bar that
// was returned is held, so who goes on from there gets no bar twice.
func (f *fetch) next(r domain.Result) time.Time {
	g := f.request.Key.Grid
	if f.request.Start.After(r.Range.End) {
		return g.Ceil(f.request.Start) // it begins after now
	}
	next := g.Ceil(r.Range.End)
	if n := len(r.Uncovered); n > 0 && r.Uncovered[n-1].End.Equal(r.Range.End) {
		next = g.Ceil(r.Uncovered[n-1].Start)
		if end := r.Series.Range().End; r.Series.Len() > 0 && end.After(next) {
			next = end
		}
	}
	return next
}

// judge applies the quality policy to what was read, and cuts the range to the bars that First or Last kept.
func (f *fetch) judge(bars domain.Series) (domain.Series, domain.Range, domain.QualityReport, error) {
	verdict := domain.NewJudge(f.within, f.now).Check(bars)
	report := domain.QualityReport{Policy: f.request.Quality, Bars: verdict.Bars, Findings: verdict.Findings}
	switch f.request.Quality {
	case domain.QualityFail:
		if err := verdict.Err(f.request.Key); err != nil {
			return domain.Series{}, domain.Range{}, domain.QualityReport{}, f.fault(ports.ErrCorruptData, fmt.Errorf(
				"%w; %d of %d bars break a fatal rule; ask with quality drop or flag, or write the bars anew", err,
				len(verdict.Fatal), verdict.Bars))
		}
	case domain.QualityDrop:
		for _, i := range verdict.Fatal {
			report.Dropped = append(report.Dropped, bars.OpenTime(i))
		}
		bars = bars.Without(verdict.Fatal)
	}
	cut := f.within
	switch bars.Len() {
	case 0:
	case f.request.First:
		if end := bars.Range().End; end.Before(cut.End) {
			cut.End = end
		}
	case f.request.Last:
		cut.Start = bars.OpenTime(0)
	}
	return bars, cut, report, nil
}

// known makes sure that the catalog knows the symbol.
func (f *fetch) known(ctx context.Context, catalog ports.SymbolCatalog) error {
	symbol := f.request.Key.Symbol
	metas, err := call(ctx, f.caller, func(ctx context.Context) ([]domain.SymbolMeta, error) {
		return catalog.Symbols(ctx, ports.SymbolQuery{Symbols: []domain.Symbol{symbol}})
	})
	if err != nil {
		return err
	}
	if slices.ContainsFunc(metas, func(m domain.SymbolMeta) bool { return m.Symbol == symbol }) {
		return nil
	}
	text := fmt.Sprintf("symbol %q is not known", string(symbol))
	near, err := f.near(ctx, catalog)
	switch {
	case err != nil:
		text += "; near names could not be read"
	case near == "":
		text += ", nor is one like it; import its bars first"
	default:
		text += "; did you mean " + near + "?"
	}
	return f.fault(ports.ErrNotFound, errors.New(text))
}
