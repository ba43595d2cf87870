package contract

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// alterQuery returns a store that alters its queries.
func alterQuery(change func(*ports.BarQuery)) func() *faulty {
	return func() *faulty {
		return &faulty{read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
			change(&q)
			return next.ReadBars(ctx, q).Rows()
		}}
	}
}

// alterRead returns a store that alters its results.
func alterRead(change func(next sequence, q ports.BarQuery, yield func(domain.Series, error) bool)) func() *faulty {
	return func() *faulty {
		return &faulty{read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
			return func(yield func(domain.Series, error) bool) { change(next.ReadBars(ctx, q).Rows(), q, yield) }
		}}
	}
}

// underOtherKeys returns a store that stores a series under a key derived from its own.
func underOtherKeys(other func(domain.SeriesKey) domain.SeriesKey) func() *faulty {
	rekey := func(k domain.SeriesKey, b domain.Series) (domain.Series, error) {
		var list []domain.Bar
		for _, bar := range b.All() {
			list = append(list, bar)
		}

		return domain.NewSeries(k, list...)
	}

	return func() *faulty {
		return &faulty{
			read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
				return func(yield func(domain.Series, error) bool) {
					asked := q.Key
					q.Key = other(q.Key)
					for b, err := range next.ReadBars(ctx, q).Rows() {
						if err == nil {
							b, err = rekey(asked, b)
						}
						if !yield(b, err) || err != nil {
							return
						}
					}
				}
			},
			write: func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
				b, err := rekey(other(b.Key()), b)
				if err != nil {
					return ports.WriteReport{}, err
				}

				return next.WriteBars(ctx, b, coverage)
			},
			replace: func(next writer, ctx context.Context, b domain.Series, r domain.Range) (ports.WriteReport, error) {
				b, err := rekey(other(b.Key()), b)
				if err != nil {
					return ports.WriteReport{}, err
				}

				return next.ReplaceBars(ctx, b, r)
			},
			remove: func(next *memory.Store, ctx context.Context, k domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
				return next.DeleteBars(ctx, other(k), r)
			},
		}
	}
}

func isEmpty(ctx context.Context, s *memory.Store, q ports.BarQuery) bool {
	for range s.ReadBars(ctx, q).Rows() {
		return false
	}
	return true
}

var readFaults = []fault{
	{"start is exclusive", alterQuery(func(q *ports.BarQuery) { q.Range.Start = q.Range.Start.Add(time.Microsecond) }),
		[]string{"range/start_is_inclusive"}},
	{"end is inclusive", alterQuery(func(q *ports.BarQuery) { q.Range.End = q.Range.End.Add(time.Microsecond) }),
		[]string{"range/end_is_exclusive"}},
	{"bounds are floored to the grid", alterQuery(func(q *ports.BarQuery) { q.Range.Start = q.Key.Grid.Floor(q.Range.Start) }),
		[]string{"range/bounds_between_edges"}},
	{"an empty range is no filter", alterQuery(func(q *ports.BarQuery) {
		if q.Range.Empty() {
			q.Range = always
		}
	}), []string{"range/empty_is_empty"}},
	{"bounds are nanoseconds in 64 bits", alterQuery(func(q *ports.BarQuery) {
		q.Range.Start, q.Range.End = time.Unix(0, q.Range.Start.UnixNano()), time.Unix(0, q.Range.End.UnixNano())
	}), []string{"range/widest_is_everything"}},
	{"bounds are read off the wall", alterQuery(func(q *ports.BarQuery) {
		for _, t := range []*time.Time{&q.Range.Start, &q.Range.End} {
			*t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		}
	}), []string{"range/in_any_zone"}},
	{"an empty result is not found", func() *faulty {
		return &faulty{read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
			return func(yield func(domain.Series, error) bool) {
				if isEmpty(ctx, next, q) {
					yield(domain.Series{}, ports.ErrNotFound)
					return
				}
				next.ReadBars(ctx, q).Rows()(yield)
			}
		}}
	}, []string{"range/without_bars_is_empty", "symbol/unknown_is_empty", "extents/coverage_without_bars"}},
	{"later half first", alterRead(func(next sequence, _ ports.BarQuery, yield func(domain.Series, error) bool) {
		for b, err := range next {
			half := b.Len() / 2
			if err != nil || half == 0 {
				yield(b, err)
			} else if !yield(b.Slice(half, b.Len()), nil) || !yield(b.Slice(0, half), nil) {
				return
			}
		}
	}), []string{"order/open_time_ascending"}},
	{"a bar of two pieces comes twice", alterRead(func(next sequence, _ ports.BarQuery, yield func(domain.Series, error) bool) {
		for b, err := range next {
			half := b.Len() / 2
			if err != nil || half == 0 {
				yield(b, err)
			} else if !yield(b.Slice(0, half+1), nil) || !yield(b.Slice(half, b.Len()), nil) {
				return
			}
		}
	}), []string{"order/unique"}},
	{"first is ignored", alterQuery(func(q *ports.BarQuery) { q.First = 0 }), []string{"first/is_the_head"}},
	{"last is first", alterQuery(func(q *ports.BarQuery) { q.First, q.Last = q.Last, 0 }), []string{"last/is_the_tail"}},
	{"a page skips its first bar", alterQuery(func(q *ports.BarQuery) {
		if q.First > 0 {
			q.Range.Start = q.Range.Start.Add(time.Microsecond)
		}
	}), []string{"page/limit_then_resume_is_complete"}},
	{"results are cut", alterRead(func(next sequence, _ ports.BarQuery, yield func(domain.Series, error) bool) {
		left := 10_000
		for b, err := range next {
			b = b.Slice(0, min(left, b.Len()))
			if left -= b.Len(); b.Len() == 0 && err == nil || !yield(b, err) {
				return
			}
		}
	}), []string{"stream/pieces_are_the_whole"}},
	{"reads at the call", func() *faulty {
		return &faulty{read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
			var pieces []domain.Series
			for b, err := range next.ReadBars(ctx, q).Rows() {
				if err == nil {
					pieces = append(pieces, b)
				}
			}

			return func(yield func(domain.Series, error) bool) {
				for _, b := range pieces {
					if !yield(b, nil) {
						return
					}
				}
			}
		}}
	}, []string{"stream/lazy", "stream/second_range_errors"}},
	{"a break keeps its connection", func() *faulty {
		var used atomic.Int32
		return &faulty{read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
			return func(yield func(domain.Series, error) bool) {
				if used.Add(1) > 10 {
					yield(domain.Series{}, ports.ErrOverloaded)
					return
				}

				for b, err := range next.ReadBars(ctx, q).Rows() {
					if !yield(b, err) {
						return
					}
				}

				used.Add(-1)
			}
		}}
	}, []string{"stream/break_frees"}},
	{"goes on after an error", alterRead(func(next sequence, _ ports.BarQuery, yield func(domain.Series, error) bool) {
		for b, err := range next {
			if !yield(b, err) || err != nil && !yield(b, err) {
				return
			}
		}
	}), []string{"stream/error_is_last"}},
	{"does not listen", func() *faulty {
		return &faulty{
			read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
				return next.ReadBars(context.WithoutCancel(ctx), q).Rows()
			},
			symbols: func(next *memory.Store, ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
				return ports.Collect(next.Symbols(context.WithoutCancel(ctx), q))
			},
		}
	}, []string{"ctx/cancelled_call_is_an_error", "ctx/cancel_surfaces", "ctx/deadline_surfaces", "catalog/cancelled_call_is_an_error"}},
	{"swallows errors", alterRead(func(next sequence, _ ports.BarQuery, yield func(domain.Series, error) bool) {
		for b, err := range next {
			if err != nil || !yield(b, nil) {
				return
			}
		}
	}), []string{"ctx/short_answers_are_errors", "ctx/cancelled_call_is_an_error"}},
	{"errors without a kind", alterRead(func(next sequence, _ ports.BarQuery, yield func(domain.Series, error) bool) {
		for b, err := range next {
			var e *ports.Error
			if errors.As(err, &e) {
				err = e.Err
			}
			if !yield(b, err) {
				return
			}
		}
	}), []string{"error/kind_and_cause"}},
	{"times are of another zone", alterRead(func(next sequence, q ports.BarQuery, yield func(domain.Series, error) bool) {
		for b, err := range next {
			if err == nil {
				first := b.At(0)
				first.OpenTime = first.OpenTime.Add(-time.Hour)
				b = series(q.Key, first)
			}
			if !yield(b, err) {
				return
			}
		}
	}), []string{"time/utc"}},
	{"one cursor for all", func() *faulty {
		var current atomic.Int64
		return &faulty{read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
			return func(yield func(domain.Series, error) bool) {
				mine := current.Add(1)
				for b, err := range next.ReadBars(ctx, q).Rows() {
					if current.Load() != mine || !yield(b, err) {
						return
					}
				}
			}
		}}
	}, []string{"concurrent/reads_share_nothing"}},
	{"readers lock writers out", func() *faulty {
		var mu sync.RWMutex
		return &faulty{
			read: func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence {
				return func(yield func(domain.Series, error) bool) {
					mu.RLock()
					defer mu.RUnlock()
					next.ReadBars(ctx, q).Rows()(yield)
				}
			},
			write: func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
				if !mu.TryLock() {
					return ports.WriteReport{}, ports.ErrOverloaded
				}

				defer mu.Unlock()

				return next.WriteBars(ctx, b, coverage)
			},
		}
	}, []string{"concurrent/write_during_read"}},
	{"kinds are one", underOtherKeys(func(k domain.SeriesKey) domain.SeriesKey {
		k.PriceType = domain.PriceTrade
		return k
	}), []string{"kind/bid_and_trade_are_two_series"}},
	{"zones are one", underOtherKeys(func(k domain.SeriesKey) domain.SeriesKey {
		k.Grid = k.Grid.Frequency().UTC()
		return k
	}), []string{"grid/zones_are_two_series", "grid/calendar_bars"}},
	{"a month is a minute", underOtherKeys(func(k domain.SeriesKey) domain.SeriesKey {
		k.Grid = must(domain.ParseGrid(strings.ToLower(k.Grid.Frequency().String())))
		return k
	}), []string{"grid/frequencies_are_two_series"}},
	{"symbols have 63 bytes", underOtherKeys(func(k domain.SeriesKey) domain.SeriesKey {
		k.Symbol = k.Symbol[:min(63, len(k.Symbol))]
		return k
	}), []string{"symbol/hostile_is_data"}},
	{"symbols are patterns", underOtherKeys(func(k domain.SeriesKey) domain.SeriesKey {
		if strings.ContainsAny(string(k.Symbol), "%*?") {
			k.Symbol = "BTC/USD"
		}
		return k
	}), []string{"symbol/impossible_is_data"}},
}
