package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
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
			times: columns.Time, r: r, replace: replace,
			append: func(b []byte, i int) []byte { return appendBar(b, &columns, i) },
			claims: barClaims(key),
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
	if n > 0 && !(r.Contains(at(0)) && r.Contains(at(n-1))) {
		return fmt.Errorf("the range %s does not cover what is written with it, from %s to %s: %w",
			r, at(0).Format(time.RFC3339Nano), at(n-1).Format(time.RFC3339Nano), domain.ErrInvalid)
	}
	return nil
}

// table is how rows of one kind are kept.
type table struct {
	name      string                      // as ensure_partitions knows it
	partition func(t time.Time) time.Time // the start of the partition that holds t
	fields    uint16                      // of a staged row
	tableSQL
}

var barTable = &table{
	name: "bars", fields: uint16(len(barTypes)), tableSQL: barSQL,
	partition: func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) },
}

// change is one write of rows of one symbol.
type change struct {
	table   *table // nil changes claims alone
	symbol  domain.Symbol
	key     []any // what else names the series, as arguments of the table's statements
	times   []int64
	append  func(b []byte, row int) []byte
	r       domain.Range
	replace bool
	claims  claims // of the series
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
	conn *pgx.Conn
}

// exec runs a prepared statement within its own limit and tells how many rows it touched.
func (w *writer) exec(ctx context.Context, sql string, args ...any) (rows int, err error) {
	limited, cancel := w.limited(ctx)
	defer cancel()
	tag, err := w.conn.Exec(limited, sql, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	return int(tag.RowsAffected()), inPhase(ports.PhaseQuery, ownLimit(ctx, limited, err))
}

// scan reads one row into the targets; found is false where there is none.
func (w *writer) scan(ctx context.Context, sql string, args []any, targets ...any) (found bool, err error) {
	limited, cancel := w.limited(ctx)
	defer cancel()
	err = w.conn.QueryRow(limited, sql, append([]any{pgx.QueryExecModeCacheStatement}, args...)...).Scan(targets...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, inPhase(ports.PhaseQuery, ownLimit(ctx, limited, err))
}

// transaction commits what f does, or leaves no trace of it.
func (w *writer) transaction(ctx context.Context, f func() error) error {
	if _, err := w.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		if _, err = w.exec(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	// The caller's context may be done. Where this fails too, the connection is closed, which rolls back.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.ConnectTimeout)
	defer cancel()
	_, _ = w.exec(ending, "ROLLBACK")
	return err
}

// ensurePartitions makes the partitions that the rows fall into.
func (w *writer) ensurePartitions(ctx context.Context, c change) error {
	var starts []time.Time
	for i := 0; i < len(c.times); {
		start := c.table.partition(time.UnixMicro(c.times[i]).UTC())
		starts = append(starts, start)
		for i < len(c.times) && c.table.partition(time.UnixMicro(c.times[i]).UTC()).Equal(start) {
			i++
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
	if _, err := w.exec(ctx, lockSeries, c.claims.series); err != nil {
		return report, err
	}
	key := append([]any{id}, c.key...)
	if deletes {
		if c.table != nil {
			if report.Deleted, err = w.exec(ctx, c.table.remove, withRange(key, c.r)...); err != nil {
				return report, err
			}
		}
		return report, w.unclaim(ctx, &c.claims, id, c.r)
	}
	if report, err = w.put(ctx, c, key); err != nil {
		return report, err
	}
	return report, w.claim(ctx, &c.claims, id, c.r)
}

// put writes the rows batch by batch. Nobody else writes the series meanwhile, so that counting rows before and after tells inserted
// ones from changed ones.
func (w *writer) put(ctx context.Context, c change, key []any) (report ports.WriteReport, err error) {
	n := len(c.times)
	if n == 0 {
		return report, nil
	}
	if _, err := w.exec(ctx, c.table.stage); err != nil {
		return report, err
	}
	counted := c.r
	if !c.replace {
		counted = domain.Range{Start: time.UnixMicro(c.times[0]).UTC(), End: time.UnixMicro(c.times[n-1] + 1).UTC()}
	}
	var before, written int
	if _, err := w.scan(ctx, c.table.count, withRange(key, counted), &before); err != nil {
		return report, err
	}
	rest := c.r // what the batches before have not replaced
	for at := 0; at < n; {
		end := batchEnd(c.times, at, w.cfg.BatchRows)
		part := rest
		if end < n {
			part.End = time.UnixMicro(c.times[end]).UTC()
		}
		if err := w.stage(ctx, c, at, end); err != nil {
			return report, err
		}
		if c.replace {
			deleted, err := w.exec(ctx, c.table.removeOthers, withRange(key, part)...)
			if err != nil {
				return report, err
			}
			report.Deleted += deleted
		}
		merged, err := w.exec(ctx, c.table.merge, key...)
		if err != nil {
			return report, err
		}
		written += merged
		at, rest.Start = end, part.End
	}
	switch {
	case c.replace: // what was neither deleted nor there before is new
		report.Inserted = n - (before - report.Deleted)
	case before == 0:
		report.Inserted = n
	default:
		var after int
		if _, err := w.scan(ctx, c.table.count, withRange(key, counted), &after); err != nil {
			return report, err
		}
		report.Inserted = after - before
	}
	report.Changed = written - report.Inserted
	report.Unchanged = n - written
	return report, nil
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
func (w *writer) stage(ctx context.Context, c change, from, to int) error {
	if from > 0 { // of the batch before
		if _, err := w.exec(ctx, c.table.truncate); err != nil {
			return err
		}
	}
	rows := newCopyStream(to-from, c.table.fields, func(b []byte, i int) []byte { return c.append(b, from+i) })
	limited, cancel := w.limited(ctx)
	defer cancel()
	_, err := w.conn.PgConn().CopyFrom(limited, io.Reader(rows), c.table.copy)
	return inPhase(ports.PhaseQuery, ownLimit(ctx, limited, err))
}

// symbolID is the symbol's number. A symbol that is not known is made known where make is true.
func (w *writer) symbolID(ctx context.Context, symbol domain.Symbol, make bool) (id int32, known bool, err error) {
	find := []any{string(symbol)}
	if known, err = w.scan(ctx, selectSymbolID, find, &id); err != nil || known || !make {
		return id, known, err
	}
	m := domain.NewSymbolMeta(symbol)
	if _, err := w.exec(ctx, insertSymbol, symbolArgs(m)...); err != nil {
		return 0, false, err
	}
	known, err = w.scan(ctx, selectSymbolID, find, &id) // another may have been faster
	return id, known, err
}
