package query

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/symbols"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Limits bound requests and their results.
type Limits struct {
	MaxBars  int   // bars, filled ones too, trades or quotes that one call returns; 0 is no limit
	MaxSlots int64 // bars that could open in a requested range, stored or not; 0 is no limit
	MaxReads int   // queries of stores that one plan makes; 0 is no limit
	Steps    StepSizes
}

// StepSizes bound the work done at a time. Each is at least 1.
type StepSizes struct {
	Derived int // rows that Fetch reads at a time where bars are made of them, because such rows are not kept
	Stream  int // rows that Stream reads at a time, and about the number of bars in its pieces
	Fill    int // about the number of slots filled at a time
}

// checkRows refuses a First or Last above the limit.
func (l Limits) checkRows(n int) error {
	if l.MaxBars > 0 && n > l.MaxBars {
		return fmt.Errorf("%d requested, at most %d are returned (max_bars); request fewer at a time: %w",
			n, l.MaxBars, ports.ErrTooLarge)
	}

	return nil
}

// Provider answers requests for bars, trades and quotes. It is safe for concurrent use.
type Provider struct {
	stores   access.Stores
	symbols  *symbols.Resolver
	clock    ports.Clock
	settings *access.Settings
	limits   Limits
}

var (
	_ ports.HistoricalDataProvider = (*Provider)(nil)
	_ ports.Explainer              = (*Provider)(nil)
)

// New returns a Provider over the stores, as far as the clock lets their data be seen.
func New(
	stores access.Stores, resolver *symbols.Resolver, clock ports.Clock, settings *access.Settings, limits Limits,
) *Provider {
	return &Provider{stores: stores, symbols: resolver, clock: clock, settings: settings, limits: limits}
}

// DefaultStepSizes returns the step sizes that read at the full speed of every store and keep a stream within some 16
// MiB.
func DefaultStepSizes() StepSizes { return StepSizes{Derived: 65536, Stream: 8192, Fill: 8192} }

// Fetch returns the requested bars: exact, validated, and closed at Result.Now. Ranges that no store covers are in
// Result.Uncovered. Bars come from whichever stores cover them; where they are not stored they are resampled from finer
// bars or aggregated from trades or quotes, by the order in package plan. Rows are validated as they were read: under
// domain.QualityDrop a fatal finer bar is left out of the bar that it is part of, and reported by its own open time.
//
// Its errors by kind: ErrInvalid and ErrTooLarge (more slots, or a larger First or Last, than the limits allow) before
// any I/O, except that the slots of a range with an open end are counted up to the last covered one; ErrNotFound for a
// symbol that no catalog knows, with similar names; ErrTooLarge for more bars than Limits.MaxBars, for a plan of more
// than Limits.MaxReads reads, and for a sum that no Decimal holds; ErrCorruptData for a bar that breaks a fatal
// rule, under domain.QualityFail; ErrTimeout, which says whose deadline passed; ErrCanceled; ErrInternal for a store
// that panics or breaks its contract; and the errors of the stores. It returns within 50 ms of ctx being done.
func (p *Provider) Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error) {
	t, err := p.newTask("fetch", r, p.clock.Now())
	if err == nil {
		err = t.query.checkSlots(p.limits)
	}
	if err != nil {
		return domain.Result{}, err
	}

	t.query.call.SetDefaultDeadline(ctx, p.stores)
	if !t.symbolIsCovered() {
		if _, err := p.symbols.Resolve(ctx, &t.query.call, t.query.symbol[:]); err != nil {
			return domain.Result{}, err
		}
	}

	return t.runWithRetry(ctx)
}
