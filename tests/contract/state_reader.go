package contract

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// StateReader tests a store that reads states without bars against every law of ports.StateReader. The expected states
// are those of the store's BarReader, which BarStore tests.
func StateReader(t *testing.T, open Open, p Profile) {
	t.Helper()
	stateReaderSuite.run(t, open, p)
}

// stateReaderLaws is every law of ports.StateReader.
var stateReaderLaws = []law[Store]{
	{
		name: "states/equal_those_of_reads",
		text: "a state is the one that a read of the range yields: version, coverage, blocks and tail",
		check: func(ctx context.Context, s Store) error {
			f := barStates()
			whole := span(f.block(0, 0), f.block(3, 0))
			changes := []func() error{
				func() error { return f.write(ctx, s, f.block(0, 10), f.block(0, 20), 1) },
				func() error { return f.write(ctx, s, f.block(2, 0), f.block(2, 5), 1) },
				func() error { return f.declare(ctx, s, whole) },
				func() error { return f.write(ctx, s, f.block(2, 5), f.block(2, 6), 1) },
				func() error { return f.delete(ctx, s, span(f.block(0, 12), f.block(0, 14))) },
				func() error { return f.delete(ctx, s, whole) },
			}
			for i := range len(changes) + 1 {
				for _, r := range []domain.Range{whole, span(f.block(2, 1), f.block(2, 2)), span(f.block(1, 0), f.block(1, 9))} {
					if err := wantStateOfRead(ctx, s, r); err != nil {
						return fmt.Errorf("after %d changes: %w", i, err)
					}
				}
				if i < len(changes) {
					if err := changes[i](); err != nil {
						return err
					}
				}
			}

			return nil
		},
	},
	{
		name: "states/nil_where_known",
		text: "the state of a series that still has the known version is nil; one that was written since, and one " +
			"that was never written, is not",
		check: func(ctx context.Context, s Store) error {
			known := func(v domain.Version) ports.SeriesQuery {
				return ports.SeriesQuery{Key: key, State: ports.StateQuery{Range: always, Known: v}}
			}
			never, err := readStates(ctx, s, known(domain.Version{}))
			if err == nil && (never[0] == nil || never[0].Version != domain.Version{}) {
				err = fmt.Errorf("ReadStates of a series that was never written got %v, want the zero state", never[0])
			}
			if err != nil {
				return err
			}

			if err := write(ctx, s, bars(key, start, 3, 1)); err != nil {
				return err
			}
			first, err := readStates(ctx, s, known(domain.Version{}))
			if err != nil {
				return err
			}
			if first[0] == nil {
				return fmt.Errorf("ReadStates got no state of a series whose version is not known, want one")
			}
			again, err := readStates(ctx, s, known(first[0].Version))
			if err == nil && again[0] != nil {
				err = fmt.Errorf("ReadStates with the known version %s got the state %v, want nil", first[0].Version, *again[0])
			}
			if err != nil {
				return err
			}

			if err := write(ctx, s, bars(key, start, 3, 2)); err != nil {
				return err
			}
			next, err := readStates(ctx, s, known(first[0].Version))
			if err == nil && (next[0] == nil || next[0].Version == first[0].Version) {
				err = fmt.Errorf("ReadStates after a write got %v, want the new version", next[0])
			}

			return err
		},
	},
	{
		name: "states/in_the_order_of_the_queries",
		text: "state i is that of query i, also of queries that repeat and of series that the store does not have",
		check: func(ctx context.Context, s Store) error {
			keys := []domain.SeriesKey{key, minuteKey("NO/SUCH"), minuteKey("ETH/USD"), gridKey("1h"), key, minuteKey("A")}
			versions := map[domain.SeriesKey]domain.Version{}
			for i, k := range []domain.SeriesKey{keys[0], keys[2], keys[3]} {
				if err := write(ctx, s, bars(k, start, 5+i, 1)); err != nil {
					return err
				}
				_, state, err := collectState(k, s.Bars.ReadBars(ctx, all(k)))
				if err != nil {
					return err
				}
				versions[k] = state.Version
			}

			for n := range 1_500 / 50 {
				var queries []ports.SeriesQuery
				for i := range n * 50 {
					queries = append(queries, ports.SeriesQuery{Key: keys[(i*n+i)%len(keys)], State: ports.StateQuery{Range: always}})
				}
				states, err := readStates(ctx, s, queries...)
				if err != nil {
					return err
				}
				for i, q := range queries {
					if states[i] == nil || states[i].Version != versions[q.Key] {
						return fmt.Errorf("ReadStates, state %d of %d, of %s: got %v, want version %s",
							i, len(queries), q.Key, states[i], versions[q.Key])
					}
				}
			}

			return nil
		},
	},
	{
		name: "states/canceled",
		text: "a call whose context is done returns an error that wraps the context's",
		check: func(ctx context.Context, s Store) error {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			_, err := s.States.ReadStates(ctx, []ports.SeriesQuery{{Key: key}})

			return wantError(err, context.Canceled)
		},
	},
}

// wantStateOfRead fails unless the state that is read alone is the one that comes with the bars of r.
func wantStateOfRead(ctx context.Context, s Store, r domain.Range) error {
	_, want, err := collectState(key, s.Bars.ReadBars(ctx, ports.BarQuery{Key: key, Range: r}))
	if err != nil {
		return err
	}
	states, err := readStates(ctx, s, ports.SeriesQuery{Key: key, State: ports.StateQuery{Range: r}})
	if err != nil {
		return err
	}

	got := states[0]
	if got == nil || got.Version != want.Version || !slices.EqualFunc(got.Coverage, want.Coverage, domain.Range.Equal) ||
		!slices.Equal(got.BlocksWithin(barStates().layout, r), want.BlocksWithin(barStates().layout, r)) {
		return fmt.Errorf("got the state %+v of %s, want %+v", got, r, *want)
	}

	return nil
}

// readStates reads the states of the queries, and checks their number.
func readStates(ctx context.Context, s Store, queries ...ports.SeriesQuery) ([]*domain.SeriesState, error) {
	states, err := s.States.ReadStates(ctx, queries)
	if err == nil && len(states) != len(queries) {
		err = fmt.Errorf("ReadStates got %d states, want one for each of %d queries", len(states), len(queries))
	}

	return states, err
}
