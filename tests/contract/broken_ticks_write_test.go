package contract

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickWritesBy replaces put by w, which gets the arguments of put.
func tickWritesBy[T domain.Tick](w func(next tickWriting[T]) tickWriting[T]) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) { f.put = w(f.put) }
}

// alterTicks alters the ticks that are written.
func alterTicks[T domain.Tick](change func(*T)) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], coverage domain.Range) (ports.WriteReport, error) {
			b := domain.NewTicksBuilder[T](d.Symbol())
			for _, tick := range d.All() {
				change(&tick)
				if err := b.Append(tick); err != nil {
					return ports.WriteReport{}, err
				}
			}
			if d.Symbol() == "" {
				return next(ctx, s, d, coverage)
			}

			return next(ctx, s, must(b.Ticks()), coverage)
		}
	})
}

func tickReporting[T domain.Tick](change func(*ports.WriteReport)) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], coverage domain.Range) (ports.WriteReport, error) {
			report, err := next(ctx, s, d, coverage)
			change(&report)
			return report, err
		}
	})
}

// tickNumbers returns the numbers of a trade or a quote.
func tickNumbers[T domain.Tick](tick *T) []*domain.Decimal {
	switch t := any(tick).(type) {
	case *domain.Trade:
		return []*domain.Decimal{&t.Price, &t.Size}
	case *domain.Quote:
		return []*domain.Decimal{&t.Bid, &t.Ask, &t.BidSize, &t.AskSize}
	}
	panic("no tick")
}

func tickThroughFloats[T domain.Tick](tick *T) {
	for _, d := range tickNumbers(tick) {
		f := must(strconv.ParseFloat(d.String(), 64))
		if rounded, err := domain.ParseDecimal(strconv.FormatFloat(f, 'f', -1, 64)); err == nil {
			*d = rounded
		}
	}
}

// keepTicks does not overwrite a stored tick if keep returns true.
func keepTicks[T domain.Tick](f tickForm[T], keep func(there T) bool) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], coverage domain.Range) (ports.WriteReport, error) {
			there, err := f.read(ctx, s, everything(d.Symbol()))
			if err != nil {
				return ports.WriteReport{}, err
			}

			b := domain.NewTicksBuilder[T](d.Symbol())
			for i, tick := range d.All() {
				for j, old := range there.All() {
					if there.Time(j).Equal(d.Time(i)) && there.Seq(j) == d.Seq(i) && keep(old) {
						tick = old
					}
				}
				mustDo(b.Append(tick))
			}

			return next(ctx, s, must(b.Ticks()), coverage)
		}
	})
}

func tickWriteFaults[T domain.Tick](f tickForm[T]) []tickFault[T] {
	type D = domain.Ticks[T]
	return []tickFault[T]{
		{"everything changed", tickReporting[T](func(r *ports.WriteReport) { r.Changed, r.Unchanged = r.Changed+r.Unchanged, 0 }),
			[]string{"write/idempotent", "decimal/spelling_is_no_change"}},
		{"everything is new", tickReporting[T](func(r *ports.WriteReport) {
			*r = ports.WriteReport{Inserted: r.Inserted + r.Changed + r.Unchanged}
		}), []string{"write/reports_counts", "write/idempotent"}},
		{"first wins", keepTicks(f, func(T) bool { return true }), []string{"write/last_wins"}},
		{"wide numbers stay", keepTicks(f, func(there T) bool {
			rounded := there
			tickThroughFloats(&rounded)
			return rounded.String() != there.String()
		}), []string{"decimal/narrow_over_wide"}},
		{"the last field is forgotten", alterTicks(func(tick *T) {
			switch t := any(tick).(type) {
			case *domain.Trade:
				t.Side = domain.SideUnknown
			case *domain.Quote:
				t.AskSize = domain.Decimal{}
			}
		}), []string{"write/every_field_is_set"}},
		{"times are milliseconds", alterTicks(func(tick *T) {
			at := tickTime(tick)
			*at = at.Truncate(time.Millisecond)
		}), []string{"time/to_the_microsecond"}},
		{"numbers are floats", alterTicks(tickThroughFloats[T]), []string{"decimal/exact_round_trip", "decimal/signed_round_trip",
			"decimal/widest_round_trip", "decimal/smallest_round_trip", "decimal/mixed_widths", "decimal/exact_or_refused",
			"decimal/wide_over_narrow"}},
		{"claims grow", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, coverage domain.Range) (ports.WriteReport, error) {
				if !coverage.Covers(d.Range()) {
					coverage = d.Range()
				}
				return next(ctx, s, d, coverage)
			}
		}), []string{"write/coverage_contains_the_*", "catalog/refused_write_registers_nothing"}},
		{"batches are cut", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, coverage domain.Range) (ports.WriteReport, error) {
				return next(ctx, s, d.Slice(0, min(d.Len(), 10_000)), coverage)
			}
		}), []string{"write/large_batch"}},
		{"one by one", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, coverage domain.Range) (sum ports.WriteReport, err error) {
				for i := range d.Len() {
					one := d.Slice(i, i+1)
					report, err := next(ctx, s, one, one.Range())
					if err != nil {
						return sum, err
					}

					sum = sum.Add(report)
					runtime.Gosched()
				}

				return sum, second(next(ctx, s, d.Slice(0, 0), coverage))
			}
		}), []string{"write/whole_or_nothing", "write/cancelled_is_whole_or_nothing"}},
		{"a failed write is done", func(f *form[D]) {
			var once sync.Once
			f.put = func(context.Context, Store, D, domain.Range) (report ports.WriteReport, err error) {
				once.Do(func() { err = context.DeadlineExceeded })
				return report, err
			}
		}, []string{"write/retry_completes"}},
		{"writes are late by one", func(f *form[D]) {
			var mu sync.Mutex
			var late func() error
			next := f.put
			f.put = func(ctx context.Context, s Store, d D, coverage domain.Range) (ports.WriteReport, error) {
				mu.Lock()
				defer mu.Unlock()
				if late != nil {
					if err := late(); err != nil {
						return ports.WriteReport{}, err
					}
				}

				late = func() error { return second(next(context.WithoutCancel(ctx), s, d, coverage)) }

				return ports.WriteReport{Inserted: d.Len()}, nil
			}
		}, []string{"concurrent/readers_and_writers", "concurrent/writers_of_one_symbol"}},
		{"nothing before 1970", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, coverage domain.Range) (ports.WriteReport, error) {
				return next(ctx, s, d.Clip(always), coverage)
			}
		}), []string{"time/far_from_now", "history/across_1970"}},
		{"writes register nothing", func(f *form[D]) {
			other, next := memory.New(), f.put
			f.put = func(ctx context.Context, _ Store, d D, coverage domain.Range) (ports.WriteReport, error) {
				return next(ctx, Store{Ticks: other}, d, coverage)
			}
		}, []string{"catalog/write_registers_symbol"}},
		{"writes register anew", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, coverage domain.Range) (ports.WriteReport, error) {
				report, err := next(ctx, s, d, coverage)
				if err == nil {
					err = s.Symbols.PutSymbols(ctx, domain.NewSymbolMeta(d.Symbol()))
				}

				return report, err
			}
		}), []string{"catalog/write_keeps_what_is_known"}},
	}
}

func tickTime[T domain.Tick](tick *T) *time.Time {
	switch t := any(tick).(type) {
	case *domain.Trade:
		return &t.Time
	case *domain.Quote:
		return &t.Time
	}
	panic("no tick")
}

func tickReplaceFaults[T domain.Tick]() []tickFault[T] {
	type D = domain.Ticks[T]
	return []tickFault[T]{
		{"a replacement is a write", func(f *form[D]) { f.replace = f.put },
			[]string{"replace/puts_in_place", "replace/by_nothing"}},
		{"a deletion deletes nothing", func(f *form[D]) {
			f.remove = func(context.Context, Store, domain.Symbol, domain.Range) (report ports.WriteReport, err error) {
				return report, err
			}
		}, []string{"delete/removes_*", "delete/forgets_coverage", "delete/then_write_again"}},
		{"conflicts are replaced", func(f *form[D]) { f.putNew, f.putKept = f.put, f.put },
			[]string{"write/fails_on_conflict", "write/keeps_on_conflict"}},
		{"unknown policies replace", func(f *form[D]) { f.putBad = f.put }, []string{"write/knows_its_policy"}},
		{"conflicts are kept", func(f *form[D]) { f.putNew = f.putKept }, []string{"write/fails_on_conflict"}},
		{"a replacement is a deletion and a write", func(f *form[D]) {
			remove, put := f.remove, f.put
			f.replace = func(ctx context.Context, s Store, d D, r domain.Range) (ports.WriteReport, error) {
				report, err := remove(ctx, s, d.Symbol(), r)
				if err != nil {
					return report, err
				}

				runtime.Gosched() // lets a reader run in between, also on one core
				written, err := put(ctx, s, d, d.Range())

				return report.Add(written), err
			}
		}, []string{"replace/covers_its_range", "replace/reports_counts", "replace/whole_or_nothing"}},
		{"a replacement grows", func(f *form[D]) {
			next := f.replace
			f.replace = func(ctx context.Context, s Store, d D, r domain.Range) (ports.WriteReport, error) {
				if !r.Covers(d.Range()) {
					r = d.Range()
				}
				return next(ctx, s, d, r)
			}
		}, []string{"replace/*_lie_in_the_range"}},
		{"deleting nothing is an error", func(f *form[D]) {
			next := f.remove
			f.remove = func(ctx context.Context, s Store, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
				report, err := next(ctx, s, symbol, r)
				if err == nil && report == (ports.WriteReport{}) {
					err = ports.ErrNotFound
				}

				return report, err
			}
		}, []string{"delete/of_nothing"}},
		{"deleting takes all of a symbol", func(f *form[D]) {
			f.remove = func(ctx context.Context, s Store, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
				report, err := s.Ticks.DeleteTrades(ctx, symbol, r)
				return report, errors.Join(err,
					second(s.Ticks.DeleteQuotes(ctx, symbol, r)),
					second(s.Bars.DeleteBars(ctx, minuteKey(symbol), r)))
			}
		}, []string{"kind/apart_from_+", "kind/apart_from_bars"}},
	}
}

// alterTickExtents alters the extents.
func alterTickExtents[T domain.Tick](change func([]extent) []extent) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) {
		next := f.extents
		f.extents = func(ctx context.Context, s Store, q ports.ExtentQuery) ([]extent, error) {
			held, err := next(ctx, s, q)
			return change(held), err
		}
	}
}

// alterTickCoverage declares another range.
func alterTickCoverage[T domain.Tick](change func(d domain.Ticks[T], coverage domain.Range) domain.Range) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], coverage domain.Range) (ports.WriteReport, error) {
			return next(ctx, s, d, change(d, coverage))
		}
	})
}

func tickHeldFaults[T domain.Tick]() []tickFault[T] {
	type D = domain.Ticks[T]
	return []tickFault[T]{
		{"claims are the data", alterTickCoverage(func(d domain.Ticks[T], _ domain.Range) domain.Range { return d.Range() }),
			[]string{"extents/coverage_is_stored", "extents/coverage_without_*"}},
		{"an empty claim is a moment", alterTickCoverage(func(_ domain.Ticks[T], coverage domain.Range) domain.Range {
			if coverage.Empty() {
				coverage.End = coverage.Start.Add(time.Microsecond)
			}
			return coverage
		}), []string{"extents/empty_coverage"}},
		{"claims are whole seconds", alterTickCoverage(func(_ domain.Ticks[T], coverage domain.Range) domain.Range {
			return domain.Range{Start: coverage.Start.Truncate(time.Second), End: coverage.End.Truncate(time.Second)}
		}), []string{"extents/bounds_are_exact", "extents/apart_stay_apart"}},
		{"extents do not merge", alterTickExtents[T](func(held []extent) []extent {
			var halves []extent
			for _, c := range held {
				middle := c.r.Start.Add(c.r.End.Sub(c.r.Start) / 2)
				halves = append(halves, extent{c.symbol, domain.Range{Start: c.r.Start, End: middle}},
					extent{c.symbol, domain.Range{Start: middle, End: c.r.End}})
			}

			return halves
		}), []string{"extents/touching_merge"}},
		{"extents come in any order", alterTickExtents[T](func(held []extent) []extent {
			slices.Reverse(held)
			return held
		}), []string{"extents/by_symbol"}},
		{"the symbols asked for are ignored", func(f *form[D]) {
			next := f.extents
			f.extents = func(ctx context.Context, s Store, q ports.ExtentQuery) ([]extent, error) {
				return next(ctx, s, ports.ExtentQuery{After: q.After})
			}
		}, []string{"extents/of_the_symbols_asked", "symbol/impossible_is_data"}},
		{"the symbols asked for are sorted", func(f *form[D]) {
			next := f.extents
			f.extents = func(ctx context.Context, s Store, q ports.ExtentQuery) ([]extent, error) {
				slices.Sort(q.Symbols)
				return next(ctx, s, q)
			}
		}, []string{"caller/slices_unchanged"}},
		{"extents begin at the symbol", func(f *form[D]) {
			next := f.extents
			f.extents = func(ctx context.Context, s Store, q ports.ExtentQuery) ([]extent, error) {
				after := q.After
				q.After = ""
				held, err := next(ctx, s, q)
				return slices.DeleteFunc(held, func(e extent) bool { return e.symbol < after }), err
			}
		}, []string{"extents/behind_a_symbol"}},
	}
}
