package influx

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// maxBoundSymbols limits the symbols that a query of edges names. For more symbols, the query reads the series of every
// symbol, and the store filters them.
const maxBoundSymbols = 64

// Extents yields the range from the first bar to the end of the last bar of each series, marked as inferred, because
// the relational store keeps the declared coverage. It omits a series whose tags are no valid Symbol, Grid or
// PriceType, because no request can name it.
func (s *Store) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		extents, err := s.readExtents(ctx, q.Symbols)
		extents = slices.DeleteFunc(extents, func(e domain.Extent) bool { return e.Key.Symbol <= q.After })

		return extents, translate("extents", extentsSubject(q.Symbols), err)
	})
}

// ListsOnePage implements ports.OnePageLister.
func (s *Store) ListsOnePage() bool { return true }

// extentsSubject returns the symbol if there is exactly one, for errors.
func extentsSubject(symbols []domain.Symbol) string {
	if len(symbols) == 1 {
		return string(symbols[0])
	}
	return ""
}

func (s *Store) readExtents(ctx context.Context, symbols []domain.Symbol) ([]domain.Extent, error) {
	edges, err := s.readEdges(ctx, symbols)
	if err != nil {
		return nil, err
	}

	venues := map[string]int{} // how many exchanges have the trading pair
	if s.layout.existing != nil {
		for _, e := range edges {
			venues[e.tags[0]]++
		}
	}

	var extents []domain.Extent
	for _, e := range edges {
		keys := s.layout.seriesKeys(e.tags, func(pair string) bool { return venues[pair] == 1 })
		if len(symbols) == 0 && len(keys) > 1 {
			keys = keys[:1] // a list of every series has each series once
		}
		for _, key := range keys {
			if len(symbols) == 0 || slices.Contains(symbols, key.Symbol) {
				first, last := time.Unix(0, e.first).UTC(), time.Unix(0, e.last).UTC()
				r := domain.Range{Start: key.Grid.Floor(first), End: key.Grid.Next(last)}
				extents = append(extents, domain.Extent{Key: key, Range: r, Inferred: true})
			}
		}
	}

	return domain.MergeExtents(extents), nil
}

// edge is the open times of the first and the last bar of the series with the tags, in nanoseconds since 1970.
type edge struct {
	tags        seriesTags
	first, last int64
	hasLast     bool
}

// maxEdgeAttempts limits how often readEdges reads.
const maxEdgeAttempts = 3

// readEdges returns the edges of the series of the symbols. No symbols are the series of every symbol, and more than
// maxBoundSymbols may be. It reads again if a series has a first bar and no last one. Then its bars were deleted
// between the two statements, or the server dropped the row without a mark, as 1.8 does if its max-row-limit falls
// between two series.
func (s *Store) readEdges(ctx context.Context, symbols []domain.Symbol) ([]edge, error) {
	names, err := s.symbolTagValues(ctx, symbols)
	if err != nil || len(names) == 0 && len(symbols) > 0 {
		return nil, err
	}
	if len(names) > maxBoundSymbols {
		names = nil
	}

	for range maxEdgeAttempts {
		edges, err := s.readEdgesOnce(ctx, names)
		if err != nil || !slices.ContainsFunc(edges, func(e edge) bool { return !e.hasLast }) {
			return edges, err
		}
	}

	return nil, fmt.Errorf("the response has the first bar of a series and not the last; check max-row-limit of the "+
		"server: %w", ports.ErrIncomplete)
}

func (s *Store) readEdgesOnce(ctx context.Context, names []string) ([]edge, error) {
	var edges []edge
	edgeOf := map[seriesTags]int{} // index of the edge of a series
	err := s.queryRows(ctx, s.layout.selectEdges(names), func(t table, values []any) error {
		at, ok := values[0].(int64)
		if !ok {
			return malformedError("%v where a time should be", values[0])
		}

		tags := s.layout.seriesTags(t.tags)
		if t.statement == 0 {
			edgeOf[tags] = len(edges)
			edges = append(edges, edge{tags: tags, first: at})

			return nil
		}

		// A series whose first bar was written between the two statements has no edge.
		if i, found := edgeOf[tags]; found {
			edges[i].last, edges[i].hasLast = at, true
		}

		return nil
	})

	return edges, err
}

// symbolTagValues returns the values of the symbol tag that the symbols have. It omits an empty value, because InfluxQL
// takes that for the series without the tag. Of many symbols it returns those that are stored, because a query of edges
// is slow where it cannot name the symbols, and nothing has to be read for new ones.
func (s *Store) symbolTagValues(ctx context.Context, symbols []domain.Symbol) ([]string, error) {
	names := make(map[string]struct{}, len(symbols))
	for _, symbol := range symbols {
		name := string(symbol)
		if s.layout.existing != nil {
			name = symbol.Instrument()
		}
		if name != "" {
			names[name] = struct{}{}
		}
	}
	if len(names) <= maxBoundSymbols {
		return slices.Sorted(maps.Keys(names)), nil
	}

	stored, err := s.readTagValues(ctx, s.layout.keyTags[0], s.layout.commonConditions())
	if err != nil {
		return nil, err
	}

	return slices.DeleteFunc(stored[0], func(name string) bool {
		_, isWanted := names[name]
		return !isWanted
	}), nil
}
