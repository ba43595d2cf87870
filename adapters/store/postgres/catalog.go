package postgres

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func scanSymbol(row pgx.CollectableRow) (m domain.SymbolMeta, err error) {
	var tick, lot string
	if err = row.Scan(&m.Symbol, &m.Venue, &m.Base, &m.Quote, &tick, &lot, &m.Zone); err != nil {
		return m, err
	}

	if m.Tick, err = domain.ParseDecimal(tick); err == nil {
		m.Lot, err = domain.ParseDecimal(lot)
	}

	return m, asSchemaError("symbols", err)
}

// symbolArrays returns one array for each of the catalog's columns, all of them of strings.
func symbolArrays(metas []domain.SymbolMeta) []any {
	var columns [7][]string
	for _, m := range metas {
		for i, value := range [...]string{
			string(m.Symbol), m.Venue, m.Base, m.Quote, m.Tick.String(), m.Lot.String(), m.Zone,
		} {
			columns[i] = append(columns[i], value)
		}
	}

	args := make([]any, len(columns))
	for i := range columns {
		args[i] = columns[i]
	}

	return args
}

// pageSymbols is the largest number of symbols that one statement reads.
const pageSymbols = 10_000

// Symbols implements ports.SymbolCatalog.
func (s *Store) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.PagedSymbols(q, pageSymbols, func(page ports.SymbolQuery) ([]domain.SymbolMeta, error) {
		return s.readSymbols(ctx, page)
	})
}

func (s *Store) readSymbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	const op = "symbols"
	sql, args, err := symbolSearch(s.bun, q)
	var symbols []domain.SymbolMeta
	if err == nil {
		symbols, err = collect(ctx, s, op, statement{sql: sql, args: args}, scanSymbol)
	}

	return symbols, translate(ctx, op, q.Pattern, err)
}

// symbolTexts returns the texts of the valid symbols, because an invalid one is in no table and may not even be text.
func symbolTexts(symbols []domain.Symbol) []string {
	texts := make([]string, 0, len(symbols))
	for _, symbol := range symbols {
		if symbol.Validate() == nil {
			texts = append(texts, string(symbol))
		}
	}

	return texts
}

// PutSymbols implements ports.SymbolWriter. Of two entries of one symbol, the last is stored.
func (s *Store) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	const op = "put symbols"
	subject := ""
	err := ctx.Err()
	last := map[domain.Symbol]int{} // index in metas
	for i, m := range metas {
		if err = m.Validate(); err != nil {
			subject = string(m.Symbol)
			break
		}
		last[m.Symbol] = i
	}

	if err == nil && len(metas) > 0 {
		err = s.requireVersions(ctx)
	}
	if err == nil && len(metas) > 0 {
		var stored []domain.SymbolMeta
		for i, m := range metas {
			if last[m.Symbol] == i {
				stored = append(stored, m)
			}
		}
		err = s.withConn(ctx, op, func(db session) error {
			return db.exec(ctx, upsertSymbols, symbolArrays(stored)...)
		})
	}

	return translate(ctx, op, subject, err)
}
