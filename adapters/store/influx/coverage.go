package influx

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// maxBoundSymbols is up to how many symbols a query names; for more, all are asked for and the others dropped.
const maxBoundSymbols = 64

// Extents returns, for every series, the range from its first bar to the end of its last, marked assumed: the claims live in the
// relational store. Series that no request can name, because their tags are no Symbol, Grid or PriceType, are not reported.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	extents, err := s.extents(ctx, symbols)
	return extents, translate("extents", subject(symbols), err)
}

func subject(symbols []domain.Symbol) string {
	if len(symbols) == 1 {
		return string(symbols[0])
	}
	return ""
}

func (s *Store) extents(ctx context.Context, symbols []domain.Symbol) ([]domain.Extent, error) {
	found, err := s.edges(ctx, symbols)
	if err != nil {
		return nil, err
	}

	venues := map[string]int{} // exchanges a trading pair
	for _, e := range found {
		if s.layout.existing != nil {
			venues[e.tags[s.layout.existing.SymbolTag]]++
		}
	}

	var extents []domain.Extent
	for _, e := range found {
		keys := s.layout.seriesKeys(e.tags, func(pair string) bool { return venues[pair] == 1 })
		if len(symbols) == 0 && len(keys) > 1 {
			keys = keys[:1] // one name is enough where all are listed
		}
		for _, key := range keys {
			if len(symbols) == 0 || slices.Contains(symbols, key.Symbol) {
				r := domain.Range{Start: key.Grid.Floor(e.first), End: key.Grid.Next(e.last)}
				extents = append(extents, domain.Extent{Key: key, Range: r, Inferred: true})
			}
		}
	}

	return domain.MergeExtents(extents), nil
}

// edge is the first and last open time of the series with the tags.
type edge struct {
	tags        map[string]string
	first, last time.Time
}

// edges asks for the ends of all series of the symbols, or of every symbol.
func (s *Store) edges(ctx context.Context, symbols []domain.Symbol) ([]edge, error) {
	var names []string
	if len(symbols) <= maxBoundSymbols {
		for _, symbol := range symbols {
			name := string(symbol)
			if s.layout.existing != nil {
				name = symbol.Instrument()
			}
			if name != "" { // to InfluxQL, the series that lack the tag
				names = append(names, name)
			}
		}
		if len(symbols) > 0 && len(names) == 0 {
			return nil, nil
		}
	}

	var found []edge
	err := s.rowsOf(ctx, s.layout.edges(names), func(t table, values []any) error {
		nanos, ok := values[0].(int64)
		if !ok {
			return malformed("%v where a time should be", values[0])
		}

		at := time.Unix(0, nanos).UTC()
		if t.statement == 0 {
			found = append(found, edge{tags: t.tags, first: at, last: at})
			return nil
		}

		i := slices.IndexFunc(found, func(e edge) bool { return maps.Equal(e.tags, t.tags) })
		if i >= 0 { // else the series came to be between the two statements
			found[i].last = at
		}
		return nil
	})

	return found, err
}
