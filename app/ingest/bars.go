package ingest

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/symbols"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/ports"
)

// Ingestor writes the rows that Fetch, FetchTrades and FetchQuotes would return, and refuses others before any I/O. It
// is safe for concurrent use.
type Ingestor struct {
	stores   access.Stores
	symbols  *symbols.Resolver
	clock    ports.Clock
	settings *access.Settings
	settle   time.Duration
}

var _ ports.Ingestor = (*Ingestor)(nil)

// New returns an Ingestor over the stores. A row may be written once it has been closed for the settle time.
func New(
	stores access.Stores, resolver *symbols.Resolver, clock ports.Clock, settings *access.Settings, settle time.Duration,
) *Ingestor {
	return &Ingestor{stores: stores, symbols: resolver, clock: clock, settings: settings, settle: settle}
}

// Ingest writes the bars and declares that coverage, which must contain them, is complete: where it has no bar, nothing
// traded. A zero coverage is the range from the first bar to the end of the last. Both ends of the coverage are moved
// up to an edge of the grid. The bars are refused as a whole where one breaks a fatal quality rule, with ErrNotClosed
// where the coverage ends later than the clock's now less the settle time (a *ports.NotClosedError says when to write
// again), and with ErrConflict under ports.ConflictFail (a *ports.ConflictError names the first bar that differs).
// After another error of the store the same bars may be ingested again.
func (i *Ingestor) Ingest(
	ctx context.Context, bars domain.Series, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	result := i.IngestBatch(ctx, []ports.BarWrite{{Bars: bars, Coverage: coverage, OnConflict: onConflict}})[0]
	return result.Report, result.Err
}

// IngestBatch ingests many series with one call of each store: result i is that of write i, as Ingest returns it. A
// series may be in the batch once.
func (i *Ingestor) IngestBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	const op = "ingest"
	results := ports.NewWriteResults(op, "", writes)
	batches := make(map[*access.Store]*batch)
	for j, w := range writes {
		if w.Coverage == (domain.Range{}) {
			w.Coverage = w.Bars.Range()
		}

		call := i.barCall(op, w.Bars.Key())
		coverage, err := i.prepareBars(call, w.Bars, w.Coverage)
		if results[j].Err == nil {
			results[j].Err = err
		}
		if w.Coverage = coverage; results[j].Err != nil {
			continue
		}

		b := batches[call.Store]
		if b == nil {
			b = &batch{store: call.Store}
			batches[call.Store] = b
		}
		b.writes, b.indices = append(b.writes, w), append(b.indices, j)
	}

	for _, s := range i.stores {
		if b := batches[s]; b != nil {
			i.writeBatch(ctx, op, b, results)
		}
	}

	return results
}

// Replace puts the bars, at least one, in the place of everything their key has in r, and declares r complete. Both
// ends of r are moved up to an edge of the grid. It refuses the same bars as Ingest.
func (i *Ingestor) Replace(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	call := i.barCall("replace", bars.Key())
	r, err := i.prepareBars(call, bars, r)
	if err == nil && bars.Len() == 0 {
		err = call.Refuse(ports.ErrNothingToReplace)
	}
	if err != nil {
		return ports.WriteReport{}, err
	}

	return i.write(ctx, call, bars.Key().Symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return call.Store.Bars.ReplaceBars(ctx, bars, r)
	})
}

// Delete removes the bars of the key in r and its coverage. Both ends of r are moved up to an edge of the grid; r may
// reach beyond now.
func (i *Ingestor) Delete(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	call := i.barCall("delete", key)
	r, err := checkTarget(call, key, r)
	if err != nil {
		return ports.WriteReport{}, err
	}

	return i.write(ctx, call, key.Symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return call.Store.Bars.DeleteBars(ctx, key, r)
	})
}

// Uncover takes the coverage of the key in r away, of bars that the store lost or that are wrong. Both ends of r are
// moved up to an edge of the grid. It does not read the bars, and deletes them where the store is not InfluxDB. In
// InfluxDB it uncovers the blocks that r touches whole. It returns the range that is not covered any more.
func (i *Ingestor) Uncover(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Range, error) {
	call := i.barCall("uncover", key)
	r, err := checkTarget(call, key, r)
	if err != nil {
		return r, err
	}

	uncovered := r
	_, err = i.write(ctx, call, key.Symbol, func(ctx context.Context) (report ports.WriteReport, err error) {
		uncovered, err = ports.UncoverBars(ctx, call.Store.Bars, key, r)
		return report, err
	})

	return uncovered, err
}

// Touch gives the series of the key a new version, after its bars were changed with SQL, so that no process serves
// cached bars of before: this one at once, others when their lease of the version ends. The error is ports.ErrInvalid
// if the bars are not in PostgreSQL.
func (i *Ingestor) Touch(ctx context.Context, key domain.SeriesKey) error {
	call := i.barCall("touch", key)
	err := key.Validate()
	if err == nil && call.Store == nil {
		err = access.ErrNoGrid(key.Grid)
	}
	if err != nil {
		return call.Refuse(err)
	}

	_, err = i.write(ctx, call, key.Symbol, func(ctx context.Context) (ports.WriteReport, error) {
		return ports.WriteReport{}, ports.TouchBars(ctx, call.Store.Bars, key)
	})

	return err
}

// barCall returns the call of the store of the key.
func (i *Ingestor) barCall(op string, key domain.SeriesKey) *access.Call {
	call := &access.Call{Op: op, Subject: key, Settings: i.settings}
	if key.Validate() == nil {
		call.Store = i.stores.ForGrid(key.Grid)
	}

	return call
}

// checkTarget returns the aligned range of a write. It refuses an invalid key, an empty range, and a grid that no store
// takes.
func checkTarget(call *access.Call, key domain.SeriesKey, r domain.Range) (domain.Range, error) {
	if err := key.Validate(); err != nil {
		return r, access.Refusal(call.Op, "", err)
	}

	r, err := alignCoverage(key.Grid, r)
	if err == nil && call.Store == nil {
		err = access.ErrNoGrid(key.Grid)
	}
	if err != nil {
		return r, call.Refuse(err)
	}

	return r, nil
}

// prepareBars is checkTarget, and refuses bars that Fetch would not return.
func (i *Ingestor) prepareBars(call *access.Call, bars domain.Series, r domain.Range) (domain.Range, error) {
	r, err := checkTarget(call, bars.Key(), r)
	if err != nil {
		return r, err
	}
	if err := i.checkBars(bars, r); err != nil {
		return r, call.Refuse(err)
	}

	return r, nil
}

// batch is the writes of a batch to one store.
type batch struct {
	store   *access.Store
	writes  []ports.BarWrite
	indices []int // of their results
}

// writeBatch writes a batch and sets the results.
func (i *Ingestor) writeBatch(ctx context.Context, op string, b *batch, results []ports.WriteResult) {
	call := i.barCall(op, b.writes[0].Bars.Key())
	if n := len(b.writes); n > 1 {
		call.Subject = access.Text(fmt.Sprintf("%d series", n))
	}
	call.SetDefaultDeadline(ctx, i.stores)
	defer func() {
		for _, w := range b.writes {
			i.symbols.Invalidate(ctx, w.Bars.Key().Symbol)
		}
	}()

	write := func(ctx context.Context, s *access.Store, writes []ports.BarWrite) ([]ports.WriteResult, error) {
		written := s.Bars.WriteBatch(ctx, writes)
		if len(writes) == 1 {
			return written, written[0].Err
		}

		return written, nil
	}
	written, failed := access.Do(ctx, call,
		access.Operation[[]ports.BarWrite, []ports.WriteResult]{Name: op, Run: write, Rows: rowsOfResults}, b.writes)
	for k, j := range b.indices {
		r := &results[j]
		if r.Err = failed; failed != nil {
			continue
		}

		if *r = written[k]; r.Err != nil {
			r.Err = i.barCall(op, b.writes[k].Bars.Key()).Failed(ctx, r.Err)
		}
		b.store.Rows.Add(int64(r.Report.Inserted + r.Report.Changed + r.Report.Unchanged))
	}
}

// rowsOfResults returns the number of rows that the writes are about.
func rowsOfResults(results []ports.WriteResult) int {
	rows := 0
	for _, r := range results {
		rows += r.Report.Rows()
	}

	return rows
}

// write makes the one call of the store, and invalidates the symbol whether it failed or not.
func (i *Ingestor) write(
	ctx context.Context, call *access.Call, symbol domain.Symbol, write func(context.Context) (ports.WriteReport, error),
) (ports.WriteReport, error) {
	call.SetDefaultDeadline(ctx, i.stores)
	defer i.symbols.Invalidate(ctx, symbol)

	run := func(ctx context.Context, _ *access.Store, _ struct{}) (ports.WriteReport, error) { return write(ctx) }
	report, err := access.Do(ctx, call,
		access.Operation[struct{}, ports.WriteReport]{Name: call.Op, Run: run, Rows: ports.WriteReport.Rows}, struct{}{})
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
			"no bar of %s opens in %s; give bars, or a range in which one opens: %w", g, r, ports.ErrInvalid)
	}

	return domain.Range{}, fmt.Errorf("%s is empty; give rows to write, or a range: %w", r, ports.ErrInvalid)
}

// ClosedBy returns the time by which rows must have closed to be written: the clock's now less the settle time.
func (i *Ingestor) ClosedBy() time.Time { return i.clock.Now().Add(-i.settle) }

// checkBars refuses bars outside the coverage, bars that break a fatal rule, and coverage that is not closed yet.
func (i *Ingestor) checkBars(bars domain.Series, coverage domain.Range) error {
	now := i.clock.Now()
	if err := i.checkClosed(bars.Key().Grid, bars.Range(), coverage, now); err != nil {
		return err
	}

	verdict := quality.NewValidator(coverage, now).Check(bars)
	if err := verdict.Err(bars.Key()); err != nil {
		return fmt.Errorf("%w: %d of %d bars break a fatal rule, the first: %w; nothing was written",
			ports.ErrInvalid, len(verdict.Fatal), bars.Len(), err)
	}

	return nil
}

// checkClosed refuses coverage that does not contain the rows, or that is not closed at now less the settle time.
func (i *Ingestor) checkClosed(e access.Edges, rows, coverage domain.Range, now time.Time) error {
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
