package postgres

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A write, on one connection of the pool:
//
//	ensure_partitions                          its own transaction
//	BEGIN
//	    number of the symbol, added if unknown
//	    lock of the series                     kept until COMMIT or ROLLBACK
//	    for each batch of BatchRows rows
//	        no row in its range: COPY into the table
//	        otherwise: COPY into the stage, for a replacement DELETE the other rows, merge
//	    coverage of the range
//	COMMIT
//
// The partitions are created beforehand, because in the write's transaction they would block other writers until it
// ends.
//
// INVARIANT: rows and coverage of a series change only under the lock of the series, in one transaction.

// WriteBars implements ports.BarWriter.
func (s *Store) WriteBars(
	ctx context.Context, bars domain.Series, covered domain.Range,
) (ports.WriteReport, error) {
	return s.writeBars(ctx, "write bars", bars, covered, false)
}

// ReplaceBars implements ports.BarWriter.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.writeBars(ctx, "replace bars", bars, r, true)
}

func (s *Store) writeBars(
	ctx context.Context, op string, bars domain.Series, r domain.Range, replace bool,
) (report ports.WriteReport, err error) {
	key := bars.Key()
	began := time.Now()
	if err = validateBars(bars, r); err == nil {
		columns := bars.Columns()
		report, err = s.write(ctx, change{
			table: barTable, symbol: key.Symbol, key: barKey(key),
			times: columns.OpenMicros, r: r, replace: replace,
			appendRow: func(b []byte, i int) []byte { return appendBar(b, &columns, i) },
			coverage:  barCoverage(key),
		})
	}

	s.logSlow(ctx, op, key.String(), time.Since(began), bars.Len())

	return report, translate(ctx, op, key.String(), err)
}

// validateBars refuses bars with an invalid key, and bars outside r.
func validateBars(bars domain.Series, r domain.Range) error {
	if err := bars.Key().Validate(); err != nil {
		return err
	}
	return validateRange(r, bars.Len(), bars.OpenTime)
}

// validateRange refuses an invalid range and one that does not contain n ascending times.
func validateRange(r domain.Range, n int, timeOf func(i int) time.Time) error {
	if _, err := domain.NewRange(r.Start, r.End); err != nil {
		return err
	}
	if n > 0 && (!r.Contains(timeOf(0)) || !r.Contains(timeOf(n-1))) {
		return fmt.Errorf("range %s does not contain the rows, which span %s to %s: %w",
			r, timeOf(0).Format(time.RFC3339Nano), timeOf(n-1).Format(time.RFC3339Nano), domain.ErrInvalid)
	}

	return nil
}

// table is a table of rows.
type table struct {
	name        string                         // as ensure_partitions takes it
	partitionOf func(t time.Time) domain.Range // the range of the partition that contains t
	fields      int                            // of a row, without the columns that identify its series
	sql         tableSQL
}

var barTable = &table{name: "bars", fields: len(barTypes), partitionOf: yearOf, sql: barSQL}

// yearOf returns the UTC year that contains t.
func yearOf(t time.Time) domain.Range {
	start := time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	return domain.Range{Start: start, End: start.AddDate(1, 0, 0)}
}

// change is one write to one series.
type change struct {
	table     *table // nil changes the coverage only
	symbol    domain.Symbol
	key       []string                       // the columns that identify the series beside the symbol
	times     []int64                        // of the rows, ascending, in microseconds since 1970
	appendRow func(b []byte, row int) []byte // appends a row as fields of COPY
	r         domain.Range                   // contains times
	replace   bool                           // delete the other rows of r; without rows, also the coverage of r
	coverage  seriesCoverage
}

// deletes reports whether the change deletes the rows and the coverage of its range.
func (c *change) deletes() bool { return c.replace && len(c.times) == 0 }

// write applies a change in one transaction. A failed write reports nothing.
func (s *Store) write(ctx context.Context, c change) (report ports.WriteReport, err error) {
	if c.r.Empty() { // validateRange makes sure that there are no rows either
		return report, ctx.Err()
	}

	err = s.withConn(ctx, func(conn *pgx.Conn) error {
		w := writer{db: session{store: s, conn: conn}}
		if err := w.ensurePartitions(ctx, c); err != nil {
			return err
		}

		return w.db.transaction(ctx, func() (err error) {
			report, err = w.apply(ctx, c)
			return err
		})
	})
	if err != nil {
		report = ports.WriteReport{}
	}

	return report, err
}

// writer applies one change.
type writer struct {
	db     session
	staged bool // the stage exists and may have rows of this transaction
}

// ensurePartitions creates the missing partitions for the rows.
func (w *writer) ensurePartitions(ctx context.Context, c change) error {
	var starts []time.Time
	for i, end := 0, domain.Micros(math.MinInt64); i < len(c.times); i++ {
		if at := domain.Micros(c.times[i]); at >= end {
			p := c.table.partitionOf(at.Time())
			starts = append(starts, p.Start)
			_, end = p.Micros()
		}
	}
	if len(starts) == 0 {
		return nil
	}

	_, err := w.db.exec(ctx, ensurePartitions, c.table.name, starts)

	return err
}

// apply writes the rows and the coverage inside the transaction.
func (w *writer) apply(ctx context.Context, c change) (report ports.WriteReport, err error) {
	id, known, err := w.symbolID(ctx, c.symbol, !c.deletes())
	if err != nil || !known {
		return report, err
	}
	if _, err := w.db.exec(ctx, lockSeries, c.coverage.lockName); err != nil {
		return report, err
	}

	if !c.deletes() {
		if report, err = w.writeRows(ctx, c, id); err != nil {
			return report, err
		}
		return report, w.addCoverage(ctx, &c.coverage, id, c.r)
	}

	if c.table != nil {
		args := withRange(keyArgs(id, c.key), c.r)
		if report.Deleted, err = w.db.exec(ctx, c.table.sql.delete, args...); err != nil {
			return report, err
		}
	}

	return report, w.removeCoverage(ctx, &c.coverage, id, c.r)
}

// batch is the part of a change that is merged at once.
type batch struct {
	from, to int          // rows of the change
	r        domain.Range // contains no other row of the change; the batches of a replacement divide its range
}

func (b batch) len() int { return b.to - b.from }

// writeRows writes the rows batch by batch.
func (w *writer) writeRows(ctx context.Context, c change, id int32) (report ports.WriteReport, err error) {
	start := c.r.Start // of the range that the batches so far do not contain
	for from := 0; from < len(c.times); {
		to := batchEnd(c.times, from, w.db.store.cfg.BatchRows)
		b := batch{from, to, domain.Range{Start: start, End: c.r.End}}
		if to < len(c.times) {
			b.r.End = domain.Micros(c.times[to]).Time()
		}
		if !c.replace {
			b.r = domain.Range{Start: domain.Micros(c.times[from]).Time(), End: domain.Micros(c.times[to-1] + 1).Time()}
		}

		written, err := w.writeBatch(ctx, c, id, b)
		if err != nil {
			return report, err
		}

		report = report.Add(written)
		from, start = to, b.r.End
	}

	return report, nil
}

// writeBatch writes the rows of a batch. A range without rows takes them by COPY, which is several times as fast as a
// merge. Otherwise the numbers of rows before and after the merge tell inserted rows from changed ones; they are exact,
// because the lock of the series keeps other writers out.
func (w *writer) writeBatch(ctx context.Context, c change, id int32, b batch) (report ports.WriteReport, err error) {
	key := keyArgs(id, c.key)
	var before, after int
	if _, err := w.db.queryRow(ctx, c.table.sql.countRows, withRange(key, b.r), &before); err != nil {
		return report, err
	}
	if before == 0 {
		report.Inserted = b.len()
		return report, w.insert(ctx, c, id, b)
	}

	if err := w.fillStage(ctx, c, b); err != nil {
		return report, err
	}
	if c.replace {
		if report.Deleted, err = w.db.exec(ctx, c.table.sql.deleteOthers, withRange(key, b.r)...); err != nil {
			return report, err
		}
	}

	merged, err := w.db.exec(ctx, c.table.sql.merge, key...)
	if err != nil {
		return report, err
	}
	if _, err := w.db.queryRow(ctx, c.table.sql.countRows, withRange(key, b.r), &after); err != nil {
		return report, err
	}

	report.Inserted = after - (before - report.Deleted)
	report.Changed = merged - report.Inserted
	report.Unchanged = b.len() - merged

	return report, nil
}

// keyArgs returns the arguments that identify a series.
func keyArgs(id int32, key []string) []any {
	args := []any{id}
	for _, text := range key {
		args = append(args, text)
	}

	return args
}

// withRange returns key followed by the bounds of r. It does not change key.
func withRange(key []any, r domain.Range) []any {
	return append(key[:len(key):len(key)], r.Start, r.End)
}

// batchEnd returns the end of the batch that begins at from: size rows later, or more, because a batch must not end
// between two rows of one time.
func batchEnd(times []int64, from, size int) int {
	end := from + size
	if end >= len(times) {
		return len(times)
	}

	for end < len(times) && times[end] == times[end-1] {
		end++
	}

	return end
}

// insert sends the rows of a batch to the table, each after the columns that identify the series.
func (w *writer) insert(ctx context.Context, c change, id int32, b batch) error {
	prefix := appendInt32(nil, id)
	for _, text := range c.key {
		prefix = appendText(prefix, text)
	}

	stream := newCopyStream(b.len(), uint16(1+len(c.key)+c.table.fields), func(buf []byte, i int) []byte {
		return c.appendRow(append(buf, prefix...), b.from+i)
	})

	return w.copyRows(ctx, c.table.sql.copyTable, stream)
}

// fillStage makes the rows of a batch the only rows of the stage.
func (w *writer) fillStage(ctx context.Context, c change, b batch) error {
	prepare := c.table.sql.createStage
	if w.staged {
		prepare = c.table.sql.truncateStage
	}
	if _, err := w.db.exec(ctx, prepare); err != nil {
		return err
	}

	w.staged = true
	stream := newCopyStream(b.len(), uint16(c.table.fields), func(buf []byte, i int) []byte {
		return c.appendRow(buf, b.from+i)
	})

	return w.copyRows(ctx, c.table.sql.copyStage, stream)
}

// copyRows runs a COPY and sends it the rows of the stream.
func (w *writer) copyRows(ctx context.Context, sql string, stream *copyStream) error {
	stmtCtx, cancel := w.db.store.withTimeout(ctx)
	defer cancel()
	_, err := w.db.conn.PgConn().CopyFrom(stmtCtx, stream, sql)
	return withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
}

// symbolID returns the symbol's number. If create is set, it adds an unknown symbol to the catalog.
func (w *writer) symbolID(ctx context.Context, symbol domain.Symbol, create bool) (id int32, known bool, err error) {
	args := []any{string(symbol)}
	if known, err = w.db.queryRow(ctx, selectSymbolID, args, &id); err != nil || known || !create {
		return id, known, err
	}

	m := domain.NewSymbolMeta(symbol)
	if _, err := w.db.exec(ctx, insertSymbol, symbolArgs(m)...); err != nil {
		return 0, false, err
	}

	// Read the number back, because another writer may have inserted the symbol first.
	known, err = w.db.queryRow(ctx, selectSymbolID, args, &id)

	return id, known, err
}
