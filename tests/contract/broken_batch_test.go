package contract

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

type batch = iter.Seq2[ports.BatchBars, error]

// singly is a BatchReader that reads query by query. It keeps every law.
type singly struct{ next ports.BarReader }

func (r singly) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	var used atomic.Bool
	return func(yield func(ports.BatchBars, error) bool) {
		err := error(nil)
		if used.Swap(true) {
			err = errors.New("ranged over twice")
		}
		for i, q := range queries {
			if err != nil {
				break
			}

			var piece ports.Piece[domain.Series]
			for piece, err = range r.next.ReadBars(ctx, q) {
				if err == nil && !yield(ports.BatchBars{Query: i, Bars: piece.Rows, State: piece.State}, nil) {
					return
				}
			}
		}

		if err != nil {
			yield(ports.BatchBars{}, err)
		}
	}
}

type batchFunc func(ctx context.Context, queries []ports.BarQuery) batch

func (f batchFunc) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	return f(ctx, queries)
}

// batchFault is a fault and the laws that must fail.
type batchFault struct {
	name string
	make func(next singly) batchFunc
	laws []string
}

// alterQueries returns a reader that alters its queries.
func alterQueries(change func(queries []ports.BarQuery)) func(singly) batchFunc {
	return func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			queries = slices.Clone(queries)
			change(queries)
			return next.ReadBatch(ctx, queries)
		}
	}
}

// alterBatch returns a reader that alters its results. change reports whether to go on.
func alterBatch(
	change func(p ports.BatchBars, err error, yield func(ports.BatchBars, error) bool) bool,
) func(singly) batchFunc {
	return func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				for p, err := range next.ReadBatch(ctx, queries) {
					if !change(p, err, yield) {
						return
					}
				}
			}
		}
	}
}

var batchFaults = []batchFault{
	{"limits are the first query's", alterQueries(func(queries []ports.BarQuery) {
		for i := range queries {
			queries[i].First, queries[i].Last = queries[0].First, queries[0].Last
		}
	}), []string{"batch/equals_single_reads", "batch/long_answers"}},
	{"a repeated query has one result", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				for p, err := range next.ReadBatch(ctx, queries) {
					again := err == nil && slices.Contains(queries[:p.Query], queries[p.Query])
					if !again && !yield(p, err) {
						return
					}
				}
			}
		}
	}, []string{"batch/equals_single_reads", "batch/long_answers", "batch/no_half_of_a_write"}},
	{"no more than a thousand", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return next.ReadBatch(ctx, queries[:min(len(queries), 1000)])
		}
	}, []string{"batch/equals_single_reads"}},
	{"in another order", alterQueries(func(queries []ports.BarQuery) { slices.Reverse(queries) }),
		[]string{"batch/equals_single_reads", "batch/hostile_is_data"}},
	{"pieces without bars", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				for i, q := range queries {
					if !yield(ports.BatchBars{Query: i, Bars: domain.EmptySeries(q.Key)}, nil) {
						return
					}
				}
				next.ReadBatch(ctx, queries)(yield)
			}
		}
	}, []string{"batch/nothing_requested_or_stored"}},
	{"an unknown series is an error", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				none := true
				for p, err := range next.ReadBatch(ctx, queries) {
					if none = false; !yield(p, err) {
						return
					}
				}

				if none {
					yield(ports.BatchBars{}, ports.ErrNotFound)
				}
			}
		}
	}, []string{"batch/nothing_requested_or_stored"}},
	{"results end at 10,000 bars", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				left := slices.Repeat([]int{10_000}, len(queries))
				for p, err := range next.ReadBatch(ctx, queries) {
					p.Bars = p.Bars.Slice(0, min(p.Bars.Len(), left[p.Query]))
					if left[p.Query] -= p.Bars.Len(); (err != nil || p.Bars.Len() > 0) && !yield(p, err) {
						return
					}
				}
			}
		}
	}, []string{"batch/long_answers"}},
	{"symbols have 63 bytes", alterQueries(func(queries []ports.BarQuery) {
		for i, q := range queries {
			queries[i].Key.Symbol = q.Key.Symbol[:min(63, len(q.Key.Symbol))]
		}
	}), []string{"batch/hostile_is_data"}},
	{"symbols are patterns", alterQueries(func(queries []ports.BarQuery) {
		for i, q := range queries {
			if q.Key.Symbol == "*" {
				queries[i].Key.Symbol = key.Symbol
			}
		}
	}), []string{"batch/impossible_is_data"}},
	{"queries are sorted", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			altered := slices.Clone(queries)
			slices.SortFunc(queries, func(a, b ports.BarQuery) int { return a.Key.Compare(b.Key) })
			return next.ReadBatch(ctx, altered)
		}
	}, []string{"batch/queries_unchanged"}},
	{"a bar at a time", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				for i, q := range queries {
					for n := range 50 {
						part := ports.BarQuery{Key: q.Key, Range: span(n, n+1)}
						for bars, err := range next.next.ReadBars(ctx, part).Rows() {
							if !yield(ports.BatchBars{Query: i, Bars: bars}, err) {
								return
							}
						}
					}
				}
			}
		}
	}, []string{"batch/no_half_of_a_write"}},
	{"reads at the call", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			var pieces []ports.BatchBars
			for p, err := range next.ReadBatch(ctx, queries) {
				if err == nil {
					pieces = append(pieces, p)
				}
			}

			return func(yield func(ports.BatchBars, error) bool) {
				for _, p := range pieces {
					if !yield(p, nil) {
						return
					}
				}
			}
		}
	}, []string{"batch/lazy", "batch/second_range_errors"}},
	{"a break keeps its connection", func(next singly) batchFunc {
		var used atomic.Int32
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				if used.Add(1) > 10 {
					yield(ports.BatchBars{}, ports.ErrOverloaded)
					return
				}

				for p, err := range next.ReadBatch(ctx, queries) {
					if !yield(p, err) {
						return
					}
				}

				used.Add(-1)
			}
		}
	}, []string{"batch/break_frees"}},
	{"goes on after an error", alterBatch(func(p ports.BatchBars, err error, yield func(ports.BatchBars, error) bool) bool {
		return yield(p, err) && (err == nil || yield(p, err))
	}), []string{"batch/error_is_last"}},
	{"swallows errors", alterBatch(func(p ports.BatchBars, err error, yield func(ports.BatchBars, error) bool) bool {
		return err == nil && yield(p, nil)
	}), []string{"batch/cancelled_call_is_an_error", "batch/deadline_surfaces", "batch/cancel_surfaces", "batch/short_answers_are_errors"}},
	{"errors without a kind", alterBatch(func(p ports.BatchBars, err error, yield func(ports.BatchBars, error) bool) bool {
		var e *ports.Error
		if errors.As(err, &e) {
			err = e.Err
		}

		return yield(p, err)
	}), []string{"batch/cancelled_call_is_an_error"}},
	{"does not listen", func(next singly) batchFunc {
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return next.ReadBatch(context.WithoutCancel(ctx), queries)
		}
	}, []string{"batch/cancelled_call_is_an_error", "batch/deadline_surfaces", "batch/cancel_surfaces", "batch/error_is_last"}},
	{"one cursor for all", func(next singly) batchFunc {
		var current atomic.Int64
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				mine := current.Add(1)
				for p, err := range next.ReadBatch(ctx, queries) {
					if current.Load() != mine || !yield(p, err) {
						return
					}
				}
			}
		}
	}, []string{"batch/reads_share_nothing"}},
	{"one at a time", func(next singly) batchFunc {
		var mu sync.Mutex
		return func(ctx context.Context, queries []ports.BarQuery) batch {
			return func(yield func(ports.BatchBars, error) bool) {
				if !mu.TryLock() {
					yield(ports.BatchBars{}, ports.ErrOverloaded)
					return
				}

				defer mu.Unlock()
				next.ReadBatch(ctx, queries)(yield)
			}
		}
	}, []string{"batch/write_during_read"}},
	{"no states", alterBatch(withoutStates), []string{"batch/states"}},
}

// withoutStates yields the bars of queries that have any, without states.
func withoutStates(p ports.BatchBars, err error, yield func(ports.BatchBars, error) bool) bool {
	p.State = nil
	return err == nil && p.Bars.Len() == 0 || yield(p, err)
}

func TestReadingSinglyKeepsEveryLaw(t *testing.T) {
	t.Parallel()
	BatchReader(t, func(testing.TB) Store {
		s := memory.New()
		return Store{Bars: s, Batch: singly{s}}
	}, Profile{})
}

func TestEveryBatchLawNoticesAFault(t *testing.T) {
	t.Parallel()
	noticed := map[string]bool{}
	for _, f := range batchFaults {
		for _, name := range f.laws {
			noticed[name] = true
			i := slices.IndexFunc(batchLaws, func(l law[Store]) bool { return l.name == name })
			if i < 0 {
				t.Errorf("%s: there is no law %s", f.name, name)
				continue
			}

			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				tries := 1
				if batchLaws[i].race {
					tries = 50
				}
				for range tries {
					s := memory.New()
					if isNoticed(t, batchLaws[i].run(t.Context(), Store{Bars: s, Batch: f.make(singly{s})})) {
						return
					}
				}

				t.Errorf("the law does not notice: %s", batchLaws[i].text)
			})
		}
	}

	for _, l := range slices.Concat(batchResultLaws, batchStreamLaws) {
		if !noticed[l.name] {
			t.Errorf("no fault breaks %s", l.name)
		}
	}

	for _, l := range batchCorruptLaws { // a store that returns the defects as bars
		s := memory.New()
		planted := Store{Bars: s, Batch: singly{s}, Corrupt: map[Defect]Plant{}}
		for _, d := range []Defect{DefectMissing, DefectNotFinite, DefectOffGrid, DefectDuplicate, DefectTradeCount} {
			planted.Corrupt[d] = func(context.Context, domain.SeriesKey, time.Time) error { return nil }
		}
		var na notApplicableError
		if err := l.run(t.Context(), planted); !isNoticed(t, err) || errors.As(err, &na) {
			t.Errorf("%s does not notice: %v", l.name, err)
		}
	}
}
