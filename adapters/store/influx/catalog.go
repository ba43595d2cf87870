package influx

import (
	"context"
	"iter"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Symbols yields the symbols that have bars. It reads them from the tags, so a symbol has no metadata beyond its own
// text, and a symbol whose last bar was deleted is unknown.
func (s *Store) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		metas, err := s.readSymbols(ctx, q)
		return metas, translate("symbols", q.Pattern, err)
	})
}

func (s *Store) readSymbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	names, err := s.readSymbolNames(ctx, q.Symbols)
	if err != nil {
		return nil, err
	}

	var metas []domain.SymbolMeta
	for _, name := range names {
		if q.Limit > 0 && len(metas) == q.Limit {
			break
		}
		isSelected := name > q.After && (len(q.Symbols) == 0 || slices.Contains(q.Symbols, name))
		if isSelected && (q.Pattern == "" || name.Matches(q.Pattern)) {
			metas = append(metas, domain.NewSymbolMeta(name))
		}
	}

	return metas, nil
}

// readSymbolNames returns the stored symbols, ordered. An existing layout gives a trading pair several names, so for
// such a layout the result contains only the names in requested, unless requested is empty.
func (s *Store) readSymbolNames(ctx context.Context, requested []domain.Symbol) ([]domain.Symbol, error) {
	var names []domain.Symbol
	if s.layout.existing == nil {
		values, err := s.readTagValues(ctx, tagSymbol, nil)
		if err != nil {
			return nil, err
		}

		for _, v := range values[0] {
			if name := domain.Symbol(v); name.Validate() == nil { // because no request can name an invalid one
				names = append(names, name)
			}
		}
	} else {
		extents, err := s.readExtents(ctx, requested)
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

// readTagValues returns the values of a tag, one list for each element of wheres: the values in the series that its
// conditions select.
func (s *Store) readTagValues(ctx context.Context, tag string, wheres ...[]condition) ([][]string, error) {
	lists := make([][]string, len(wheres))
	for from := 0; from < len(wheres); {
		q := joinStatements(len(wheres)-from, func(i, firstParam int) query {
			return s.layout.showTagValues(tag, wheres[from+i], firstParam)
		})
		err := s.queryRows(ctx, q, func(t table, values []any) error {
			value, ok := values[len(values)-1].(string) // the columns are key and value
			if !ok {
				return malformedError("%v where a tag value should be", values)
			}

			list := &lists[from+t.statement]
			*list = append(*list, value)

			return nil
		})
		if err != nil {
			return nil, err
		}

		from += q.statements
	}

	return lists, nil
}
