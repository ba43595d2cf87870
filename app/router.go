package app

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Router is several stores as one: every frequency is read from and written to the one source that takes it. Its errors are those
// of the stores.
type Router struct{ stores stores }

var _ ports.Store = (*Router)(nil)

// NewRouter returns a Router of the sources that have bars, the preferred one first. It refuses a list without a source, and
// sources that contradict themselves or each other.
func NewRouter(sources ...Source) (*Router, error) {
	all, err := newStores(sources)
	if err != nil {
		return nil, err
	}

	return &Router{stores: all}, nil
}

// ReadBars reads from the source of the key's frequency.
func (r *Router) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	s, err := r.stores.ofBars(q.Key.Grid)
	if err != nil {
		return func(yield func(domain.Series, error) bool) {
			yield(domain.Series{}, refusal("read bars", q.Key.String(), err))
		}
	}

	return s.Bars.ReadBars(ctx, q)
}

// WriteBars writes to the source of the key's frequency.
func (r *Router) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	s, err := r.stores.ofBars(bars.Key().Grid)
	if err != nil {
		return ports.WriteReport{}, refusal("write bars", bars.Key().String(), err)
	}

	return s.Bars.WriteBars(ctx, bars, claim)
}

// ReplaceBars replaces in the source of the key's frequency.
func (r *Router) ReplaceBars(ctx context.Context, bars domain.Series, within domain.Range) (ports.WriteReport, error) {
	s, err := r.stores.ofBars(bars.Key().Grid)
	if err != nil {
		return ports.WriteReport{}, refusal("replace bars", bars.Key().String(), err)
	}

	return s.Bars.ReplaceBars(ctx, bars, within)
}

// Extents is the extents of all sources together. What a source holds outside of the frequencies that it is asked for cannot be
// read through the Router and is left out.
func (r *Router) Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error) {
	var all []domain.Extent
	for _, s := range r.stores {
		if s.Bars == nil {
			continue
		}

		held, err := s.Bars.Extents(ctx, symbols...)
		if err != nil {
			return nil, err
		}

		all = append(all, r.stores.reachable(s, held)...)
	}

	return domain.MergeExtents(all), nil
}
