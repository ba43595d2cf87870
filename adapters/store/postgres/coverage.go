package postgres

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const opExtents = "extents"

// Extents implements ports.CoverageReader.
func (s *Store) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	p := extentPages[domain.Extent]{
		op: opExtents, ofPage: selectExtentsOfPage, ofSymbols: selectExtentsOfSymbols,
		scan: scanExtent, finish: s.finishExtents,
	}

	return p.read(ctx, s, q)
}

// finishExtents orders the extents of a page. The tables of others may have rows at times that no bar can have, such as
// infinity, so inferred coverage up to there is measured again: from the first to the last bar with a possible time.
func (s *Store) finishExtents(ctx context.Context, page []domain.Extent) (_ []domain.Extent, err error) {
	for i := range page {
		e := &page[i]
		isUnbounded := e.Range.Start.Equal(domain.AllYears().Start) || e.Range.End.Equal(domain.AllYears().End)
		if !e.Inferred || !isUnbounded {
			continue
		}
		if e.Range, err = s.storedRange(ctx, e.Key); err != nil {
			return nil, err
		}
	}
	isEmpty := func(e domain.Extent) bool { return e.Range.Empty() }

	return domain.MergeExtents(slices.DeleteFunc(page, isEmpty)), nil
}

// storedRange returns the range from the first stored bar to the end of the last.
func (s *Store) storedRange(ctx context.Context, key domain.SeriesKey) (domain.Range, error) {
	var ends [2]time.Time
	for i, q := range [...]ports.BarQuery{
		{Key: key, Range: domain.AllYears(), First: 1}, {Key: key, Range: domain.AllYears(), Last: 1},
	} {
		times, err := collect(ctx, s, opExtents, barRows(q), func(row pgx.CollectableRow) (domain.Micros, error) {
			values, err := rawValues(row)
			if err != nil {
				return 0, err
			}

			return decodeTime(values[0])
		})
		if err != nil || len(times) == 0 {
			return domain.Range{}, err
		}
		ends[i] = times[0].Time()
	}

	return domain.Range{Start: ends[0], End: key.Grid.Next(ends[1])}.Intersect(domain.AllYears()), nil
}

// extentPages reads extents page by page, the symbols of a page in one statement.
type extentPages[E any] struct {
	op                string
	ofPage, ofSymbols string
	scan              pgx.RowToFunc[E]
	finish            func(ctx context.Context, page []E) ([]E, error)
}

func (p extentPages[E]) read(ctx context.Context, s *Store, q ports.ExtentQuery) iter.Seq2[E, error] {
	return ports.Paged(q.After, func(after domain.Symbol) (page []E, last domain.Symbol, err error) {
		sql, args := p.ofSymbols, []any{string(after), "", symbolTexts(q.Symbols)}
		if len(q.Symbols) == 0 {
			if last, err = s.pageEnd(ctx, p.op, after); err != nil {
				return nil, "", translate(ctx, p.op, "", err)
			}
			sql, args = p.ofPage, []any{string(after), string(last)}
		}

		if page, err = collect(ctx, s, p.op, statement{sql: sql, args: args}, p.scan); err == nil {
			page, err = p.finish(ctx, page)
		}

		return page, last, translate(ctx, p.op, "", err)
	})
}

// pageEnd returns the last symbol of the page behind a symbol, "" for the last page.
func (s *Store) pageEnd(ctx context.Context, op string, after domain.Symbol) (domain.Symbol, error) {
	q := statement{sql: selectPageEnd, args: []any{string(after), pageSymbols - 1}}
	ends, err := collect(ctx, s, op, q, pgx.RowTo[string])
	if err != nil || len(ends) == 0 {
		return "", err
	}

	return domain.Symbol(ends[0]), nil
}

func scanExtent(row pgx.CollectableRow) (e domain.Extent, err error) {
	var grid, priceType string
	var start, end pgtype.Timestamptz
	if err = row.Scan(&e.Key.Symbol, &grid, &priceType, &start, &end, &e.Inferred); err != nil {
		return e, err
	}

	e.Range = possibleRange(start, end)
	e.Key, err = parseSeries(e.Key.Symbol, grid, priceType)

	return e, err
}

// possibleRange returns the range within domain.AllYears. It is empty where a view has NULL, or a start behind the end.
func possibleRange(start, end pgtype.Timestamptz) domain.Range {
	if !start.Valid || !end.Valid {
		return domain.Range{}
	}

	return domain.Range{Start: possibleTime(start), End: possibleTime(end)}.Intersect(domain.AllYears())
}

func possibleTime(t pgtype.Timestamptz) time.Time {
	switch t.InfinityModifier {
	case pgtype.Infinity:
		return domain.AllYears().End
	case pgtype.NegativeInfinity:
		return domain.AllYears().Start
	}

	return t.Time.UTC()
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
		scan: scanTickExtent, finish: finishTickExtents,
	}

	return p.read(ctx, s, q)
}

// finishTickExtents orders the extents of a page.
func finishTickExtents(_ context.Context, page []domain.TickExtent) ([]domain.TickExtent, error) {
	extents := slices.DeleteFunc(page, func(e domain.TickExtent) bool { return e.Range.Empty() })
	slices.SortFunc(extents, func(a, b domain.TickExtent) int {
		return cmp.Or(
			cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Kind, b.Kind), a.Range.Start.Compare(b.Range.Start),
		)
	})

	return extents, nil
}

func scanTickExtent(row pgx.CollectableRow) (e domain.TickExtent, err error) {
	var start, end pgtype.Timestamptz
	err = row.Scan(&e.Symbol, &e.Kind, &start, &end)
	e.Range = possibleRange(start, end)

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
	ctx context.Context, s *Store, op string, q statement, scan pgx.RowToFunc[T],
) (all []T, err error) {
	err = s.query(ctx, op, q, collectRows(&all, scan))

	return all, err
}
