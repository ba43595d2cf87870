package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// WriteBars implements ports.BarWriter.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claimed domain.Range) (ports.WriteReport, error) {
	key := bars.Key()
	var report ports.WriteReport
	err := checkBars(bars, claimed)
	switch {
	case err != nil:
	case claimed.Empty(): // then there are no bars either
		err = ctx.Err()
	default:
		err = s.update(ctx, func(tx *sql.Tx) error {
			series, err := ensureSeries(ctx, tx, newSeriesRow(key))
			if err != nil {
				return err
			}

			c := chunks{statements: statements{tx: tx}, series: series, key: key}
			defer c.close()
			if err := c.write(ctx, bars); err != nil {
				return err
			}

			report = c.report
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
	err := checkBars(bars, r)
	if err == nil {
		err = s.update(ctx, func(tx *sql.Tx) error {
			series, change, err := seriesToReplace(ctx, tx, newSeriesRow(key), bars.Len())
			if err != nil || series == 0 {
				return err
			}

			c := chunks{statements: statements{tx: tx}, series: series, key: key}
			defer c.close()
			if err := c.replace(ctx, bars, r); err != nil {
				return err
			}

			report = c.report
			return change(ctx, tx, series, r)
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, "replace bars", key.String(), err)
	}

	return report, nil
}

// checkBars refuses a write before any I/O.
func checkBars(bars domain.Series, r domain.Range) error {
	if err := bars.Key().Validate(); err != nil {
		return err
	}
	return checkWithin(r, bars.Len(), bars.OpenTime, bars)
}

// checkWithin refuses a range that is none, and data of n ascending times that does not lie in it.
func checkWithin(r domain.Range, n int, at func(i int) time.Time, data fmt.Stringer) error {
	if _, err := domain.NewRange(r.Start, r.End); err != nil {
		return err
	}
	if n > 0 && (!r.Contains(at(0)) || !r.Contains(at(n-1))) {
		return fmt.Errorf("%s: not all in the range %s written with it: %w", data, r, domain.ErrInvalid)
	}

	return nil
}

// update runs f in one transaction, which is committed where f returns nil, and else leaves no trace. When it returns nil, what was
// written is on disk.
func (s *Store) update(ctx context.Context, f func(tx *sql.Tx) error) error {
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

// ensureSeries is the number of the series. A new one gets its number here, and its symbol a place in the catalog, unless it has
// one.
func ensureSeries(ctx context.Context, tx *sql.Tx, row seriesRow) (int64, error) {
	id, err := findSeries(ctx, tx, row)
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}

	meta := newSymbolRow(domain.NewSymbolMeta(domain.Symbol(row.Symbol)))
	if _, err := tx.ExecContext(ctx, insertNewSymbol, meta.args()...); err != nil {
		return 0, err
	}

	inserted, err := tx.ExecContext(ctx, insertSeries, row.Symbol, row.Grid, row.Kind)
	if err != nil {
		return 0, err
	}

	return inserted.LastInsertId()
}

// findSeries returns the id of the series, or sql.ErrNoRows.
func findSeries(ctx context.Context, tx *sql.Tx, row seriesRow) (id int64, err error) {
	err = tx.QueryRowContext(ctx, selectSeries, row.Symbol, row.Grid, row.Kind).Scan(&id)
	return id, err
}

// seriesToReplace is the number of the series in which a range is to be replaced by so many bars or ticks, and what then becomes of
// the claim on the range. Where there is nothing to be put in, a series that is not there stays so: its number is 0.
func seriesToReplace(ctx context.Context, tx *sql.Tx, row seriesRow, n int) (
	series int64, change func(context.Context, *sql.Tx, int64, domain.Range) error, err error,
) {
	if n > 0 {
		series, err = ensureSeries(ctx, tx, row)
		return series, claim, err
	}
	if series, err = findSeries(ctx, tx, row); errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}

	return series, unclaim, err
}

// statements prepares each statement of a transaction once.
type statements struct {
	tx       *sql.Tx
	prepared map[string]*sql.Stmt // by text
}

// prepare returns a statement that close closes.
func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := s.prepared[text]; stmt != nil {
		return stmt, nil
	}

	stmt, err := s.tx.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}

	if s.prepared == nil {
		s.prepared = map[string]*sql.Stmt{}
	}
	s.prepared[text] = stmt
	return stmt, nil
}

func (s *statements) exec(ctx context.Context, text string, args ...any) error {
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // close does it
	if err != nil {
		return err
	}

	_, err = stmt.ExecContext(ctx, args...)
	return err
}

func (s *statements) close() {
	for _, stmt := range s.prepared {
		_ = stmt.Close() // nothing is lost with it
	}
}
