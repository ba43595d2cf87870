package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// symbolRow is a row of the catalog.
type symbolRow struct {
	bun.BaseModel `bun:"table:marketdata.symbols,alias:s"`

	Symbol, Venue, Base, Quote string
	Tick, Lot                  string // as text: the driver's own decimals are not ours
	Zone                       string
}

const symbolColumns = "symbol, venue, base, quote, tick::text, lot::text, zone"

func scanSymbol(row pgx.CollectableRow) (m domain.SymbolMeta, err error) {
	var tick, lot string
	if err = row.Scan(&m.Symbol, &m.Venue, &m.Base, &m.Quote, &tick, &lot, &m.Zone); err != nil {
		return m, err
	}

	if m.Tick, err = domain.ParseDecimal(tick); err == nil {
		m.Lot, err = domain.ParseDecimal(lot)
	}
	return m, asShape("symbols", err)
}

func symbolArgs(m domain.SymbolMeta) []any {
	return []any{string(m.Symbol), m.Venue, m.Base, m.Quote, m.Tick.String(), m.Lot.String(), m.Zone}
}

// Symbols implements ports.SymbolCatalog.
func (s *Store) Symbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	var bound binder
	search := s.bun.NewSelect().Model((*symbolRow)(nil)).ColumnExpr(symbolColumns).Order("symbol")
	if len(q.Symbols) > 0 {
		search.Where("symbol = ANY(?)", bound.value(names(q.Symbols)))
	}
	if q.Pattern != "" {
		search.Where("symbol LIKE ?", bound.value(likePattern.Replace(q.Pattern)))
	}
	if q.Limit > 0 {
		search.Limit(int64(q.Limit))
	}
	text, err := search.AppendQuery(s.bun.QueryGen(), nil)
	var found []domain.SymbolMeta
	if err == nil {
		err = s.query(ctx, string(text), bound.values, func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, scanSymbol)
			return err
		})
	}

	return found, translate(ctx, "symbols", q.Pattern, err)
}

// names is the symbols' texts. What is no symbol is left out: nothing holds it.
func names(symbols []domain.Symbol) []string {
	texts := make([]string, 0, len(symbols))
	for _, symbol := range symbols {
		if symbol.Validate() == nil {
			texts = append(texts, string(symbol))
		}
	}

	return texts
}

// likePattern turns the catalog's pattern into LIKE's.
var likePattern = strings.NewReplacer("*", "%", "?", "_", "%", `\%`, "_", `\_`, `\`, `\\`)

// PutSymbols implements ports.SymbolWriter.
func (s *Store) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	subject := ""
	err := ctx.Err()
	last := map[domain.Symbol]int{} // of a symbol that is given twice, the last stands
	for i, m := range metas {
		if err = m.Validate(); err != nil {
			subject = string(m.Symbol)
			break
		}
		last[m.Symbol] = i
	}

	if err == nil && len(metas) > 0 {
		var columns [7][]string
		for i, m := range metas {
			if last[m.Symbol] != i {
				continue
			}
			for c, value := range symbolArgs(m) {
				columns[c] = append(columns[c], value.(string))
			}
		}

		args := make([]any, len(columns))
		for i := range columns {
			args[i] = columns[i]
		}
		err = s.withConn(ctx, func(conn *pgx.Conn) error {
			w := writer{Store: s, conn: conn}
			_, err := w.exec(ctx, upsertSymbols, args...)
			return err
		})
	}

	return translate(ctx, "put symbols", subject, err)
}

// binder lets bun build the text of a statement whose values are bound: where bun would write a value it writes $1, $2, ...
type binder struct{ values []any }

func (b *binder) value(v any) schema.QueryAppender {
	b.values = append(b.values, v)
	return placeholder(len(b.values))
}

type placeholder int

// AppendQuery implements schema.QueryAppender.
func (p placeholder) AppendQuery(_ schema.QueryGen, b []byte) ([]byte, error) {
	return fmt.Appendf(b, "$%d", int(p)), nil
}
