package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A write, on one connection of the pool:
//
//	ensure_partitions, look up the series      one round trip, and a transaction of its own
//	add the symbol and the series              where there is none, in transactions of their own
//	BEGIN                                      one round trip
//	    next version of the series             locks it until COMMIT or ROLLBACK
//	    read coverage and blocks of the range
//	    DELETE rows of the range that are not covered, if there are any, because they count as absent
//	    for each batch of BatchRows rows
//	        no row in its range: COPY into the table
//	        otherwise: COPY into the stage, for a replacement DELETE the other rows, merge
//	    count blocks with a deleted row, and for a replacement those that its range cuts
//	    coverage of the range                  one round trip, with COMMIT
//	    blocks with a changed row: rows, version, tail
//	COMMIT, or ROLLBACK if nothing changed
//
// The partitions are created beforehand, because in the write's transaction they would block other writers until it
// ends.
//
// INVARIANT: rows, coverage and blocks of a series change only under the lock of the series, in one transaction.

// WriteBatch implements ports.BarWriter.
func (s *Store) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := ports.NewWriteResults("write bars", Name, writes)
	for i, w := range writes {
		if r := &results[i]; r.Err == nil {
			c := barChange("write bars", w.Bars, w.Coverage)
			c.onConflict = w.OnConflict
			r.Report, r.Err = s.apply(ctx, c, validateBars(w.Bars, w.Coverage))
		}
	}

	return results
}

// ReplaceBars implements ports.BarWriter.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	err := ports.ErrNothingToReplace
	if bars.Len() > 0 {
		err = validateBars(bars, r)
	}
	c := barChange("replace bars", bars, r)
	c.replace = true

	return s.apply(ctx, c, err)
}

// DeleteBars implements ports.BarWriter.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	bars := domain.EmptySeries(key)
	c := barChange("delete bars", bars, r)
	c.replace = true

	return s.apply(ctx, c, validateBars(bars, r))
}

// barChange returns a change that writes bars over those that are stored.
func barChange(op string, bars domain.Series, r domain.Range) change {
	columns := bars.Columns()
	return change{
		op: op, subject: bars.Key().String(),
		table: barTable, series: barSeries(bars.Key()), layout: domain.BarBlocks(bars.Key().Grid),
		rows: bars.Len(), r: r, onConflict: ports.ReplaceOnConflict,
		key:       func(i int) rowKey { return rowKey{micros: columns.OpenMicros[i]} },
		appendRow: func(b []byte, i int) []byte { return appendBar(b, &columns, i) },
	}
}

// apply applies a change, unless there is a refusal.
func (s *Store) apply(ctx context.Context, c change, refusal error) (report ports.WriteReport, err error) {
	began := time.Now()
	if err = refusal; err == nil {
		report, err = s.write(ctx, c)
	}

	s.logSlow(ctx, c.op, c.subject, time.Since(began), c.rows)

	return report, translate(ctx, c.op, c.subject, err)
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
	hasSeries   bool                           // rows have the number of their series beside that of the symbol
	fields      int                            // of a row, without the numbers
	sql         tableSQL
}

var barTable = &table{name: "bars", hasSeries: true, fields: len(barTypes), partitionOf: yearOf, sql: barSQL}

// keyArgs returns the arguments that identify the rows of a series.
func (t *table) keyArgs(s series) []any {
	if t.hasSeries {
		return []any{s.symbolID, s.id}
	}
	return []any{s.symbolID}
}

// yearOf returns the UTC year that contains t.
func yearOf(t time.Time) domain.Range {
	start := time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
	return domain.Range{Start: start, End: start.AddDate(1, 0, 0)}
}

// change is one write to one series.
type change struct {
	op        string // in errors, like the subject
	subject   string
	table     *table
	series    []string // symbol, kind and grid
	layout    domain.BlockLayout
	rows      int                            // how many
	key       func(row int) rowKey           // keys ascend
	appendRow func(b []byte, row int) []byte // appends a row as fields of COPY
	r         domain.Range                   // contains the rows
	replace   bool                           // delete the other rows of r; without rows, also the coverage of r

	onConflict ports.ConflictPolicy
}

// deletes reports whether the change deletes the rows and the coverage of its range.
func (c *change) deletes() bool { return c.replace && c.rows == 0 }

func (c *change) timeOf(row int) time.Time { return domain.Micros(c.key(row).micros).Time() }

// maxAttempts is how often a transaction is run that loses against another one.
const maxAttempts = 3

// write applies a change. A failed write reports nothing.
func (s *Store) write(ctx context.Context, c change) (report ports.WriteReport, err error) {
	if c.r.Empty() { // validateRange makes sure that there are no rows either
		return report, ctx.Err()
	}
	if err := s.requireVersions(ctx); err != nil {
		return report, err
	}

	for attempt := 1; ; attempt++ {
		report, err = s.tryWrite(ctx, c)
		if err == nil {
			return report, nil
		}
		if attempt == maxAttempts || !isRepeatable(err) || !sleep(ctx, rand.N(10*time.Millisecond<<attempt)) {
			return ports.WriteReport{}, err
		}
	}
}

// isRepeatable reports whether the transaction was rolled back because of another one, so that it may succeed when it
// runs again.
func isRepeatable(err error) bool {
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		const serializationFailure, deadlockDetected = "40001", "40P01"
		return server.Code == serializationFailure || server.Code == deadlockDetected
	}

	return errors.Is(err, errSeriesReplaced)
}

// sleep waits, and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// errUnchanged rolls back a write that changed nothing. It never leaves the package.
var errUnchanged = errors.New("nothing changed")

// tryWrite applies a change in one transaction.
func (s *Store) tryWrite(ctx context.Context, c change) (report ports.WriteReport, err error) {
	err = s.withConn(ctx, func(conn *pgx.Conn) error {
		w := writer{db: session{store: s, conn: conn}, table: c.table, changes: newBlockChanges(c.layout)}
		found, err := w.resolve(ctx, c)
		if err == nil && found {
			report, err = w.apply(ctx, c)
			w.db.endTransaction(ctx)
		}
		w.db.forgetStatements(ctx, err)

		return withPhase(ports.PhaseQuery, err)
	})
	if errors.Is(err, errUnchanged) {
		err = nil
	}

	return report, err
}

// writer applies one change to one series.
type writer struct {
	db      session
	table   *table // nil for a change of the ledger
	series  series
	version domain.Version // of the series after the change

	// What was stored when the series was locked: the coverage that overlaps or touches the range of the change, and the
	// blocks that overlap it.
	coverage []domain.Range
	blocks   []block

	changes   blockChanges
	conflicts ports.ConflictError
	staged    bool // the stage exists and may have rows of this transaction
}

// resolve creates the missing partitions for the rows and finds the series. It adds a series that does not exist,
// unless the change deletes.
func (w *writer) resolve(ctx context.Context, c change) (found bool, err error) {
	var starts []time.Time
	for i, end := 0, int64(math.MinInt64); i < c.rows; i++ {
		if at := c.key(i).micros; at >= end {
			p := c.table.partitionOf(domain.Micros(at).Time())
			starts, end = append(starts, p.Start), p.End.UnixMicro()
		}
	}

	var steps []step
	if len(starts) > 0 {
		steps = append(steps, stepOf(ensurePartitions, c.table.name, starts))
	}
	if found, err = w.findSeries(ctx, c.series, steps...); err != nil || found || c.deletes() {
		return found, err
	}

	return w.addSeries(ctx, c.series)
}

// apply locks the series, and writes the rows, the coverage and the blocks in one transaction. It returns errUnchanged
// if it changed nothing.
func (w *writer) apply(ctx context.Context, c change) (report ports.WriteReport, err error) {
	if err := w.lock(ctx, c.r); err != nil {
		return report, err
	}

	if report, err = w.changeRows(ctx, c); err != nil {
		return report, err
	}
	if w.conflicts.Rows > 0 {
		return report, &w.conflicts
	}
	if err := w.countBlocks(ctx, c); err != nil {
		return report, err
	}

	coverage := w.changeCoverage(c)
	if len(coverage) == 0 && len(w.changes.blocks) == 0 {
		return report, errUnchanged
	}

	steps := slices.Concat(coverage, w.changeBlocks(), []step{stepOf(commit)})

	return report, w.db.pipeline(ctx, steps...)
}

// changeRows writes or deletes the rows of a change. Stored rows that the coverage does not contain count as absent.
func (w *writer) changeRows(ctx context.Context, c change) (report ports.WriteReport, err error) {
	if c.deletes() {
		deleted, err := w.changeStored(ctx, c.table.sql.delete, c.r)
		return ports.WriteReport{Deleted: deleted.count}, err
	}

	uncovered := c.r.Subtract(w.coverage)
	for _, r := range uncovered {
		hasRows, err := w.hasRows(ctx, r)
		if err == nil && hasRows { // rarely, so look first, because a DELETE opens every partition
			_, err = w.changeStored(ctx, c.table.sql.delete, r)
		}
		if err != nil {
			return report, err
		}
	}

	return w.writeRows(ctx, c, uncovered)
}

// hasRows reports whether the series has stored rows in the range.
func (w *writer) hasRows(ctx context.Context, r domain.Range) (hasRows bool, err error) {
	err = w.db.queryRow(ctx, w.table.sql.hasRows, append(w.table.keyArgs(w.series), r.Start, r.End), &hasRows)
	return hasRows, err
}

// changeStored runs a statement that changes stored rows of the range, and returns their sum.
func (w *writer) changeStored(ctx context.Context, sql string, r domain.Range) (sum changedRows, err error) {
	args := append(w.table.keyArgs(w.series), r.Start, r.End, w.changes.layout.LengthMicros())
	changed, err := queryRows(ctx, w.db, statement{sql: sql, args: args}, scanChangedRows)
	for _, rows := range changed {
		w.changes.add(rows)
		sum.count, sum.added = sum.count+rows.count, sum.added+rows.added
	}

	return sum, err
}

// batch is the part of a change that is merged at once.
type batch struct {
	from, to int          // rows of the change
	r        domain.Range // contains no other row of the change; the batches of a replacement divide its range
}

func (b batch) len() int { return b.to - b.from }

// writeRows writes the rows batch by batch. No row is stored in the empty ranges.
func (w *writer) writeRows(
	ctx context.Context, c change, empty []domain.Range,
) (report ports.WriteReport, err error) {
	start := c.r.Start // of the range that the batches so far do not contain
	for from := 0; from < c.rows; {
		to := c.batchEnd(from, w.db.store.cfg.BatchRows)
		b := batch{from, to, domain.Range{Start: start, End: c.r.End}}
		if to < c.rows {
			b.r.End = c.timeOf(to)
		}
		if !c.replace {
			b.r = domain.Range{Start: c.timeOf(from), End: c.timeOf(to - 1).Add(time.Microsecond)}
		}

		written, err := w.writeBatch(ctx, c, b, empty)
		if err != nil {
			return report, err
		}

		report = report.Add(written)
		from, start = to, b.r.End
	}

	return report, nil
}

// writeBatch writes the rows of a batch. A range without rows takes them by COPY, which is several times as fast as a
// merge.
func (w *writer) writeBatch(
	ctx context.Context, c change, b batch, empty []domain.Range,
) (report ports.WriteReport, err error) {
	isEmpty := slices.ContainsFunc(empty, func(r domain.Range) bool { return r.Covers(b.r) })
	if !isEmpty {
		hasRows, err := w.hasRows(ctx, b.r)
		if err != nil {
			return report, err
		}
		isEmpty = !hasRows
	}
	if isEmpty {
		w.changes.addInserted(c.key, b.from, b.to)
		return ports.WriteReport{Inserted: b.len()}, w.insert(ctx, c, b)
	}

	if err := w.fillStage(ctx, c, b); err != nil {
		return report, err
	}

	kept := 0
	if c.onConflict != ports.ReplaceOnConflict {
		if kept, err = w.unstageConflicts(ctx, c, b); err != nil || w.conflicts.Rows > 0 {
			return report, err
		}
	}

	var deleted changedRows
	if c.replace {
		if deleted, err = w.changeStored(ctx, c.table.sql.deleteOthers, b.r); err != nil {
			return report, err
		}
	}

	merged, err := w.changeStored(ctx, c.table.sql.merge, b.r)

	return ports.WriteReport{
		Inserted: merged.added, Changed: merged.count - merged.added, Unchanged: b.len() - kept - merged.count,
		Kept: kept, Deleted: deleted.count,
	}, err
}

// unstageConflicts removes the staged rows that are stored with other values, and returns their number. If the change
// fails on a conflict, it adds them to the conflicts instead.
func (w *writer) unstageConflicts(ctx context.Context, c change, b batch) (kept int, err error) {
	var first *time.Time
	args := append(w.table.keyArgs(w.series), b.r.Start, b.r.End)
	err = w.db.queryRow(ctx, c.table.sql.unstageConflicts, args, &kept, &first)
	if err == nil && kept > 0 && c.onConflict == ports.FailOnConflict {
		w.conflicts.Add(first.UTC(), kept)
		kept = 0
	}

	return kept, err
}

// batchEnd returns the end of the batch that begins at from: size rows later, or more, because a batch must not end
// between two rows of one time.
func (c *change) batchEnd(from, size int) int {
	end := min(from+size, c.rows)
	for end < c.rows && c.key(end).micros == c.key(end-1).micros {
		end++
	}

	return end
}

// insert sends the rows of a batch to the table, each after the numbers that identify the series.
func (w *writer) insert(ctx context.Context, c change, b batch) error {
	fields := c.table.fields + 1
	prefix := appendInt32(nil, w.series.symbolID)
	if c.table.hasSeries {
		fields, prefix = fields+1, appendInt32(prefix, w.series.id)
	}

	stream := newCopyStream(b.len(), uint16(fields), func(buf []byte, i int) []byte {
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
	if err := w.db.exec(ctx, prepare); err != nil {
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
