package contract

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// broken_ticks_test.go seeds a fault for every law of trades and quotes, as broken_test.go does for bars. The laws access
// a store through their form, so a fault is seeded into the form and serves both kinds.

// tickFault is a fault and the laws that must fail, without their prefix; * is the kind, + the other kind.
type tickFault[T domain.Tick] struct {
	name string
	seed func(f *form[domain.Ticks[T]])
	laws []string
}

func TestEveryTickLawNoticesAFault(t *testing.T) {
	t.Parallel()
	noticeFaults(t, tradeForm, quoteForm)
	noticeFaults(t, quoteForm, tradeForm)
}

func noticeFaults[T, O domain.Tick](t *testing.T, f tickForm[T], other tickForm[O]) {
	t.Helper()
	noticed := map[string]bool{}
	for _, fault := range slices.Concat(tickReadFaults[T](), tickWriteFaults(f), tickReplaceFaults[T](), tickHeldFaults[T](), tickStateFaults[T]()) {
		for _, name := range fault.laws {
			name = f.prefix + strings.NewReplacer("*", f.many, "+", other.many).Replace(name)
			noticed[name] = true
			t.Run(fault.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				for range 50 {
					wrong := f
					fault.seed(&wrong.form)
					laws := tickLawsOf(wrong, other)
					i := slices.IndexFunc(laws, func(l law[Store]) bool { return l.name == name })
					if i < 0 {
						t.Fatalf("there is no law %s", name)
					}

					s := memory.New()
					err := laws[i].run(t.Context(), Store{Bars: s, Ticks: s, Catalog: s, Symbols: s})
					if isNoticed(t, err) {
						return
					}
					if !laws[i].race {
						t.Fatalf("the law does not notice: %s", laws[i].text)
					}
				}

				t.Errorf("the law does not notice in many tries")
			})
		}
	}

	for _, l := range tickLawsOf(f, other) {
		if !noticed[l.name] {
			t.Errorf("no fault breaks %s", l.name)
		}
	}
}

// tickSequence is what a form's stream returns, and tickWriting its put and its replace.
type (
	tickSequence[T domain.Tick] = iter.Seq2[domain.Ticks[T], error]
	tickWriting[T domain.Tick]  = rangeWrite[domain.Ticks[T]]
)

// alterTickQuery alters the queries.
func alterTickQuery[T domain.Tick](change func(*ports.TickQuery)) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) {
		next := f.stream
		f.stream = func(ctx context.Context, s Store, q ports.TickQuery) ports.Sequence[domain.Ticks[T]] {
			change(&q)
			return next(ctx, s, q)
		}
	}
}

// alterTickRead alters the results.
func alterTickRead[T domain.Tick](change func(next tickSequence[T], yield func(domain.Ticks[T], error) bool)) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) {
		next := f.stream
		f.stream = func(ctx context.Context, s Store, q ports.TickQuery) ports.Sequence[domain.Ticks[T]] {
			return ports.Unversioned(func(yield func(domain.Ticks[T], error) bool) { change(next(ctx, s, q).Rows(), yield) })
		}
	}
}

// dropTicks drops the ticks for which keep, called with the tick before, returns false.
func dropTicks[T domain.Tick](keep func(before, tick tickKey) bool) func(*form[domain.Ticks[T]]) {
	return alterTickRead(func(next tickSequence[T], yield func(domain.Ticks[T], error) bool) {
		before := tickKey{seq: -1}
		for piece, err := range next {
			for i := range piece.Len() {
				k := tickKey{piece.Time(i), piece.Seq(i)}
				if keep(before, k) && !yield(piece.Slice(i, i+1), nil) {
					return
				}

				before = k
			}
			if err != nil && !yield(piece, err) {
				return
			}
		}
	})
}

// splitTicks yields each piece in parts.
func splitTicks[T domain.Tick](parts func(piece domain.Ticks[T], half int) [2]domain.Ticks[T]) func(*form[domain.Ticks[T]]) {
	return alterTickRead(func(next tickSequence[T], yield func(domain.Ticks[T], error) bool) {
		for piece, err := range next {
			half := piece.Len() / 2
			if err != nil || half == 0 {
				yield(piece, err)
				return
			}

			for _, part := range parts(piece, half) {
				if !yield(part, nil) {
					return
				}
			}
		}
	})
}

func tickReadFaults[T domain.Tick]() []tickFault[T] {
	type D = domain.Ticks[T]
	return []tickFault[T]{
		{"start is exclusive", alterTickQuery[T](func(q *ports.TickQuery) { q.Range.Start = q.Range.Start.Add(time.Microsecond) }),
			[]string{"range/start_is_inclusive"}},
		{"end is inclusive", alterTickQuery[T](func(q *ports.TickQuery) { q.Range.End = q.Range.End.Add(time.Microsecond) }),
			[]string{"range/end_is_exclusive", "order/seq_orders_within_an_instant_only"}},
		{"bounds are whole seconds", alterTickQuery[T](func(q *ports.TickQuery) { q.Range.Start = q.Range.Start.Truncate(time.Second) }),
			[]string{"range/bounds_between_times"}},
		{"an empty range is no filter", alterTickQuery[T](func(q *ports.TickQuery) {
			if q.Range.Empty() {
				q.Range = always
			}
		}), []string{"range/empty_is_empty"}},
		{"bounds are nanoseconds in 64 bits", alterTickQuery[T](func(q *ports.TickQuery) {
			q.Range.Start, q.Range.End = time.Unix(0, q.Range.Start.UnixNano()), time.Unix(0, q.Range.End.UnixNano())
		}), []string{"range/widest_is_everything"}},
		{"bounds are read off the wall", alterTickQuery[T](func(q *ports.TickQuery) {
			for _, t := range []*time.Time{&q.Range.Start, &q.Range.End} {
				*t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
			}
		}), []string{"range/in_any_zone"}},
		{"an empty result is not found", alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
			empty := true
			for piece, err := range next {
				empty = false
				if !yield(piece, err) {
					return
				}
			}

			if empty {
				yield(D{}, ports.ErrNotFound)
			}
		}), []string{"range/without_*_is_empty", "symbol/unknown_is_empty", "extents/coverage_without_*"}},
		{"first is ignored", alterTickQuery[T](func(q *ports.TickQuery) { q.First = 0 }), []string{"first/is_the_head", "order/long_instant"}},
		{"last is first", alterTickQuery[T](func(q *ports.TickQuery) { q.First, q.Last = q.Last, 0 }), []string{"last/is_the_tail"}},
		{"later half first", splitTicks(func(piece D, half int) [2]D {
			return [2]D{piece.Slice(half, piece.Len()), piece.Slice(0, half)}
		}), []string{"order/time_and_seq_ascending"}},
		{"a tick of two pieces comes twice", splitTicks(func(piece D, half int) [2]D {
			return [2]D{piece.Slice(0, half+1), piece.Slice(half, piece.Len())}
		}), []string{"order/unique"}},
		{"an instant has one", dropTicks[T](func(before, tick tickKey) bool { return !tick.time.Equal(before.time) }),
			[]string{"order/several_per_instant", "order/long_instant"}},
		{"sequence numbers only ascend", dropTicks[T](func(before, tick tickKey) bool { return tick.seq > before.seq }),
			[]string{"order/seq_orders_within_an_instant_only"}},
		{"a piece ends with its instant", dropTicks[T](func(_, tick tickKey) bool { return tick.seq < 10_000 }),
			[]string{"order/long_instant"}},
		{"results are cut", alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
			left := 10_000
			for piece, err := range next {
				piece = piece.Slice(0, min(left, piece.Len()))
				if left -= piece.Len(); piece.Len() == 0 && err == nil || !yield(piece, err) {
					return
				}
			}
		}), []string{"stream/pieces_are_the_whole", "order/long_instant"}},
		{"reads at the call", func(f *form[D]) {
			next := f.stream
			f.stream = func(ctx context.Context, s Store, q ports.TickQuery) ports.Sequence[D] {
				var pieces []D
				for piece, err := range next(ctx, s, q).Rows() {
					if err == nil {
						pieces = append(pieces, piece)
					}
				}

				return ports.Unversioned(func(yield func(D, error) bool) {
					for _, piece := range pieces {
						if !yield(piece, nil) {
							return
						}
					}
				})
			}
		}, []string{"stream/lazy", "stream/second_range_errors"}},
		{"a break keeps its connection", func(f *form[D]) {
			var used atomic.Int32
			alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
				if used.Add(1) > 10 {
					yield(D{}, ports.ErrOverloaded)
					return
				}

				for piece, err := range next {
					if !yield(piece, err) {
						return
					}
				}

				used.Add(-1)
			})(f)
		}, []string{"stream/break_frees"}},
		{"goes on after an error", alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
			for piece, err := range next {
				if !yield(piece, err) || err != nil && !yield(piece, err) {
					return
				}
			}
		}), []string{"stream/error_is_last"}},
		{"does not listen", func(f *form[D]) {
			next := f.stream
			f.stream = func(ctx context.Context, s Store, q ports.TickQuery) ports.Sequence[D] {
				return next(context.WithoutCancel(ctx), s, q)
			}
		}, []string{"ctx/cancelled_call_is_an_error", "ctx/cancel_surfaces", "ctx/deadline_surfaces"}},
		{"swallows errors", alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
			for piece, err := range next {
				if err != nil || !yield(piece, nil) {
					return
				}
			}
		}), []string{"ctx/short_answers_are_errors", "ctx/cancelled_call_is_an_error"}},
		{"errors without a kind", alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
			for piece, err := range next {
				var e *ports.Error
				if errors.As(err, &e) {
					err = e.Err
				}
				if !yield(piece, err) {
					return
				}
			}
		}), []string{"error/kind_and_cause"}},
		{"times are of another zone", alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
			for piece, err := range next {
				if err == nil {
					first := piece.At(0)
					at := tickTime(&first)
					*at = at.Add(-time.Hour)
					piece = must(domain.NewTicks(piece.Symbol(), first))
				}
				if !yield(piece, err) {
					return
				}
			}
		}), []string{"time/utc"}},
		{"one cursor for all", func(f *form[D]) {
			var current atomic.Int64
			alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
				mine := current.Add(1)
				for piece, err := range next {
					if current.Load() != mine || !yield(piece, err) {
						return
					}
				}
			})(f)
		}, []string{"concurrent/reads_share_nothing"}},
		{"readers lock writers out", func(f *form[D]) {
			var mu sync.RWMutex
			put := f.put
			alterTickRead(func(next tickSequence[T], yield func(D, error) bool) {
				mu.RLock()
				defer mu.RUnlock()
				next(yield)
			})(f)
			f.put = func(ctx context.Context, s Store, d D, coverage domain.Range) (ports.WriteReport, error) {
				if !mu.TryLock() {
					return ports.WriteReport{}, ports.ErrOverloaded
				}

				defer mu.Unlock()

				return put(ctx, s, d, coverage)
			}
		}, []string{"concurrent/write_during_read"}},
		{"symbols have 63 bytes", alterTickQuery[T](func(q *ports.TickQuery) { q.Symbol = q.Symbol[:min(63, len(q.Symbol))] }),
			[]string{"symbol/hostile_is_data"}},
		{"symbols are patterns", alterTickQuery[T](func(q *ports.TickQuery) {
			if strings.ContainsAny(string(q.Symbol), "%*?") {
				q.Symbol = key.Symbol
			}
		}), []string{"symbol/impossible_is_data"}},
	}
}
