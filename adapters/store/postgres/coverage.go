package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

// INVARIANT: the stored ranges of a series are disjoint and do not touch.

// touchingRanges returns the stored ranges that overlap or touch r, in ascending order.
func (w *writer) touchingRanges(ctx context.Context, r domain.Range) ([]domain.Range, error) {
	args := []any{w.series.symbolID, w.series.id, r.Start, r.End}
	return queryRows(ctx, w.db, statement{sql: selectTouchingRanges, args: args}, scanRange)
}

// changeCoverage adds the range of a change to the stored ranges, or subtracts it if the change deletes, and reports
// whether they changed. touching are those that overlap or touch it.
func (w *writer) changeCoverage(ctx context.Context, c change, touching []domain.Range) (changed bool, err error) {
	next := domain.MergeRanges(append(slices.Clone(touching), c.r))
	if c.deletes() {
		next = nil
		for _, t := range touching {
			next = append(next, t.Subtract([]domain.Range{c.r})...)
		}
	}
	if slices.EqualFunc(touching, next, domain.Range.Equal) {
		return false, nil
	}

	args := []any{w.series.symbolID, w.series.id}
	if len(touching) > 0 {
		if _, err := w.db.exec(ctx, deleteTouchingRanges, append(args, c.r.Start, c.r.End)...); err != nil {
			return false, err
		}
	}
	if len(next) == 0 {
		return true, nil
	}

	starts, ends := make([]time.Time, len(next)), make([]time.Time, len(next))
	for i, r := range next {
		starts[i], ends[i] = r.Start, r.End
	}
	_, err = w.db.exec(ctx, insertRanges, append(args, starts, ends)...)

	return true, err
}

func scanRange(row pgx.CollectableRow) (r domain.Range, err error) {
	err = row.Scan(&r.Start, &r.End)
	r.Start, r.End = r.Start.UTC(), r.End.UTC()
	return r, err
}

// DeclareCoverage implements ports.CoverageWriter.
func (s *Store) DeclareCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	return s.writeCoverage(ctx, "declare coverage", key, r, false)
}

// RemoveCoverage implements ports.CoverageWriter.
func (s *Store) RemoveCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	return s.writeCoverage(ctx, "remove coverage", key, r, true)
}

// writeCoverage changes the coverage of a series, and no bar.
func (s *Store) writeCoverage(
	ctx context.Context, op string, key domain.SeriesKey, r domain.Range, remove bool,
) error {
	err := validateBars(domain.EmptySeries(key), r)
	if err == nil {
		_, err = s.write(ctx, change{
			series: barSeries(key), layout: domain.BarBlocks(key.Grid), r: r, replace: remove,
		})
	}

	return translate(ctx, op, key.String(), err)
}

// Extents implements ports.CoverageReader.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	sql, args := selectExtents, []any(nil)
	if len(symbols) > 0 {
		sql, args = selectExtentsOfSymbols, []any{symbolTexts(symbols)}
	}
	extents, err := collect(ctx, s, sql, args, scanExtent)
	if err != nil {
		return nil, translate(ctx, "extents", "", err)
	}

	return domain.MergeExtents(extents), nil
}

func scanExtent(row pgx.CollectableRow) (e domain.Extent, err error) {
	var grid, priceType string
	err = row.Scan(&e.Key.Symbol, &grid, &priceType, &e.Range.Start, &e.Range.End, &e.Inferred)
	if err != nil {
		return e, err
	}

	e.Range.Start, e.Range.End = e.Range.Start.UTC(), e.Range.End.UTC()
	if e.Key.Grid, err = domain.ParseGrid(grid); err == nil {
		e.Key.PriceType, err = domain.ParsePriceType(priceType)
	}
	if err == nil {
		err = e.Key.Symbol.Validate()
	}

	return e, asSchemaError("extents", err)
}

// TickExtents implements ports.TickCoverageReader.
func (s *Store) TickExtents(ctx context.Context, symbols ...domain.Symbol) ([]domain.TickExtent, error) {
	sql, args := selectTickExtents, []any(nil)
	if len(symbols) > 0 {
		sql, args = selectTickExtentsOfSymbols, []any{symbolTexts(symbols)}
	}
	extents, err := collect(ctx, s, sql, args, scanTickExtent)
	if err != nil {
		return nil, translate(ctx, "tick extents", "", err)
	}

	slices.SortFunc(extents, func(a, b domain.TickExtent) int {
		return cmp.Or(
			cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Kind, b.Kind), a.Range.Start.Compare(b.Range.Start),
		)
	})

	return extents, nil
}

func scanTickExtent(row pgx.CollectableRow) (e domain.TickExtent, err error) {
	err = row.Scan(&e.Symbol, &e.Kind, &e.Range.Start, &e.Range.End)
	e.Range.Start, e.Range.End = e.Range.Start.UTC(), e.Range.End.UTC()
	return e, err
}

// asSchemaError returns the error for a row of a table that cannot be parsed; nil stays nil.
func asSchemaError(table string, err error) error {
	if err == nil {
		return nil
	}
	return &schemaError{"a row of " + table, "invalid (" + err.Error() + ")", "as this store writes it"}
}

// collect runs a prepared statement on a connection of the pool and returns all its rows.
func collect[T any](
	ctx context.Context, s *Store, sql string, args []any, scan pgx.RowToFunc[T],
) (all []T, err error) {
	err = s.query(ctx, sql, args, func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, scan)
		return err
	})

	return all, err
}
