package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// WriteBars implements ports.BarWriter.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claimed domain.Range) (ports.WriteReport, error) {
	key := bars.Key()
	var report ports.WriteReport
	err := checkWrite(bars, claimed)
	switch {
	case err != nil:
	case claimed.Empty(): // then there are no bars either
		err = ctx.Err()
	default:
		err = s.update(ctx, func(tx bun.Tx) error {
			series, err := ensureSeries(ctx, tx, key)
			if err != nil {
				return err
			}
			if report, err = putBars(ctx, tx, series, bars); err != nil {
				return err
			}
			return claim(ctx, tx, series, claimed)
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, "write bars", key.String(), err)
	}
	return report, nil
}

// ReplaceBars implements ports.BarWriter.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	key := bars.Key()
	var report ports.WriteReport
	err := checkWrite(bars, r)
	if err == nil {
		err = s.update(ctx, func(tx bun.Tx) (err error) {
			if bars.Len() == 0 {
				report, err = deleteRange(ctx, tx, key, r)
			} else {
				report, err = replaceRange(ctx, tx, bars, r)
			}
			return err
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, "replace bars", key.String(), err)
	}
	return report, nil
}

// checkWrite refuses a write before any I/O.
func checkWrite(bars domain.Series, r domain.Range) error {
	if err := bars.Key().Validate(); err != nil {
		return err
	}
	if _, err := domain.NewRange(r.Start, r.End); err != nil {
		return err
	}
	if n := bars.Len(); n > 0 && (!r.Contains(bars.OpenTime(0)) || !r.Contains(bars.OpenTime(n-1))) {
		return fmt.Errorf("bars %s do not lie in the range %s written with them: %w", bars.Range(), r, domain.ErrInvalid)
	}
	return nil
}

// update runs f in one transaction, which is committed where f returns nil, and else leaves no trace. When it returns nil, what was
// written is on disk.
func (s *Store) update(ctx context.Context, f func(tx bun.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return inPhase(ports.PhaseAcquire, err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if err := f(tx); err != nil {
		return inPhase(ports.PhaseQuery, err)
	}
	if err := tx.Commit(); err != nil {
		return inPhase(ports.PhaseQuery, err)
	}
	return nil
}

// ensureSeries is the number of the key's series. A new one gets its number here, and its symbol a place in the catalog, unless it
// has one.
func ensureSeries(ctx context.Context, tx bun.Tx, key domain.SeriesKey) (int64, error) {
	row := newSeriesRow(key)
	err := findSeries(tx, &row).Scan(ctx)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return row.ID, err
	}
	if _, err := insertNewSymbols(tx, []symbolRow{newSymbolRow(domain.NewSymbolMeta(key.Symbol))}).Exec(ctx); err != nil {
		return 0, err
	}
	_, err = insertSeries(tx, &row).Exec(ctx)
	return row.ID, err
}

// deleteRange takes the bars of r and the claim on it away.
func deleteRange(ctx context.Context, tx bun.Tx, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	row := newSeriesRow(key)
	if err := findSeries(tx, &row).Scan(ctx); errors.Is(err, sql.ErrNoRows) {
		return ports.WriteReport{}, nil
	} else if err != nil {
		return ports.WriteReport{}, err
	}
	start, end := r.Micros()
	result, err := tx.Tx.ExecContext(ctx, deleteBars, row.ID, start, end)
	if err != nil {
		return ports.WriteReport{}, err
	}
	deleted, err := result.RowsAffected()
	if err != nil {
		return ports.WriteReport{}, err
	}
	return ports.WriteReport{Deleted: int(deleted)}, unclaim(ctx, tx, row.ID, r)
}

// replaceRange leaves the bars, and no others, in r.
func replaceRange(ctx context.Context, tx bun.Tx, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	series, err := ensureSeries(ctx, tx, bars.Key())
	if err != nil {
		return ports.WriteReport{}, err
	}
	others, err := timesBeside(ctx, tx, series, bars, r)
	if err != nil {
		return ports.WriteReport{}, err
	}
	if err := deleteTimes(ctx, tx, series, others); err != nil {
		return ports.WriteReport{}, err
	}
	report, err := putBars(ctx, tx, series, bars)
	if err != nil {
		return ports.WriteReport{}, err
	}
	report.Deleted = len(others)
	return report, claim(ctx, tx, series, r)
}

// timesBeside is the open times in r that the store has and bars has not.
func timesBeside(ctx context.Context, tx bun.Tx, series int64, bars domain.Series, r domain.Range) ([]int64, error) {
	start, end := r.Micros()
	rows, err := tx.Tx.QueryContext(ctx, selectTimes, series, start, end)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // what it could report, Err has
	var (
		others []int64
		next   = bars.Columns().Time
		t      int64
	)
	for rows.Next() {
		if err := rows.Scan(&t); err != nil {
			return nil, err
		}
		for len(next) > 0 && next[0] < t {
			next = next[1:]
		}
		if len(next) == 0 || next[0] != t {
			others = append(others, t)
		}
	}
	return others, rows.Err()
}

func deleteTimes(ctx context.Context, tx bun.Tx, series int64, times []int64) error {
	if len(times) == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, deleteBar)
	if err != nil {
		return err
	}
	defer func() { _ = stmt.Close() }() // nothing is lost with it
	for _, t := range times {
		if _, err := stmt.ExecContext(ctx, series, t); err != nil {
			return err
		}
	}
	return nil
}

// statementBars is how many bars one statement looks up or writes: what a statement costs beyond its rows no longer shows.
const statementBars = 64

// putBars writes the bars that the store has not, or has otherwise, and counts them.
func putBars(ctx context.Context, tx bun.Tx, series int64, bars domain.Series) (ports.WriteReport, error) {
	u := upserter{tx: tx.Tx, series: series, key: bars.Key(), prepared: map[string]*sql.Stmt{}}
	defer u.close()
	for from := 0; from < bars.Len(); from += statementBars {
		if err := u.put(ctx, bars.Slice(from, min(from+statementBars, bars.Len()))); err != nil {
			return ports.WriteReport{}, err
		}
	}
	return u.report, nil
}

// upserter writes bars of one series, in one transaction.
type upserter struct {
	tx       *sql.Tx
	series   int64
	key      domain.SeriesKey
	report   ports.WriteReport
	prepared map[string]*sql.Stmt // by text: full statements come again
	args     []any
}

// put looks up what the store has of up to statementBars bars, compares as numbers, and writes what is new. Bars that stand there as no
// Series could hold them are changed: writing them heals them.
func (u *upserter) put(ctx context.Context, bars domain.Series) error {
	u.args = append(u.args[:0], u.series)
	for _, t := range bars.Columns().Time {
		u.args = append(u.args, t)
	}
	stmt, err := u.statement(ctx, selectBarsAt(bars.Len())) //nolint:sqlclosecheck // closed with the upserter
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(ctx, u.args...)
	if err != nil {
		return err
	}
	write, err := u.compare(rows, bars)
	if err != nil || len(write) == 0 {
		return err
	}
	u.args = u.args[:0]
	for _, b := range write {
		u.args = append(u.args, u.series, b.OpenTime.UnixMicro(),
			b.Open.String(), b.High.String(), b.Low.String(), b.Close.String(), b.Volume.String(), b.Trades)
	}
	stmt, err = u.statement(ctx, upsertBars(len(write))) //nolint:sqlclosecheck // closed with the upserter
	if err != nil {
		return err
	}
	_, err = stmt.ExecContext(ctx, u.args...)
	return err
}

// compare counts the bars against the rows that the store has of them, both ascending, and returns those to be written.
func (u *upserter) compare(rows *sql.Rows, bars domain.Series) (write []domain.Bar, err error) {
	defer func() { _ = rows.Close() }() // what it could report, Err has
	next := 0
	var row barRow
	for rows.Next() {
		if err := row.read(rows); err != nil {
			return nil, err
		}
		held, broken, _ := row.bar()
		for ; bars.OpenTime(next).Before(held.OpenTime); next++ {
			write = append(write, bars.At(next))
			u.report.Inserted++
		}
		if b := bars.At(next); broken == "" && held.Equal(b) {
			u.report.Unchanged++
		} else {
			write = append(write, b)
			u.report.Changed++
		}
		next++
	}
	for ; next < bars.Len(); next++ {
		write = append(write, bars.At(next))
		u.report.Inserted++
	}
	return write, rows.Err()
}

func (u *upserter) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := u.prepared[text]; stmt != nil {
		return stmt, nil
	}
	stmt, err := u.tx.PrepareContext(ctx, text)
	if err == nil {
		u.prepared[text] = stmt
	}
	return stmt, err
}

func (u *upserter) close() {
	for _, stmt := range u.prepared {
		_ = stmt.Close() // nothing is lost with it
	}
}
