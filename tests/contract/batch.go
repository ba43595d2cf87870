package contract

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// BatchReader tests a store that reads many series in one call against every law of ports.BatchReader. The expected
// results are those of the store's BarReader, which BarStore tests.
func BatchReader(t *testing.T, open Open, p Profile) {
	t.Helper()
	batchSuite.run(t, open, p)
}

// batchLaws is every law of ports.BatchReader. The form of a sequence (results in order, pieces with bars, of the
// query's key, ascending, nothing after an error) is checked by every read of every law.
var batchLaws = slices.Concat(batchResultLaws, batchStreamLaws, batchCorruptLaws)

// batchResultLaws are the laws on the results of a batch.
var batchResultLaws = []law[Store]{
	{
		name: "batch/equals_single_reads",
		text: "the results are those of ReadBars, query by query, for any combination of queries and repetitions",
		check: func(ctx context.Context, s Store) error {
			single, err := batchQueries(ctx, s)
			if err != nil {
				return err
			}

			want := make([]domain.Series, len(single))
			for i, q := range single {
				if want[i], err = read(ctx, s, q); err != nil {
					return err
				}
			}

			random := rand.New(rand.NewPCG(1, 2))
			for _, size := range []int{1, 1, 2, 2, 3, 10, 100, 500, 1_500} {
				queries, answers := make([]ports.BarQuery, size), make([]domain.Series, size)
				for i := range queries {
					n := random.IntN(len(single))
					queries[i], answers[i] = single[n], want[n]
				}
				if err := wantBatch(ctx, s, queries, answers...); err != nil {
					return fmt.Errorf("a batch of %d: %w", size, err)
				}
			}

			return wantBatch(ctx, s, single, want...)
		},
	},
	{
		name: "batch/nothing_requested_or_stored",
		text: "a batch of no queries, and one of queries without bars, yields no bar and no error",
		check: func(ctx context.Context, s Store) error {
			none := minuteKey("NO/SUCH")
			queries := []ports.BarQuery{all(none), query(span(3, 3)), {Key: none, Range: always, Last: 3}, query(span(5, 9))}
			empty := []domain.Series{domain.EmptySeries(none), domain.EmptySeries(key), domain.EmptySeries(none), domain.EmptySeries(key)}
			return steps(
				func() error { return wantBatch(ctx, s, nil) },
				func() error { return wantBatch(ctx, s, queries, empty...) },
				func() error { return write(ctx, s, bars(key, start, 5, 1)) },
				func() error { return wantBatch(ctx, s, []ports.BarQuery{}) },
				func() error { return wantBatch(ctx, s, queries, empty...) },
			)
		},
	},
	{
		name: "batch/long_answers",
		text: "the pieces of long results together are exactly the results, also next to short ones",
		check: func(ctx context.Context, s Store) error {
			other := minuteKey("ETH/USD")
			b, o := bars(key, start, manyBars, 1), bars(other, start, 10, 5)
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return write(ctx, s, o) },
				func() error {
					return wantBatch(ctx, s, []ports.BarQuery{
						all(other), all(key), {Key: key, Range: always, Last: manyBars - 1}, all(other), {Key: key, Range: always, First: 9_000},
					}, o, b, b.Slice(1, manyBars), o, b.Slice(0, 9_000))
				},
			)
		},
	},
	{
		name: "batch/hostile_is_data",
		text: "every valid symbol is a series of its own, also in a batch, even if a query language could misread it",
		check: func(ctx context.Context, s Store) error {
			var queries []ports.BarQuery
			var want []domain.Series
			for i, symbol := range hostile {
				b := bars(minuteKey(symbol), start, 2, i)
				if err := write(ctx, s, b); err != nil {
					return fmt.Errorf("WriteBatch of the symbol %q: %w", symbol, err)
				}

				queries, want = append(queries, all(b.Key())), append(want, b)
			}

			return wantBatch(ctx, s, queries, want...)
		},
	},
	{
		name: "batch/impossible_is_data",
		text: "a text that is no symbol makes the batch invalid or is found empty: it never reaches another " +
			"series, and breaks nothing",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 5, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for _, symbol := range impossible {
				k := minuteKey(symbol)
				err := wantBatch(ctx, s, []ports.BarQuery{all(key), all(k), all(key)}, b, domain.EmptySeries(k), b)
				if err != nil && !errors.Is(err, ports.ErrInvalid) {
					return fmt.Errorf("%q: %w", symbol, err)
				}
			}

			return wantBatch(ctx, s, []ports.BarQuery{all(key)}, b)
		},
	},
	{
		name: "batch/queries_unchanged",
		text: "a caller's queries are never changed",
		check: func(ctx context.Context, s Store) error {
			queries, err := batchQueries(ctx, s)
			if err != nil {
				return err
			}

			before := slices.Clone(queries)
			if _, err := readBatch(ctx, s, queries); err != nil {
				return err
			}

			for i, q := range queries {
				if q != before[i] {
					return fmt.Errorf("query %d of ReadBatch was changed: got %+v, want %+v", i, q, before[i])
				}
			}

			return nil
		},
	},
	{
		name: "batch/states",
		text: "the first piece of each query has the state that a single read has, also where there are no bars",
		check: func(ctx context.Context, s Store) error {
			if s.UnversionedBars {
				return notApplicableError("the store keeps no versions")
			}

			queries, err := batchQueries(ctx, s)
			if err != nil {
				return err
			}
			_, got, err := readBatchStates(ctx, s, queries)
			if err != nil {
				return err
			}
			for i, q := range queries {
				_, want, err := collectState(q.Key, s.Bars.ReadBars(ctx, q))
				if err != nil {
					return err
				}
				layout := domain.BarBlocks(q.Key.Grid)
				if got[i] == nil || got[i].Version != want.Version || got[i].Version == (domain.Version{}) != (i < 12) ||
					!slices.EqualFunc(got[i].Coverage, want.Coverage, domain.Range.Equal) ||
					q.First+q.Last == 0 && !slices.Equal(got[i].BlocksWithin(layout, q.Range), want.BlocksWithin(layout, q.Range)) {
					return fmt.Errorf("ReadBatch, query %d of %s: got %s, want %s", i, q.Key, stateOf(got[i]), stateOf(want))
				}
			}

			return nil
		},
	},
	{
		name: "batch/no_half_of_a_write",
		text: "a result concurrent with a replacement has the old bars or the new bars, never an empty range",
		race: true,
		check: func(ctx context.Context, s Store) error {
			versions := []domain.Series{bars(key, start, 50, 1), bars(key, start, 20, 2)}
			if err := write(ctx, s, versions[0]); err != nil {
				return err
			}

			queries := []ports.BarQuery{all(key), all(minuteKey("NO/SUCH")), all(key), {Key: key, Range: always, Last: 100}}

			return runAll(ctx,
				func(ctx context.Context) error {
					for i := range 50 {
						if _, err := s.Bars.ReplaceBars(ctx, versions[(i+1)%2], span(0, 50)); err != nil {
							return err
						}
					}

					return nil
				},
				func(ctx context.Context) error {
					for range 50 {
						got, err := readBatch(ctx, s, queries)
						if err != nil {
							return err
						}

						for _, i := range []int{0, 2, 3} {
							if sameBars(got[i], versions[0]) != nil && sameBars(got[i], versions[1]) != nil {
								return fmt.Errorf("ReadBatch beside replacements: query %d got %s, want one of the two versions", i, got[i])
							}
						}
					}

					return nil
				},
			)
		},
	},
}

// batchQueries writes series of several symbols, grids and price types, each in two distant runs. It returns queries of
// all kinds for them and for series without bars.
func batchQueries(ctx context.Context, s Store) ([]ports.BarQuery, error) {
	keys := []domain.SeriesKey{
		minuteKey("NO/SUCH"), key, minuteKey("ETH/USD"), minuteKey("COINBASE:BTC/USD"),
		gridKey("1h"), gridKey("1d@America/New_York"),
		{Symbol: key.Symbol, Grid: key.Grid, PriceType: domain.PriceBid},
	}
	for i, k := range keys[1:] {
		first := bars(k, start, 40, 100*i)
		if err := steps(
			func() error { return write(ctx, s, first) },
			func() error { return write(ctx, s, bars(k, first.Range().End.AddDate(1, 0, 0), 10+i, 100*i+50)) },
		); err != nil {
			return nil, err
		}
	}

	random := rand.New(rand.NewPCG(3, 4))
	var queries []ports.BarQuery
	for _, k := range keys {
		stored := bars(k, start, 40, 0)
		edge := func() int { return random.IntN(stored.Len()) }
		for range 4 {
			from, to := edge(), edge()
			within := domain.Range{Start: stored.OpenTime(min(from, to)), End: stored.OpenTime(max(from, to))} // may be empty
			for _, r := range []domain.Range{always, within, {Start: within.Start, End: always.End}} {
				q := ports.BarQuery{Key: k, Range: r}
				switch random.IntN(3) {
				case 0:
					q.First = 1 + random.IntN(60)
				case 1:
					q.Last = 1 + random.IntN(60)
				}

				queries = append(queries, q)
			}
		}
	}

	return queries, nil
}

// readBatch returns the results of a batch, and checks the form of the sequence.
func readBatch(ctx context.Context, s Store, queries []ports.BarQuery) ([]domain.Series, error) {
	results, _, err := readBatchStates(ctx, s, queries)
	return results, err
}

// readBatchStates also returns the state of each query; it is nil if the store keeps no versions.
func readBatchStates(
	ctx context.Context, s Store, queries []ports.BarQuery,
) ([]domain.Series, []*domain.SeriesState, error) {
	states := make([]*domain.SeriesState, len(queries))
	results := make([]*domain.SeriesBuilder, len(queries)) // nil means no bars so far
	var failed error
	current := 0
	for piece, err := range s.Batch.ReadBatch(ctx, queries) {
		n := piece.Query
		switch {
		case failed != nil:
			return nil, nil, fmt.Errorf("ReadBatch got a piece after the error, want the end of the sequence: %w", failed)
		case err != nil:
			if failed = err; piece.Bars.Len() > 0 {
				return nil, nil, fmt.Errorf("ReadBatch got %d bars with an error, want none: %w", piece.Bars.Len(), err)
			}
		case n < current || n >= len(queries):
			return nil, nil, fmt.Errorf("ReadBatch got a piece of query %d of %d after one of query %d, want the order of the queries", n, len(queries), current)
		case piece.State != nil && (states[n] != nil || results[n] != nil):
			return nil, nil, fmt.Errorf("ReadBatch got a state of query %d behind its first piece, want it in the first", n)
		case piece.Bars.Len() == 0 && piece.State == nil:
			return nil, nil, fmt.Errorf("ReadBatch got a piece of query %d with neither a bar nor a state, want none", n)
		case piece.Bars.Key() != queries[n].Key:
			return nil, nil, fmt.Errorf("ReadBatch, query %d: got a piece of %s, want %s", n, piece.Bars.Key(), queries[n].Key)
		default:
			if current = n; piece.State != nil {
				states[n] = piece.State
			}
			if results[n] == nil {
				results[n] = domain.NewSeriesBuilder(queries[n].Key, 0)
			}
			if err := results[n].AppendSeries(piece.Bars); err != nil {
				return nil, nil, fmt.Errorf("ReadBatch got pieces of query %d that are out of order or overlap, want them ascending: %w", n, err)
			}
		}
	}
	if failed != nil {
		return nil, nil, fmt.Errorf("ReadBatch got an error, want none: %w", failed)
	}

	series := make([]domain.Series, len(queries))
	for i, q := range queries {
		if series[i] = domain.EmptySeries(q.Key); results[i] != nil {
			series[i] = must(results[i].Series())
		}
	}

	return series, states, nil
}

// wantBatch fails unless the results of the batch are exactly the given ones.
func wantBatch(ctx context.Context, s Store, queries []ports.BarQuery, want ...domain.Series) error {
	got, err := readBatch(ctx, s, queries)
	if err != nil {
		return err
	}

	for i, q := range queries {
		if err := sameBars(got[i], want[i]); err != nil {
			return fmt.Errorf("ReadBatch, query %d, %s first %d last %d of %s: %w", i, q.Key, q.First, q.Last, q.Range, err)
		}
	}

	return nil
}
