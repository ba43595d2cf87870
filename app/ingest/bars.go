package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/symbols"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Ingester writes the rows that Fetch, FetchTrades and FetchQuotes would return, and refuses others before any I/O. It
// is safe for concurrent use.
type Ingester struct {
	stores   access.Stores
	symbols  *symbols.Resolver
	clock    ports.Clock
	settings *access.Settings
	settle   time.Duration
}

var _ ports.Ingestor = (*Ingester)(nil)

// New returns an Ingester over the stores. A row may be written once it has been closed for the settle time.
func New(
	stores access.Stores, resolver *symbols.Resolver, clock ports.Clock, settings *access.Settings, settle time.Duration,
) *Ingester {
	return &Ingester{stores: stores, symbols: resolver, clock: clock, settings: settings, settle: settle}
}

// Ingest writes the bars and declares that coverage, which must contain them, is complete: where it has no bar, nothing
// traded. A zero coverage is the range from the first bar to the end of the last. Both ends of the coverage are moved
// up to an edge of the grid. The batch is refused as a whole where a bar breaks a fatal quality rule, and with
// ErrNotClosed where the coverage ends later than the clock's now less the settle time; a *ports.NotClosedError says
// when to write again. After an error of the store the same batch may be ingested again.
func (i *Ingester) Ingest(ctx context.Context, bars domain.Series, coverage domain.Range) (ports.WriteReport, error) {
	if coverage == (domain.Range{}) {
		coverage = bars.Range()
	}

	return i.writeBars(ctx, barWrite{
		op: "ingest", bars: bars, coverage: coverage, check: true, write: ports.Store.WriteBars,
	})
}

// Replace puts the bars in the place of everything their key has in r, and declares r complete. An empty Series of the
// key deletes the bars of r and its coverage. Both ends of r are moved up to an edge of the grid. It refuses the same
// bars as Ingest; a deletion may reach beyond now.
func (i *Ingester) Replace(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return i.writeBars(ctx, barWrite{
		op: "replace", bars: bars, coverage: r, check: bars.Len() > 0, write: ports.Store.ReplaceBars,
	})
}

// barWrite is one write of bars.
type barWrite struct {
	op       string
	bars     domain.Series
	coverage domain.Range
	check    bool // the bars; a deletion has none
	write    func(ports.Store, context.Context, domain.Series, domain.Range) (ports.WriteReport, error)
}

func (i *Ingester) writeBars(ctx context.Context, w barWrite) (ports.WriteReport, error) {
	key := w.bars.Key()
	if err := key.Validate(); err != nil {
		return ports.WriteReport{}, access.Refusal(w.op, "", err)
	}

	call := &access.Call{Op: w.op, Subject: key, Settings: i.settings, Store: i.stores.ForGrid(key.Grid)}
	coverage, err := alignCoverage(key.Grid, w.coverage)
	if err == nil && w.check {
		err = i.checkBars(w.bars, coverage)
	}
	if err == nil && call.Store == nil {
		err = access.ErrNoGrid(key.Grid)
	}
	if err != nil {
		return ports.WriteReport{}, call.Refuse(err)
	}

	return i.write(ctx, call, key.Symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return w.write(call.Store.Bars, ctx, w.bars, coverage)
	})
}

// write makes the one call of the store, and invalidates the symbol whether it failed or not.
func (i *Ingester) write(
	ctx context.Context, call *access.Call, symbol domain.Symbol, write func(context.Context) (ports.WriteReport, error),
) (ports.WriteReport, error) {
	call.SetDefaultDeadline(ctx, i.stores)
	defer i.symbols.Invalidate(ctx, symbol)

	report, err := access.Do(ctx, call, func(ctx context.Context, _ *access.Store, _ struct{}) (ports.WriteReport, error) {
		return write(ctx)
	}, struct{}{})
	call.Store.Rows.Add(int64(report.Inserted + report.Changed + report.Unchanged))

	return report, err
}

// alignCoverage returns r with its ends on edges. It refuses a range in which no row can begin.
func alignCoverage(e access.Edges, r domain.Range) (domain.Range, error) {
	r, err := domain.NewRange(r.Start, r.End)
	if err != nil {
		return domain.Range{}, err
	}

	aligned := e.Align(r)
	if !aligned.Empty() {
		return aligned, nil
	}
	if g, bars := e.(domain.Grid); bars {
		return domain.Range{}, fmt.Errorf(
			"no bar of %s opens in %s; give bars, or a range with at least one edge of the grid: %w", g, r, ports.ErrInvalid)
	}

	return domain.Range{}, fmt.Errorf("%s is empty; give rows to write, or a range: %w", r, ports.ErrInvalid)
}

// checkBars refuses bars outside the coverage, bars that break a fatal rule, and coverage that is not closed yet.
func (i *Ingester) checkBars(bars domain.Series, coverage domain.Range) error {
	now := i.clock.Now()
	if err := i.checkClosed(bars.Key().Grid, bars.Range(), coverage, now); err != nil {
		return err
	}

	verdict := domain.NewValidator(coverage, now).Check(bars)
	if err := verdict.Err(bars.Key()); err != nil {
		return fmt.Errorf("%w: %d of %d bars break a fatal rule, the first: %w; nothing was written",
			ports.ErrInvalid, len(verdict.Fatal), bars.Len(), err)
	}

	return nil
}

// checkClosed refuses coverage that does not contain the rows, or that is not closed at now less the settle time.
func (i *Ingester) checkClosed(e access.Edges, rows, coverage domain.Range, now time.Time) error {
	if !coverage.Covers(rows) {
		return fmt.Errorf("the rows span %s, which the declared coverage %s does not contain; "+
			"declare at least the range of the rows: %w", rows, coverage, ports.ErrInvalid)
	}

	if latest := now.Add(-i.settle); coverage.End.After(latest) {
		return fmt.Errorf("the range ends at %s, but only rows that closed by %s may be written (now %s, settle time %s); "+
			"write up to %s, and the rest later: %w", access.FormatTime(coverage.End), access.FormatTime(latest),
			access.FormatTime(now), i.settle, access.FormatTime(e.Floor(latest)),
			&ports.NotClosedError{RetryAt: coverage.End.Add(i.settle)})
	}

	return nil
}
