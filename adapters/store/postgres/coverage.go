package postgres

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Extents implements ports.CoverageReader.
func (s *Store) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	p := extentPages[domain.Extent]{
		op: "extents", ofPage: selectExtentsOfPage, ofSymbols: selectExtentsOfSymbols,
		scan: scanExtent, order: domain.MergeExtents,
	}

	return p.read(ctx, s, q)
}

// extentPages reads extents page by page, the symbols of a page in one statement.
type extentPages[E any] struct {
	op                string
	ofPage, ofSymbols string
	scan              pgx.RowToFunc[E]
	order             func(page []E) []E
}

func (p extentPages[E]) read(ctx context.Context, s *Store, q ports.ExtentQuery) iter.Seq2[E, error] {
	return ports.Paged(q.After, func(after domain.Symbol) (page []E, last domain.Symbol, err error) {
		sql, args := p.ofSymbols, []any{string(after), "", symbolTexts(q.Symbols)}
		if len(q.Symbols) == 0 {
			if last, err = s.pageEnd(ctx, after); err != nil {
				return nil, "", translate(ctx, p.op, "", err)
			}
			sql, args = p.ofPage, []any{string(after), string(last)}
		}

		page, err = collect(ctx, s, sql, args, p.scan)

		return p.order(page), last, translate(ctx, p.op, "", err)
	})
}

// pageEnd returns the last symbol of the page behind a symbol, "" for the last page.
func (s *Store) pageEnd(ctx context.Context, after domain.Symbol) (domain.Symbol, error) {
	ends, err := collect(ctx, s, selectPageEnd, []any{string(after), pageSymbols - 1}, pgx.RowTo[string])
	if err != nil || len(ends) == 0 {
		return "", err
	}

	return domain.Symbol(ends[0]), nil
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
func (s *Store) TickExtents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.TickExtent, error] {
	p := extentPages[domain.TickExtent]{
		op: "tick extents", ofPage: selectTickExtentsOfPage, ofSymbols: selectTickExtentsOfSymbols,
		scan: scanTickExtent, order: sortTickExtents,
	}

	return p.read(ctx, s, q)
}

func sortTickExtents(extents []domain.TickExtent) []domain.TickExtent {
	slices.SortFunc(extents, func(a, b domain.TickExtent) int {
		return cmp.Or(
			cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Kind, b.Kind), a.Range.Start.Compare(b.Range.Start),
		)
	})

	return extents
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
