package influx

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Symbols returns the symbols that have bars, with what their own text tells: the tags are the catalog, and nothing else is kept. A
// symbol whose last bar was deleted is no longer known.
func (s *Store) Symbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	metas, err := s.symbols(ctx, q)
	return metas, translate("symbols", q.Pattern, err)
}

func (s *Store) symbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	names, err := s.symbolNames(ctx, q.Symbols)
	if err != nil {
		return nil, err
	}

	var metas []domain.SymbolMeta
	for _, name := range names {
		if q.Limit > 0 && len(metas) == q.Limit {
			break
		}
		if (len(q.Symbols) == 0 || slices.Contains(q.Symbols, name)) && (q.Pattern == "" || name.Matches(q.Pattern)) {
			metas = append(metas, domain.NewSymbolMeta(name))
		}
	}

	return metas, nil
}

// symbolNames is every symbol held, ordered; of an existing layout, which gives a pair several names, only those of the symbols
// asked for where some are.
func (s *Store) symbolNames(ctx context.Context, asked []domain.Symbol) ([]domain.Symbol, error) {
	var names []domain.Symbol
	if s.layout.existing == nil {
		values, err := s.tagValues(ctx, tagSymbol, nil)
		if err != nil {
			return nil, err
		}

		for _, v := range values[0] {
			if name := domain.Symbol(v); name.Validate() == nil { // no request can name another
				names = append(names, name)
			}
		}
	} else {
		extents, err := s.extents(ctx, asked)
		if err != nil {
			return nil, err
		}

		for _, e := range extents {
			names = append(names, e.Key.Symbol)
		}
	}

	slices.Sort(names)
	return slices.Compact(names), nil
}

// tagValues lists the values of a tag of the bars for which some conditions hold: list i for those of wheres[i].
func (s *Store) tagValues(ctx context.Context, tag string, wheres ...[]condition) ([][]string, error) {
	lists := make([][]string, len(wheres))
	for from := 0; from < len(wheres); {
		st := join(len(wheres)-from, func(b *builder, i int) { s.layout.tagValues(b, tag, wheres[from+i]) })
		err := s.rowsOf(ctx, st, func(t table, values []any) error {
			value, ok := values[len(values)-1].(string) // the columns are key and value
			if !ok {
				return malformed("%v where a tag's value should be", values)
			}

			list := &lists[from+t.statement]
			*list = append(*list, value)
			return nil
		})
		if err != nil {
			return nil, err
		}

		from += st.statements
	}

	return lists, nil
}
