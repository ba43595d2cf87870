package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// WriteBars implements ports.BarWriter.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claimed domain.Range) (ports.WriteReport, error) {
	return s.writeBars(ctx, "write bars", bars, claimed, false)
}

// ReplaceBars implements ports.BarWriter.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.writeBars(ctx, "replace bars", bars, r, true)
}

func (s *Store) writeBars(ctx context.Context, op string, bars domain.Series, r domain.Range, replace bool) (
	report ports.WriteReport, err error,
) {
	key := bars.Key()
	began := time.Now()
	if err = checkBars(bars, r); err == nil {
		columns := bars.Columns()
		report, err = s.write(ctx, change{
			table: barTable, symbol: key.Symbol, key: barKey(key),
			times: columns.OpenMicros, r: r, replace: replace,
			append:   func(b []byte, i int) []byte { return appendBar(b, &columns, i) },
			coverage: barCoverage(key),
		})
	}

	s.logSlow(ctx, op, key.String(), time.Since(began), bars.Len())
	return report, translate(ctx, op, key.String(), err)
}

// checkBars refuses a write before any I/O.
func checkBars(bars domain.Series, r domain.Range) error {
	if err := bars.Key().Validate(); err != nil {
		return err
	}
	return checkRange(r, bars.Len(), bars.OpenTime)
}

// checkRange wants n ascending times to lie in r.
func checkRange(r domain.Range, n int, at func(i int) time.Time) error {
	if _, err := domain.NewRange(r.Start, r.End); err != nil {
		return err
	}
	if n > 0 && (!r.Contains(at(0)) || !r.Contains(at(n-1))) {
		return fmt.Errorf("the range %s does not cover what is written with it, from %s to %s: %w",
			r, at(0).Format(time.RFC3339Nano), at(n-1).Format(time.RFC3339Nano), domain.ErrInvalid)
	}

	return nil
}

// table is how rows of one kind are kept.
type table struct {
	name        string                         // as ensure_partitions knows it
	partitionOf func(t time.Time) domain.Range // the one that holds t
	fields      int                            // of a row, beside what names its series
	tableSQL
}

var barTable = &table{
	name: "bars", fields: len(barTypes), tableSQL: barSQL,
	partitionOf: func(t time.Time) domain.Range {
		start := time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		return domain.Range{Start: start, End: start.AddDate(1, 0, 0)}
	},
}

// change is one write of rows of one symbol.
type change struct {
	table    *table // nil changes claims alone
	symbol   domain.Symbol
	key      []string                       // what else names the series
	times    []int64                        // of the rows, ascending, in microseconds since 1970
	append   func(b []byte, row int) []byte // appends the row's fields as COPY wants them
	r        domain.Range
	replace  bool
	coverage seriesCoverage // of the series
}

// write makes a change in one transaction with its claim.
func (s *Store) write(ctx context.Context, c change) (report ports.WriteReport, err error) {
	if c.r.Empty() { // then there are no rows either
		return report, ctx.Err()
	}

	err = s.withConn(ctx, func(conn *pgx.Conn) error {
		w := writer{Store: s, conn: conn}
		// Partitions are made in a transaction of their own, before: made in the write's, they would hold up other writers for as
		// long as it takes.
		if err := w.ensurePartitions(ctx, c); err != nil {
			return err
		}

		return w.transaction(ctx, func() (err error) {
			report, err = w.apply(ctx, c)
			return err
		})
	})
	if err != nil {
		report = ports.WriteReport{}
	}

	return report, err
}

// writer is a connection that writes.
type writer struct {
	*Store
	conn   *pgx.Conn
	staged bool // the stage may hold rows of this transaction
}

// exec runs a prepared statement within its own limit and tells how many rows it touched.
func (w *writer) exec(ctx context.Context, sql string, args ...any) (rows int, err error) {
	limited, cancel := w.withTimeout(ctx)
	defer cancel()
	tag, err := w.conn.Exec(limited, sql, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	return int(tag.RowsAffected()), withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
}

// scan reads one row into the targets; found is false where there is none.
func (w *writer) queryRow(ctx context.Context, sql string, args []any, targets ...any) (found bool, err error) {
	limited, cancel := w.withTimeout(ctx)
	defer cancel()
	err = w.conn.QueryRow(limited, sql, append([]any{pgx.QueryExecModeCacheStatement}, args...)...).Scan(targets...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}

	return err == nil, withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
}

// transaction commits what f does, or leaves no trace of it.
func (w *writer) transaction(ctx context.Context, f func() error) error {
	if _, err := w.exec(ctx, begin); err != nil {
		return err
	}

	err := f()
	if err == nil {
		if _, err = w.exec(ctx, commit); err == nil {
			return nil
		}
	}

	// The caller's context may be done. Where this fails too, the connection is closed, which rolls back.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.ConnectTimeout)
	defer cancel()
	_, _ = w.exec(ending, rollback)
	return err
}

// ensurePartitions makes the partitions that the rows fall into.
func (w *writer) ensurePartitions(ctx context.Context, c change) error {
	var starts []time.Time
	for i, end := 0, int64(math.MinInt64); i < len(c.times); i++ {
		if c.times[i] >= end {
			p := c.table.partitionOf(time.UnixMicro(c.times[i]).UTC())
			starts = append(starts, p.Start)
			_, end = p.Micros()
		}
	}
	if len(starts) == 0 {
		return nil
	}

	_, err := w.exec(ctx, ensurePartitions, c.table.name, starts)
	return err
}

// apply makes the change inside the transaction.
func (w *writer) apply(ctx context.Context, c change) (report ports.WriteReport, err error) {
	deletes := c.replace && len(c.times) == 0
	id, known, err := w.symbolID(ctx, c.symbol, !deletes)
	if err != nil || !known {
		return report, err
	}
	if _, err := w.exec(ctx, lockSeries, c.coverage.lockName); err != nil {
		return report, err
	}

	key := keyArgs(id, c.key)
	if deletes {
		if c.table != nil {
			if report.Deleted, err = w.exec(ctx, c.table.delete, withRange(key, c.r)...); err != nil {
				return report, err
			}
		}
		return report, w.removeCoverage(ctx, &c.coverage, id, c.r)
	}
	if report, err = w.writeRows(ctx, c, id); err != nil {
		return report, err
	}

	return report, w.addCoverage(ctx, &c.coverage, id, c.r)
}

// put writes the rows batch by batch.
func (w *writer) writeRows(ctx context.Context, c change, id int32) (report ports.WriteReport, err error) {
	rest := c.r // what the batches before have not dealt with
	for from := 0; from < len(c.times); {
		to := batchEnd(c.times, from, w.cfg.BatchRows)
		part := rest
		if to < len(c.times) {
			part.End = time.UnixMicro(c.times[to]).UTC()
		}
		if !c.replace {
			part = domain.Range{Start: time.UnixMicro(c.times[from]).UTC(), End: time.UnixMicro(c.times[to-1] + 1).UTC()}
		}
		done, err := w.writeBatch(ctx, c, id, from, to, part)
		if err != nil {
			return report, err
		}

		report = report.Add(done)
		from, rest.Start = to, part.End
	}

	return report, nil
}

// putBatch writes rows from to to, which are all in part. Nobody else writes the series meanwhile: where part is empty, the rows go
// straight into the table, which is several times as fast as merging them; and counting tells inserted rows from changed ones.
func (w *writer) writeBatch(
	ctx context.Context, c change, id int32, from, to int, part domain.Range,
) (report ports.WriteReport, err error) {
	key := keyArgs(id, c.key)
	n := to - from
	var before, after int
	if _, err := w.queryRow(ctx, c.table.countRows, withRange(key, part), &before); err != nil {
		return report, err
	}
	if before == 0 {
		report.Inserted = n
		prefix := appendInt32(nil, id)
		for _, text := range c.key {
			prefix = appendText(prefix, text)
		}

		return report, w.copyRows(ctx, c.table.copyTable, 1+len(c.key)+c.table.fields, n, func(b []byte, i int) []byte {
			return c.append(append(b, prefix...), from+i)
		})
	}
	if err := w.fillStage(ctx, c, from, to); err != nil {
		return report, err
	}

	if c.replace {
		if report.Deleted, err = w.exec(ctx, c.table.deleteOthers, withRange(key, part)...); err != nil {
			return report, err
		}
	}

	merged, err := w.exec(ctx, c.table.merge, key...)
	if err != nil {
		return report, err
	}
	if _, err := w.queryRow(ctx, c.table.countRows, withRange(key, part), &after); err != nil {
		return report, err
	}

	report.Inserted = after - (before - report.Deleted)
	report.Changed = merged - report.Inserted
	report.Unchanged = n - merged
	return report, nil
}

// keyArgs names a series to a statement.
func keyArgs(id int32, key []string) []any {
	args := []any{id}
	for _, text := range key {
		args = append(args, text)
	}
	return args
}

func withRange(key []any, r domain.Range) []any {
	return append(key[:len(key):len(key)], r.Start, r.End)
}

// batchEnd is where the batch that begins at from ends: between two times, so that a range of times belongs to it alone.
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

// stage fills the stage with rows from to to.
func (w *writer) fillStage(ctx context.Context, c change, from, to int) error {
	prepare := c.table.createStage
	if w.staged {
		prepare = c.table.truncateStage
	}
	if _, err := w.exec(ctx, prepare); err != nil {
		return err
	}

	w.staged = true
	return w.copyRows(ctx, c.table.copyStage, c.table.fields, to-from, func(b []byte, i int) []byte { return c.append(b, from+i) })
}

// copy sends n rows.
func (w *writer) copyRows(ctx context.Context, sql string, fields, n int, appendRow func(b []byte, row int) []byte) error {
	limited, cancel := w.withTimeout(ctx)
	defer cancel()
	_, err := w.conn.PgConn().CopyFrom(limited, newCopyStream(n, uint16(fields), appendRow), sql)
	return withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
}

// symbolID is the symbol's number. A symbol that is not known is made known where create is true.
func (w *writer) symbolID(ctx context.Context, symbol domain.Symbol, create bool) (id int32, known bool, err error) {
	find := []any{string(symbol)}
	if known, err = w.queryRow(ctx, selectSymbolID, find, &id); err != nil || known || !create {
		return id, known, err
	}

	m := domain.NewSymbolMeta(symbol)
	if _, err := w.exec(ctx, insertSymbol, symbolArgs(m)...); err != nil {
		return 0, false, err
	}

	known, err = w.queryRow(ctx, selectSymbolID, find, &id) // another may have been faster
	return id, known, err
}
