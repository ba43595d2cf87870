package contract

import (
	"context"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// stateReaderFunc is a StateReader over the memory store.
type stateReaderFunc func(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error)

func (f stateReaderFunc) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	return f(ctx, queries)
}

func TestEveryStateReaderLawNoticesAFault(t *testing.T) {
	t.Parallel()
	faults := map[string]func(next *memory.Store) stateReaderFunc{
		"states/equal_those_of_reads": func(next *memory.Store) stateReaderFunc { // no coverage
			return func(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
				states, err := next.ReadStates(ctx, queries)
				for i := range states {
					states[i] = &domain.SeriesState{Version: states[i].Version, Blocks: states[i].Blocks}
				}

				return states, err
			}
		},
		"states/nil_where_known": func(next *memory.Store) stateReaderFunc { // every version is known
			return func(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
				queries = slices.Clone(queries)
				for i := range queries {
					queries[i].State.Known = domain.Version{}
				}

				return next.ReadStates(ctx, queries)
			}
		},
		"states/in_the_order_of_the_queries": func(next *memory.Store) stateReaderFunc { // each series once
			return func(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
				states, err := next.ReadStates(ctx, queries)
				slices.Reverse(states)

				return states, err
			}
		},
		"states/canceled": func(next *memory.Store) stateReaderFunc {
			return func(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
				return next.ReadStates(context.WithoutCancel(ctx), queries)
			}
		},
	}
	for _, l := range stateReaderLaws {
		s := memory.New()
		fault, found := faults[l.name]
		if !found {
			t.Errorf("no fault breaks %s", l.name)
			continue
		}
		if !isNoticed(t, l.run(t.Context(), Store{Bars: s, States: fault(s)})) {
			t.Errorf("the law %s does not notice: %s", l.name, l.text)
		}
	}
}
