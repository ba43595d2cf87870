package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// claims is how the claims on one series are kept.
type seriesCoverage struct {
	lockName                                     string   // names the series among all kinds of them: what its writers lock
	key                                          []string // what names it beside the symbol's number
	selectTouching, deleteTouching, insertRanges string
}

func barCoverage(key domain.SeriesKey) seriesCoverage {
	return seriesCoverage{"bars " + key.String(), barKey(key), selectTouchingExtents, deleteTouchingExtents, insertExtents}
}

// barKey is what names a series of bars beside its symbol.
func barKey(key domain.SeriesKey) []string {
	return []string{key.PriceType.String(), key.Grid.String()}
}

func tickCoverage(symbol domain.Symbol, kind domain.TickKind) seriesCoverage {
	name := string(kind)
	return seriesCoverage{name + " " + string(symbol), []string{name}, selectTouchingTickExtents, deleteTouchingTickExtents, insertTickExtents}
}

// claim adds r to what is claimed, merged with the claims that it meets. The series is locked.
func (w *writer) addCoverage(ctx context.Context, c *seriesCoverage, id int32, r domain.Range) error {
	there, err := w.touchingRanges(ctx, c, id, r)
	if err != nil || len(there) == 1 && there[0].Covers(r) {
		return err
	}

	return w.replaceRanges(ctx, c, id, r, domain.MergeRanges(append(there, r)))
}

// unclaim takes r out of what is claimed. The series is locked.
func (w *writer) removeCoverage(ctx context.Context, c *seriesCoverage, id int32, r domain.Range) error {
	there, err := w.touchingRanges(ctx, c, id, r)
	if err != nil || len(there) == 0 {
		return err
	}

	var left []domain.Range
	for _, t := range there {
		left = append(left, t.Subtract([]domain.Range{r})...)
	}
	return w.replaceRanges(ctx, c, id, r, left)
}

// meeting is the claims that overlap or touch r.
func (w *writer) touchingRanges(ctx context.Context, c *seriesCoverage, id int32, r domain.Range) ([]domain.Range, error) {
	limited, cancel := w.withTimeout(ctx)
	defer cancel()
	args := append([]any{pgx.QueryExecModeCacheStatement}, c.args(id, r.Start, r.End)...)
	rows, err := w.conn.Query(limited, c.selectTouching, args...)
	if err == nil {
		var there []domain.Range
		if there, err = pgx.CollectRows(rows, scanRange); err == nil {
			return there, nil
		}
	}

	return nil, withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
}

// putClaims puts the ranges in the place of the claims that meet r.
func (w *writer) replaceRanges(ctx context.Context, c *seriesCoverage, id int32, r domain.Range, ranges []domain.Range) error {
	if _, err := w.exec(ctx, c.deleteTouching, c.args(id, r.Start, r.End)...); err != nil || len(ranges) == 0 {
		return err
	}

	starts, ends := make([]time.Time, len(ranges)), make([]time.Time, len(ranges))
	for i, r := range ranges {
		starts[i], ends[i] = r.Start, r.End
	}
	_, err := w.exec(ctx, c.insertRanges, c.args(id, starts, ends)...)

	return err
}

// args is a statement's arguments: the symbol's number, the key, and what comes after.
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
	return s.changeCoverage(ctx, "claim", key, r, false)
}

// RemoveCoverage implements ports.CoverageWriter.
func (s *Store) RemoveCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error {
	return s.changeCoverage(ctx, "unclaim", key, r, true)
}

// changeClaims changes claims and touches no bar.
func (s *Store) changeCoverage(ctx context.Context, op string, key domain.SeriesKey, r domain.Range, remove bool) error {
	err := checkBars(domain.EmptySeries(key), r)
	if err == nil {
		_, err = s.write(ctx, change{
			symbol: key.Symbol, key: barKey(key), r: r, replace: remove, coverage: barCoverage(key),
		})
	}

	return translate(ctx, op, key.String(), err)
}

// Extents implements ports.CoverageReader.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	extents, err := collect(ctx, s, selectExtents, selectExtentsOfSymbols, symbols, func(row pgx.CollectableRow) (e domain.Extent, err error) {
		var grid, kind string
		if err = row.Scan(&e.Key.Symbol, &grid, &kind, &e.Range.Start, &e.Range.End, &e.Inferred); err != nil {
			return e, err
		}

		e.Range.Start, e.Range.End = e.Range.Start.UTC(), e.Range.End.UTC()
		if e.Key.Grid, err = domain.ParseGrid(grid); err == nil {
			e.Key.PriceType, err = domain.ParsePriceType(kind)
		}
		if err == nil {
			err = e.Key.Symbol.Validate()
		}

		return e, asSchemaError("extents", err)
	})
	if err != nil {
		return nil, translate(ctx, "extents", "", err)
	}

	return domain.MergeExtents(extents), nil
}

// TickExtents implements ports.TickCoverageReader.
func (s *Store) TickExtents(ctx context.Context, symbols ...domain.Symbol) ([]domain.TickExtent, error) {
	extents, err := collect(ctx, s, selectTickExtents, selectTickExtentsOfSymbols, symbols,
		func(row pgx.CollectableRow) (e domain.TickExtent, err error) {
			err = row.Scan(&e.Symbol, &e.Kind, &e.Range.Start, &e.Range.End)
			e.Range.Start, e.Range.End = e.Range.Start.UTC(), e.Range.End.UTC()
			return e, err
		})
	if err != nil {
		return nil, translate(ctx, "tick extents", "", err)
	}

	slices.SortFunc(extents, func(a, b domain.TickExtent) int {
		return cmp.Or(cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Kind, b.Kind), a.Range.Start.Compare(b.Range.Start))
	})
	return extents, nil
}

// asShape says of a row that cannot be read that the table is not the one expected.
func asSchemaError(table string, err error) error {
	if err == nil {
		return nil
	}
	return &schemaError{table, err.Error(), "as this store writes it"}
}

// collect reads all rows of a statement for every symbol, or of the one for some.
func collect[T any](
	ctx context.Context, s *Store, all, some string, symbols []domain.Symbol, scan pgx.RowToFunc[T],
) (found []T, err error) {
	sql, args := all, []any(nil)
	if len(symbols) > 0 {
		sql, args = some, []any{symbolTexts(symbols)}
	}
	err = s.query(ctx, sql, args, func(rows pgx.Rows) (err error) {
		found, err = pgx.CollectRows(rows, scan)
		return err
	})

	return found, err
}
