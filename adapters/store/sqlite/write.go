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
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, covered domain.Range) (ports.WriteReport, error) {
	key := bars.Key()
	var report ports.WriteReport
	err := validateBars(bars, covered)
	switch {
	case err != nil:
	case covered.Empty(): // then there are no bars either
		err = ctx.Err()
	default:
		err = s.transact(ctx, func(tx *sql.Tx) error {
			series, err := ensureSeries(ctx, tx, newSeriesRow(key))
			if err != nil {
				return err
			}

			w := newChunkWriter(tx, series, key)
			defer w.close()
			if err := w.write(ctx, bars); err != nil {
				return err
			}

			report = w.report
			changed, err := declareCoverage(ctx, tx, series, covered)
			if err != nil {
				return err
			}

			return w.saveVersion(ctx, changed)
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
	err := validateBars(bars, r)
	if err == nil {
		err = s.transact(ctx, func(tx *sql.Tx) error {
			series, err := seriesToReplace(ctx, tx, newSeriesRow(key), bars.Len())
			if err != nil || series == 0 {
				return err
			}

			w := newChunkWriter(tx, series, key)
			defer w.close()
			if err := w.replace(ctx, bars, r); err != nil {
				return err
			}
			if err := w.blocks.findMiscounted(ctx, tx, series, r, w.countBars); err != nil {
				return err
			}

			report = w.report
			changed, err := replaceCoverage(ctx, tx, series, r, bars.Len())
			if err != nil {
				return err
			}

			return w.saveVersion(ctx, changed)
		})
	}
	if err != nil {
		return ports.WriteReport{}, translate(ctx, "replace bars", key.String(), err)
	}

	return report, nil
}

// validateBars returns an error for a write that must fail before any I/O.
func validateBars(bars domain.Series, r domain.Range) error {
	if err := bars.Key().Validate(); err != nil {
		return err
	}
	return validateRange(r, bars.Len(), bars.OpenTime, bars)
}

// validateRange returns an error if the range is invalid or does not contain all n ascending times of data.
func validateRange(r domain.Range, n int, timeOf func(i int) time.Time, data fmt.Stringer) error {
	if _, err := domain.NewRange(r.Start, r.End); err != nil {
		return err
	}
	if n > 0 && (!r.Contains(timeOf(0)) || !r.Contains(timeOf(n-1))) {
		return fmt.Errorf("%s: not within the range %s of the write: %w", data, r, domain.ErrInvalid)
	}

	return nil
}

// transact runs f in one transaction. It commits the transaction if f returns nil and rolls it back otherwise. When
// transact returns nil, the changes are on disk.
func (s *Store) transact(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return withPhase(ports.PhaseAcquire, err)
	}

	defer func() { _ = tx.Rollback() }() // no effect after a commit
	if err := f(tx); err != nil {
		return withPhase(ports.PhaseQuery, err)
	}
	if err := tx.Commit(); err != nil {
		return withPhase(ports.PhaseQuery, err)
	}

	return nil
}

// ensureSeries returns the id of the series. It inserts a new series, and its symbol unless the catalog contains it.
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

// seriesToReplace returns the id of the series in which n bars or ticks replace a range. If n is 0, it does not insert
// a new series and returns 0 instead.
func seriesToReplace(ctx context.Context, tx *sql.Tx, row seriesRow, n int) (int64, error) {
	if n > 0 {
		return ensureSeries(ctx, tx, row)
	}

	id, err := findSeries(ctx, tx, row)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}

	return id, err
}
