// Package router joins several stores into one ports.Store by the routing of the application, so that tests can hold a
// whole wiring to the contract suite of one store.
package router

import (
	"context"
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Router is several stores as one: every frequency is read from and written to the first source that takes it. Its
// errors are those of the stores.
type Router []app.Source

var _ ports.Store = Router(nil)

// forGrid returns the store of the grid.
func (r Router) forGrid(g domain.Grid) (ports.Store, error) {
	for _, s := range r {
		if s.Bars != nil && s.Takes.Contains(g.Frequency()) {
			return s.Bars, nil
		}
	}

	return nil, fmt.Errorf("no store takes bars of %s: %w", g, ports.ErrInvalid)
}

// ReadBars reads from the source of the key's frequency.
func (r Router) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	s, err := r.forGrid(q.Key.Grid)
	if err != nil {
		return func(yield func(ports.Piece[domain.Series], error) bool) {
			yield(ports.Piece[domain.Series]{}, err)
		}
	}

	return s.ReadBars(ctx, q)
}

// WriteBatch writes each series to the source of its frequency.
func (r Router) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := ports.NewWriteResults("write bars", "", writes)
	for i, w := range writes {
		if results[i].Err != nil {
			continue
		}

		s, err := r.forGrid(w.Bars.Key().Grid)
		if err != nil {
			results[i].Err = err
			continue
		}

		results[i] = s.WriteBatch(ctx, []ports.BarWrite{w})[0]
	}

	return results
}

// ReplaceBars replaces in the source of the key's frequency.
func (r Router) ReplaceBars(ctx context.Context, bars domain.Series, within domain.Range) (ports.WriteReport, error) {
	s, err := r.forGrid(bars.Key().Grid)
	if err != nil {
		return ports.WriteReport{}, err
	}

	return s.ReplaceBars(ctx, bars, within)
}

// DeleteBars deletes from the source of the key's frequency.
func (r Router) DeleteBars(ctx context.Context, key domain.SeriesKey, within domain.Range) (ports.WriteReport, error) {
	s, err := r.forGrid(key.Grid)
	if err != nil {
		return ports.WriteReport{}, err
	}

	return s.DeleteBars(ctx, key, within)
}

// Extents yields the coverage of all sources together, of the bars that are read through the Router.
func (r Router) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		var all []domain.Extent
		for _, s := range r {
			if s.Bars == nil {
				continue
			}

			for e, err := range s.Bars.Extents(ctx, q) {
				if err != nil {
					return nil, err
				}
				if s.Takes.Contains(e.Key.Grid.Frequency()) {
					all = append(all, e)
				}
			}
		}

		return domain.MergeExtents(all), nil
	})
}
