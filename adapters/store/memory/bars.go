package memory

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func newBarTable(s *Store) table[domain.SeriesKey, domain.Series] {
	return table[domain.SeriesKey, domain.Series]{
		store: s, kind: "bars", entries: map[domain.SeriesKey]entry[domain.Series]{},
		keys:        map[domain.Symbol][]domain.SeriesKey{},
		keyOf:       domain.Series.Key,
		empty:       domain.EmptySeries,
		layout:      func(key domain.SeriesKey) domain.BlockLayout { return domain.BarBlocks(key.Grid) },
		validate:    domain.SeriesKey.Validate,
		symbolOf:    func(key domain.SeriesKey) domain.Symbol { return key.Symbol },
		compareKeys: domain.SeriesKey.Compare,
		keyText:     domain.SeriesKey.String,
		startTime:   func(bars domain.Series) time.Time { return bars.OpenTime(0) },
		compare: func(a domain.Series, i int, b domain.Series, j int) int {
			return a.OpenTime(i).Compare(b.OpenTime(j))
		},
		concat: func(key domain.SeriesKey, pieces []domain.Series) (domain.Series, error) {
			b := domain.NewSeriesBuilder(key, countRows(pieces))
			for _, p := range pieces {
				if err := b.AppendSeries(p); err != nil {
					return domain.Series{}, err
				}
			}

			return b.Series()
		},
	}
}

// ReadBars yields the bars that are stored when the iteration begins, in the stored pieces, without copying a bar.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return s.bars.read(ctx, q.Key, q.Range, q.First, q.Last)
}

// ReadStates implements ports.StateReader. Each state has the blocks of the whole series.
func (s *Store) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("read states", "", err)
	}

	states := make([]*domain.SeriesState, len(queries))
	for i, q := range queries {
		if state := s.bars.lookup(q.Key).state; state == unwritten || state.Version != q.State.Known {
			states[i] = state
		}
	}

	return states, nil
}

// WriteBatch implements ports.BarWriter, one series after the other.
func (s *Store) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := ports.NewWriteResults("write bars", Name, writes)
	for i, w := range writes {
		if r := &results[i]; r.Err == nil {
			r.Report, r.Err = s.bars.write(ctx, w.Bars.Key(), w.Coverage, w.OnConflict, w.Bars)
		}
	}

	return results
}

// ReplaceBars implements ports.BarWriter.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.bars.replace(ctx, bars, r)
}

// DeleteBars implements ports.BarWriter.
func (s *Store) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	return s.bars.delete(ctx, key, r)
}

// Extents implements ports.CoverageReader.
func (s *Store) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) { return s.findExtents(ctx, q) })
}

// ListsOnePage implements ports.OnePageLister.
func (s *Store) ListsOnePage() bool { return true }

// LocalExtents implements ports.LocalCoverage.
func (s *Store) LocalExtents(symbol domain.Symbol, _ time.Duration) ([]domain.Extent, bool) {
	one := [...]domain.Symbol{symbol}
	extents, err := s.findExtents(context.Background(), ports.ExtentQuery{Symbols: one[:]})

	return extents, err == nil
}

func (s *Store) findExtents(ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("extents", "", err)
	}

	s.mu.RLock()
	defer s.mu.RUnlock()

	var extents []domain.Extent
	if len(q.Symbols) == 0 {
		extents = make([]domain.Extent, 0, len(s.bars.entries)) // one range per series, as a rule
	}
	s.bars.eachExtent(q, func(key domain.SeriesKey, r domain.Range) {
		extents = append(extents, domain.Extent{Key: key, Range: r})
	})

	return extents, nil
}
