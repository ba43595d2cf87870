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

// WriteBatch implements ports.BarWriter. It writes all series in one transaction.
func (s *Store) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	const op = "write bars"
	results := ports.NewWriteResults(op, Name, writes)
	fail := func(i int, err error) {
		if err != nil {
			results[i] = ports.WriteResult{Err: translate(ctx, op, writes[i].Bars.Key().String(), err)}
		}
	}
	var pending []int
	for i, w := range writes {
		if results[i].Err == nil {
			fail(i, validateBars(w.Bars, w.Coverage))
		}
		if results[i].Err == nil && !w.Coverage.Empty() { // else there are no bars either
			pending = append(pending, i)
		}
	}

	err := ctx.Err()
	if err == nil && len(pending) > 0 {
		err = s.transact(ctx, func(tx *sql.Tx) error {
			for _, i := range pending {
				report, failed, err := writeSeries(ctx, tx, writes[i])
				if err != nil {
					return err
				}
				results[i].Report = report
				fail(i, failed)
			}

			return nil
		})
	}
	for i := range results {
		if results[i].Err == nil {
			fail(i, err)
		}
	}

	return results
}

// writeSeries writes one series of a batch, and takes it back if that failed. It returns an error if the transaction
// cannot go on.
func writeSeries(ctx context.Context, tx *sql.Tx, w ports.BarWrite) (report ports.WriteReport, failed, err error) {
	if _, err := tx.ExecContext(ctx, savepoint); err != nil {
		return report, nil, err
	}

	end := releaseSavepoint
	if report, failed = writeBars(ctx, tx, w); failed != nil {
		end = rollbackToSavepoint
	}
	if _, err := tx.ExecContext(ctx, end); err != nil {
		return report, nil, errors.Join(failed, err)
	}

	return report, failed, nil
}

func writeBars(ctx context.Context, tx *sql.Tx, write ports.BarWrite) (ports.WriteReport, error) {
	key := write.Bars.Key()
	series, err := ensureSeries(ctx, tx, newSeriesRow(key))
	if err != nil {
		return ports.WriteReport{}, err
	}

	w := newChunkWriter(tx, series, key, write.OnConflict)
	defer w.close()
	if err := w.write(ctx, write.Bars); err != nil {
		return ports.WriteReport{}, err
	}

	changed, err := declareCoverage(ctx, tx, series, write.Coverage)
	if err != nil {
		return ports.WriteReport{}, err
	}

	return w.report, w.saveVersion(ctx, changed)
}

// ReplaceBars implements ports.BarWriter.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	if bars.Len() == 0 {
		return ports.WriteReport{}, translate(ctx, "replace bars", bars.Key().String(), ports.ErrNothingToReplace)
	}

	return s.exchangeBars(ctx, "replace bars", bars, r)
}

// DeleteBars implements ports.BarWriter.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	return s.exchangeBars(ctx, "delete bars", domain.EmptySeries(key), r)
}

// exchangeBars puts the bars in the place of those of r. Without bars, r is uncovered.
func (s *Store) exchangeBars(
	ctx context.Context, op string, bars domain.Series, r domain.Range,
) (report ports.WriteReport, err error) {
	key := bars.Key()
	if err = validateBars(bars, r); err == nil {
		err = s.transact(ctx, func(tx *sql.Tx) error {
			series, err := seriesToReplace(ctx, tx, newSeriesRow(key), bars.Len())
			if err != nil || series == 0 {
				return err
			}

			w := newChunkWriter(tx, series, key, ports.ConflictReplace)
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
		return ports.WriteReport{}, translate(ctx, op, key.String(), err)
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
	tx, err := s.beginWrite(ctx)
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
