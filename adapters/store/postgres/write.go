package postgres

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// batchSeries is how many series one transaction writes. It writes BatchRows rows at most, or one series.
const batchSeries = 10_000

// WriteBatch implements ports.BarWriter.
func (s *Store) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	const op = "write bars"
	results := ports.NewWriteResults(op, Name, writes)
	changes := make([]*change, len(writes))
	for i, w := range writes {
		c := barChange(op, w.Bars, w.Coverage)
		c.onConflict = w.OnConflict
		if c.err = results[i].Err; c.err == nil {
			c.err = validateBars(w.Bars, w.Coverage)
		}
		changes[i] = c
	}

	s.write(ctx, changes)
	for i, c := range changes {
		if r := &results[i]; r.Err == nil {
			r.Report, r.Err = c.result(ctx)
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

	return s.replace(ctx, barChange("replace bars", bars, r), err)
}

// DeleteBars implements ports.BarWriter.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	bars := domain.EmptySeries(key)
	return s.replace(ctx, barChange("delete bars", bars, r), validateBars(bars, r))
}

// barChange returns a change that writes bars over those that are stored.
func barChange(op string, bars domain.Series, r domain.Range) *change {
	columns := bars.Columns()
	return &change{
		record:  record{op: op, names: barSeries(bars.Key()), layout: domain.BarBlocks(bars.Key().Grid), r: r},
		subject: bars.Key().String(), table: barTable,
		rows: bars.Len(), onConflict: ports.ConflictReplace,
		key:       func(i int) rowKey { return rowKey{micros: columns.OpenMicros[i]} },
		appendRow: func(b []byte, i int) []byte { return appendBar(b, &columns, i) },
	}
}

// replace applies a change that replaces its range, unless there is a refusal.
func (s *Store) replace(ctx context.Context, c *change, refusal error) (ports.WriteReport, error) {
	c.replace, c.deletes, c.err = true, c.rows == 0, refusal
	s.write(ctx, []*change{c})

	return c.result(ctx)
}

// write applies the changes that have no error.
func (s *Store) write(ctx context.Context, changes []*change) {
	began := time.Now()
	valid := filter(changes, func(c *change) bool { return c.err == nil })
	pending := filter(valid, func(c *change) bool { return !c.r.Empty() }) // an empty range has no rows
	err := ctx.Err()
	if err == nil && len(pending) > 0 {
		err = s.requireVersions(ctx)
	}
	if err != nil {
		setError(valid, err)
		return
	}

	rows := 0
	for len(pending) > 0 {
		n := transactionLen(pending, s.cfg.BatchRows)
		changeSeries(ctx, s, rowOperation{pending[0].table}, pending[:n])
		for _, c := range pending[:n] {
			rows += c.rows
		}
		pending = pending[n:]
	}

	if len(valid) > 0 {
		s.logSlow(ctx, valid[0].op, changesSubject(valid), time.Since(began), rows)
	}
}

// transactionLen returns how many of the changes the next transaction applies: at least one.
func transactionLen(changes []*change, maxRows int) int {
	rows := 0
	for i, c := range changes {
		rows += c.rows
		if i == batchSeries || i > 0 && rows > maxRows {
			return i
		}
	}

	return len(changes)
}

// result returns the outcome of the change. A failed change reports nothing.
func (c *change) result(ctx context.Context) (ports.WriteReport, error) {
	if c.err != nil {
		return ports.WriteReport{}, translate(ctx, c.op, c.subject, c.err)
	}
	return c.report, nil
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
	record // its range contains the rows

	subject   string // in errors
	table     *table
	rows      int                            // how many
	key       func(row int) rowKey           // keys ascend
	appendRow func(b []byte, row int) []byte // appends a row as fields of COPY
	replace   bool                           // delete the other rows of the range; without rows, also its coverage

	onConflict ports.ConflictPolicy

	// The outcome of the transaction.
	report    ports.WriteReport
	changes   blockChanges
	conflicts ports.ConflictError
}

func (c *change) timeOf(row int) time.Time { return domain.Micros(c.key(row).micros).Time() }

// rowAt returns the first row that is not before t.
func (c *change) rowAt(t time.Time) int {
	return sort.Search(c.rows, func(i int) bool { return !c.timeOf(i).Before(t) })
}

// segments returns the rows of a range in parts of size rows, or more, because a part must not end between two rows of
// one time. The parts of a replacement divide the range.
func (c *change) segments(r domain.Range, size int) (parts []segment) {
	from, end := c.rowAt(r.Start), c.rowAt(r.End)
	for start := r.Start; from < end || c.replace && len(parts) == 0; {
		to := min(from+size, end)
		for to < end && c.key(to).micros == c.key(to-1).micros {
			to++
		}

		part := segment{c, from, to, domain.Range{Start: start, End: r.End}}
		if to < end {
			part.r.End = c.timeOf(to)
		}
		if !c.replace {
			part.r = domain.Range{Start: c.timeOf(from), End: c.timeOf(to - 1).Add(time.Microsecond)}
		}
		parts = append(parts, part)
		from, start = to, part.r.End
	}

	return parts
}

// changesSubject names changes in the log.
func changesSubject(changes []*change) string {
	if len(changes) == 1 {
		return changes[0].subject
	}
	return fmt.Sprintf("%s and %d more", changes[0].subject, len(changes)-1)
}
