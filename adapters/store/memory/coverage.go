package memory

import (
	"cmp"
	"context"
	"slices"

	"github.com/gal-friday/marketdata/domain"
)

// Extents returns what writers claimed of the symbols, or of all.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("extents", "", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var extents []domain.Extent
	for key, h := range s.series {
		if len(symbols) > 0 && !slices.Contains(symbols, key.Symbol) {
			continue
		}
		for _, r := range h.claims {
			extents = append(extents, domain.Extent{Key: key, Range: r})
		}
	}
	slices.SortFunc(extents, func(a, b domain.Extent) int {
		return cmp.Or(a.Key.Compare(b.Key), a.Range.Start.Compare(b.Range.Start)) // those of one key are disjoint as they are held
	})
	return extents, nil
}

// subtract is the ranges without r.
func subtract(ranges []domain.Range, r domain.Range) []domain.Range {
	var left []domain.Range
	for _, o := range ranges {
		left = append(left, o.Subtract([]domain.Range{r})...)
	}
	return left
}
