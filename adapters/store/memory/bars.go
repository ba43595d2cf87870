package memory

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func barTable(s *Store) table[domain.SeriesKey, domain.Series] {
	return table[domain.SeriesKey, domain.Series]{
		store: s, kind: "bars", held: map[domain.SeriesKey]held[domain.Series]{},
		keyOf:    domain.Series.Key,
		validate: domain.SeriesKey.Validate,
		symbol:   func(key domain.SeriesKey) domain.Symbol { return key.Symbol },
		text:     domain.SeriesKey.String,
		begins:   func(bars domain.Series) time.Time { return bars.OpenTime(0) },
		compare:  func(a domain.Series, i int, b domain.Series, j int) int { return a.OpenTime(i).Compare(b.OpenTime(j)) },
		join: func(key domain.SeriesKey, pieces []domain.Series) (domain.Series, error) {
			b := domain.NewSeriesBuilder(key, count(pieces))
			for _, p := range pieces {
				if err := b.AppendSeries(p); err != nil {
					return domain.Series{}, err
				}
			}

			return b.Series()
		},
	}
}

// ReadBars yields what the store held when the range began, in the pieces it is held in, without copying a bar.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	return s.bars.read(ctx, q.Key, q.Range, q.First, q.Last)
}

// WriteBars inserts or overwrites the bars, and claims the range.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	return s.bars.write(ctx, bars.Key(), claim, bars)
}

// ReplaceBars puts the bars in the place of everything in r, and claims r; an empty Series deletes both.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.bars.replace(ctx, bars, r)
}

// Extents returns what writers claimed of the symbols, or of all.
func (s *Store) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("extents", "", err)
	}

	s.mu.RLock()
	defer s.mu.RUnlock()
	var extents []domain.Extent
	for key, r := range s.bars.claims(symbols) {
		extents = append(extents, domain.Extent{Key: key, Range: r})
	}
	slices.SortFunc(extents, func(a, b domain.Extent) int {
		return cmp.Or(a.Key.Compare(b.Key), a.Range.Start.Compare(b.Range.Start)) // those of one key are disjoint as they are held
	})

	return extents, nil
}
