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

// changeCoverage returns the statements that add the range of a change to the coverage, or subtract it if the change
// deletes; none if the coverage stays as it is.
func (w *writer) changeCoverage(c change) (steps []step) {
	next := domain.MergeRanges(append(slices.Clone(w.coverage), c.r))
	if c.deletes() {
		next = nil
		for _, r := range w.coverage {
			next = append(next, r.Subtract([]domain.Range{c.r})...)
		}
	}

	var gone, starts, ends []time.Time
	for _, old := range w.coverage {
		if !slices.ContainsFunc(next, func(r domain.Range) bool { return r.Start.Equal(old.Start) }) {
			gone = append(gone, old.Start)
		}
	}
	for _, r := range next {
		if !slices.ContainsFunc(w.coverage, r.Equal) {
			starts, ends = append(starts, r.Start), append(ends, r.End)
		}
	}

	if len(gone) > 0 {
		steps = append(steps, stepOf(deleteRanges, w.series.symbolID, w.series.id, gone))
	}
	if len(starts) > 0 {
		steps = append(steps, stepOf(upsertRanges, w.series.symbolID, w.series.id, starts, ends))
	}

	return steps
}

func scanRange(row pgx.CollectableRow) (r domain.Range, err error) {
	err = row.Scan(&r.Start, &r.End)
	r.Start, r.End = r.Start.UTC(), r.End.UTC()
	return r, err
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
	e.Key, err = parseSeries(e.Key.Symbol, grid, priceType)

	return e, err
}

// parseSeries parses the columns that identify a series of bars.
func parseSeries(symbol domain.Symbol, grid, priceType string) (key domain.SeriesKey, err error) {
	key.Symbol = symbol
	if key.Grid, err = domain.ParseGrid(grid); err == nil {
		key.PriceType, err = domain.ParsePriceType(priceType)
	}
	if err == nil {
		err = symbol.Validate()
	}

	return key, asSchemaError("extents", err)
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
