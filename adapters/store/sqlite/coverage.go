package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Extents implements ports.CoverageReader.
func (s *Store) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return extentPages[domain.Extent]{"read extents", true, barExtents}.read(ctx, s, q)
}

func barExtents(rows []seriesExtentRow) ([]domain.Extent, error) {
	extents := make([]domain.Extent, 0, len(rows))
	for _, row := range rows {
		key, err := row.series.key()
		if err != nil {
			return nil, invalidRow(fmt.Errorf("extent of %q: %w", row.series.Symbol, err))
		}

		extents = append(extents, domain.Extent{Key: key, Range: row.extent.timeRange()})
	}

	return domain.MergeExtents(extents), nil // for the order only, because a write merges extents
}

// TickExtents implements ports.TickCoverageReader.
func (s *Store) TickExtents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.TickExtent, error] {
	return extentPages[domain.TickExtent]{"read tick extents", false, tickExtents}.read(ctx, s, q)
}

func tickExtents(rows []seriesExtentRow) ([]domain.TickExtent, error) {
	extents := make([]domain.TickExtent, 0, len(rows))
	for _, row := range rows {
		symbol, kind := domain.Symbol(row.series.Symbol), domain.TickKind(row.series.Kind)
		if symbol.Validate() != nil || kind != domain.TickTrades && kind != domain.TickQuotes {
			return nil, invalidRow(fmt.Errorf("extent of %q %q", row.series.Symbol, row.series.Kind))
		}

		extents = append(extents, domain.TickExtent{Symbol: symbol, Kind: kind, Range: row.extent.timeRange()})
	}

	return extents, nil // the statement orders them, and a write merges them
}

// seriesExtentRow is an extent and its series.
type seriesExtentRow struct {
	series seriesRow
	extent extentRow
}

// targets returns the pointers to scan the columns of selectExtents into.
func (r *seriesExtentRow) targets() []any {
	return append([]any{&r.series.Symbol, &r.series.Grid, &r.series.Kind}, r.extent.targets()...)
}

// extentPages reads extents page by page, the symbols of a page in one statement.
type extentPages[E any] struct {
	op        string
	bars      bool // of bars, or else of ticks
	extentsOf func([]seriesExtentRow) ([]E, error)
}

func (p extentPages[E]) read(ctx context.Context, s *Store, q ports.ExtentQuery) iter.Seq2[E, error] {
	return ports.Paged(q.After, func(after domain.Symbol) (page []E, last domain.Symbol, err error) {
		r, err := s.extentPage(ctx, q, after)
		var rows []seriesExtentRow
		if err == nil {
			rows, err = s.readExtents(ctx, q, r, p.bars)
		}
		if err == nil {
			page, err = p.extentsOf(rows)
		}

		return page, domain.Symbol(r.last), translate(ctx, p.op, "", err)
	})
}

// extentPage returns the symbols of the next page. Given symbols are one page.
func (s *Store) extentPage(ctx context.Context, q ports.ExtentQuery, after domain.Symbol) (symbolRange, error) {
	r := symbolRange{after: string(after)}
	if len(q.Symbols) > 0 {
		return r, nil
	}

	err := s.reader.QueryRowContext(ctx, selectPageEnd, r.after, pageSymbols-1).Scan(&r.last)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if err != nil {
		err = withPhase(ports.PhaseQuery, err)
	}

	return r, err
}

func (s *Store) readExtents(
	ctx context.Context, q ports.ExtentQuery, r symbolRange, bars bool,
) ([]seriesExtentRow, error) {
	valid := validSymbols(q.Symbols)
	if len(q.Symbols) > 0 && len(valid) == 0 {
		return nil, ctx.Err()
	}

	text, args := selectExtents(r, valid, bars)
	rows, err := queryAll(ctx, s.reader, (*seriesExtentRow).targets, text, args...)
	err = cmp.Or(s.frozen.check(), err)
	if err != nil {
		return nil, withPhase(ports.PhaseQuery, err)
	}

	return rows, nil
}

// declareCoverage adds r to the extents of the series, and reports whether they changed.
func declareCoverage(ctx context.Context, tx *sql.Tx, series int64, r domain.Range) (changed bool, err error) {
	return updateExtents(ctx, tx, series, r, func(extents []domain.Range) []domain.Range {
		return domain.MergeRanges(append(extents, r))
	})
}

// removeCoverage removes r from the extents of the series, and reports whether they changed.
func removeCoverage(ctx context.Context, tx *sql.Tx, series int64, r domain.Range) (changed bool, err error) {
	return updateExtents(ctx, tx, series, r, func(extents []domain.Range) []domain.Range {
		var remaining []domain.Range
		for _, e := range extents {
			remaining = append(remaining, e.Subtract([]domain.Range{r})...)
		}

		return remaining
	})
}

// replaceCoverage updates the extents after n bars or ticks replaced those in r: it declares coverage of r, or removes
// it if n is 0. It reports whether they changed.
func replaceCoverage(ctx context.Context, tx *sql.Tx, series int64, r domain.Range, n int) (changed bool, err error) {
	if n > 0 {
		return declareCoverage(ctx, tx, series, r)
	}
	return removeCoverage(ctx, tx, series, r)
}

// updateExtents replaces the extents that overlap or touch r by the result of next. It writes nothing, and reports
// false, if they are equal.
func updateExtents(
	ctx context.Context, tx *sql.Tx, series int64, r domain.Range, next func([]domain.Range) []domain.Range,
) (changed bool, err error) {
	if r.Empty() {
		return false, nil
	}

	start, end := r.Micros()
	rows, err := queryAll(ctx, tx, (*extentRow).targets, selectTouchingExtents, series, int64(start), int64(end))
	if err != nil {
		return false, err
	}

	stored := make([]domain.Range, 0, len(rows)+1)
	for _, row := range rows {
		stored = append(stored, row.timeRange())
	}

	extents := next(slices.Clip(stored))
	if slices.EqualFunc(stored, extents, domain.Range.Equal) {
		return false, nil
	}

	if _, err := tx.ExecContext(ctx, deleteTouchingExtents, series, int64(start), int64(end)); err != nil {
		return false, err
	}
	for _, e := range extents {
		from, to := e.Micros()
		if _, err := tx.ExecContext(ctx, insertExtent, series, int64(from), int64(to)); err != nil {
			return false, err
		}
	}

	return true, nil
}
