package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

// seriesCoverage identifies the coverage of one series and the statements that change it.
//
// INVARIANT: the stored ranges of a series are disjoint and do not touch.
type seriesCoverage struct {
	lockName                                     string   // identifies the series among bars, trades and quotes
	key                                          []string // the columns that identify it beside the symbol's number
	selectTouching, deleteTouching, insertRanges string
}

func barCoverage(key domain.SeriesKey) seriesCoverage {
	return seriesCoverage{
		"bars " + key.String(), barKey(key), selectTouchingExtents, deleteTouchingExtents, insertExtents,
	}
}

// barKey returns the columns that identify a series of bars beside the symbol.
func barKey(key domain.SeriesKey) []string {
	return []string{key.PriceType.String(), key.Grid.String()}
}

func tickCoverage(symbol domain.Symbol, kind domain.TickKind) seriesCoverage {
	return seriesCoverage{
		string(kind) + " " + string(symbol), []string{string(kind)},
		selectTouchingTickExtents, deleteTouchingTickExtents, insertTickExtents,
	}
}

// addCoverage merges r into the stored ranges. The caller must have locked the series.
func (w *writer) addCoverage(ctx context.Context, c *seriesCoverage, id int32, r domain.Range) error {
	touching, err := w.touchingRanges(ctx, c, id, r)
	if err != nil || len(touching) == 1 && touching[0].Covers(r) {
		return err
	}

	return w.replaceRanges(ctx, c, id, r, domain.MergeRanges(append(touching, r)))
}

// removeCoverage subtracts r from the stored ranges. The caller must have locked the series.
func (w *writer) removeCoverage(ctx context.Context, c *seriesCoverage, id int32, r domain.Range) error {
	touching, err := w.touchingRanges(ctx, c, id, r)
	if err != nil || len(touching) == 0 {
		return err
	}

	var rest []domain.Range
	for _, t := range touching {
		rest = append(rest, t.Subtract([]domain.Range{r})...)
	}

	return w.replaceRanges(ctx, c, id, r, rest)
}

// touchingRanges returns the stored ranges that overlap or touch r.
func (w *writer) touchingRanges(
	ctx context.Context, c *seriesCoverage, id int32, r domain.Range,
) ([]domain.Range, error) {
	q := statement{c.selectTouching, c.args(id, r.Start, r.End), pgx.QueryExecModeCacheStatement}
	return queryRows(ctx, w.db, q, scanRange)
}

// replaceRanges replaces the stored ranges that overlap or touch r with the given ones.
func (w *writer) replaceRanges(
	ctx context.Context, c *seriesCoverage, id int32, r domain.Range, ranges []domain.Range,
) error {
	if _, err := w.db.exec(ctx, c.deleteTouching, c.args(id, r.Start, r.End)...); err != nil || len(ranges) == 0 {
		return err
	}

	starts, ends := make([]time.Time, len(ranges)), make([]time.Time, len(ranges))
	for i, r := range ranges {
		starts[i], ends[i] = r.Start, r.End
	}
	_, err := w.db.exec(ctx, c.insertRanges, c.args(id, starts, ends)...)

	return err
}

// args returns the arguments of a statement: the series, then more.
func (c *seriesCoverage) args(id int32, more ...any) []any {
	return append(keyArgs(id, c.key), more...)
}

func scanRange(row pgx.CollectableRow) (r domain.Range, err error) {
	err = row.Scan(&r.Start, &r.End)
	r.Start, r.End = r.Start.UTC(), r.End.UTC()
	return r, err
}

// DeclareCoverage implements ports.CoverageWriter.
func (s *Store) DeclareCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	return s.changeCoverage(ctx, "declare coverage", key, r, false)
}

// RemoveCoverage implements ports.CoverageWriter.
func (s *Store) RemoveCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	return s.changeCoverage(ctx, "remove coverage", key, r, true)
}

// changeCoverage changes the coverage of a series, and no bar.
func (s *Store) changeCoverage(
	ctx context.Context, op string, key domain.SeriesKey, r domain.Range, remove bool,
) error {
	err := validateBars(domain.EmptySeries(key), r)
	if err == nil {
		_, err = s.write(ctx, change{
			symbol: key.Symbol, key: barKey(key), r: r, replace: remove, coverage: barCoverage(key),
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
