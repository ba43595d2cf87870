package contract

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// broken_ticks_test.go does for the laws of trades and quotes what broken_test.go does for those of bars. The laws reach a store
// through their form, so a fault is seeded there and serves both kinds.

// tickFault is a way to be wrong, and the laws that have to notice, without their prefix; * is the kind, + the other one.
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
	for _, fault := range slices.Concat(tickReadFaults[T](), tickWriteFaults(f), tickReplaceFaults[T](), tickHeldFaults[T]()) {
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
					err := laws[i].check(t.Context(), Store{Bars: s, Ticks: s, Catalog: s, Symbols: s})
					if err != nil {
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
	tickWriting[T domain.Tick]  = func(context.Context, Store, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
)

// tickAsking asks another question than was asked.
func tickAsking[T domain.Tick](change func(*ports.TickQuery)) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) {
		next := f.stream
		f.stream = func(ctx context.Context, s Store, q ports.TickQuery) tickSequence[T] {
			change(&q)
			return next(ctx, s, q)
		}
	}
}

// tickAnswering alters the answers.
func tickAnswering[T domain.Tick](change func(next tickSequence[T], yield func(domain.Ticks[T], error) bool)) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) {
		next := f.stream
		f.stream = func(ctx context.Context, s Store, q ports.TickQuery) tickSequence[T] {
			return func(yield func(domain.Ticks[T], error) bool) { change(next(ctx, s, q), yield) }
		}
	}
}

// tickDropping leaves ticks out of its answers: those that keep refuses, told the one before.
func tickDropping[T domain.Tick](keep func(before, tick tickKey) bool) func(*form[domain.Ticks[T]]) {
	return tickAnswering(func(next tickSequence[T], yield func(domain.Ticks[T], error) bool) {
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

// tickSplitting yields the parts of every piece.
func tickSplitting[T domain.Tick](parts func(piece domain.Ticks[T], half int) [2]domain.Ticks[T]) func(*form[domain.Ticks[T]]) {
	return tickAnswering(func(next tickSequence[T], yield func(domain.Ticks[T], error) bool) {
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
		{"start is exclusive", tickAsking[T](func(q *ports.TickQuery) { q.Range.Start = q.Range.Start.Add(time.Microsecond) }),
			[]string{"range/start_is_inclusive"}},
		{"end is inclusive", tickAsking[T](func(q *ports.TickQuery) { q.Range.End = q.Range.End.Add(time.Microsecond) }),
			[]string{"range/end_is_exclusive", "order/seq_orders_within_an_instant_only"}},
		{"bounds are whole seconds", tickAsking[T](func(q *ports.TickQuery) { q.Range.Start = q.Range.Start.Truncate(time.Second) }),
			[]string{"range/bounds_between_times"}},
		{"an empty range is no filter", tickAsking[T](func(q *ports.TickQuery) {
			if q.Range.Empty() {
				q.Range = always
			}
		}), []string{"range/empty_is_empty"}},
		{"bounds are nanoseconds in 64 bits", tickAsking[T](func(q *ports.TickQuery) {
			q.Range.Start, q.Range.End = time.Unix(0, q.Range.Start.UnixNano()), time.Unix(0, q.Range.End.UnixNano())
		}), []string{"range/widest_is_everything"}},
		{"bounds are read off the wall", tickAsking[T](func(q *ports.TickQuery) {
			for _, t := range []*time.Time{&q.Range.Start, &q.Range.End} {
				*t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
			}
		}), []string{"range/in_any_zone"}},
		{"an empty answer is not found", tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
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
		}), []string{"range/without_*_is_empty", "symbol/unheld_is_empty", "extents/claim_without_*"}},
		{"first is ignored", tickAsking[T](func(q *ports.TickQuery) { q.First = 0 }), []string{"first/is_the_head", "order/long_instant"}},
		{"last is first", tickAsking[T](func(q *ports.TickQuery) { q.First, q.Last = q.Last, 0 }), []string{"last/is_the_tail"}},
		{"later half first", tickSplitting(func(piece D, half int) [2]D {
			return [2]D{piece.Slice(half, piece.Len()), piece.Slice(0, half)}
		}), []string{"order/time_and_seq_ascending"}},
		{"a tick of two pieces comes twice", tickSplitting(func(piece D, half int) [2]D {
			return [2]D{piece.Slice(0, half+1), piece.Slice(half, piece.Len())}
		}), []string{"order/unique"}},
		{"an instant has one", tickDropping[T](func(before, tick tickKey) bool { return !tick.time.Equal(before.time) }),
			[]string{"order/several_per_instant", "order/long_instant"}},
		{"sequence numbers only ascend", tickDropping[T](func(before, tick tickKey) bool { return tick.seq > before.seq }),
			[]string{"order/seq_orders_within_an_instant_only"}},
		{"a piece ends with its instant", tickDropping[T](func(_, tick tickKey) bool { return tick.seq < 10_000 }),
			[]string{"order/long_instant"}},
		{"answers are cut", tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
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
			f.stream = func(ctx context.Context, s Store, q ports.TickQuery) tickSequence[T] {
				var pieces []D
				for piece, err := range next(ctx, s, q) {
					if err == nil {
						pieces = append(pieces, piece)
					}
				}
				return func(yield func(D, error) bool) {
					for _, piece := range pieces {
						if !yield(piece, nil) {
							return
						}
					}
				}
			}
		}, []string{"stream/lazy", "stream/second_range_errors"}},
		{"a break keeps its connection", func(f *form[D]) {
			var used atomic.Int32
			tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
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
		{"goes on after an error", tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
			for piece, err := range next {
				if !yield(piece, err) || err != nil && !yield(piece, err) {
					return
				}
			}
		}), []string{"stream/error_is_last"}},
		{"does not listen", func(f *form[D]) {
			next := f.stream
			f.stream = func(ctx context.Context, s Store, q ports.TickQuery) tickSequence[T] {
				return next(context.WithoutCancel(ctx), s, q)
			}
		}, []string{"ctx/cancelled_call_is_an_error", "ctx/cancel_surfaces", "ctx/deadline_surfaces"}},
		{"swallows errors", tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
			for piece, err := range next {
				if err != nil || !yield(piece, nil) {
					return
				}
			}
		}), []string{"ctx/short_answers_are_errors", "ctx/cancelled_call_is_an_error"}},
		{"errors without a kind", tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
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
		{"times are of another zone", tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
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
			tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
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
			tickAnswering(func(next tickSequence[T], yield func(D, error) bool) {
				mu.RLock()
				defer mu.RUnlock()
				next(yield)
			})(f)
			f.put = func(ctx context.Context, s Store, d D, claim domain.Range) (ports.WriteReport, error) {
				if !mu.TryLock() {
					return ports.WriteReport{}, ports.ErrOverloaded
				}
				defer mu.Unlock()
				return put(ctx, s, d, claim)
			}
		}, []string{"concurrent/write_during_read"}},
		{"symbols have 63 bytes", tickAsking[T](func(q *ports.TickQuery) { q.Symbol = q.Symbol[:min(63, len(q.Symbol))] }),
			[]string{"symbol/hostile_is_data"}},
		{"symbols are patterns", tickAsking[T](func(q *ports.TickQuery) {
			if strings.ContainsAny(string(q.Symbol), "%*?") {
				q.Symbol = key.Symbol
			}
		}), []string{"symbol/impossible_is_data"}},
	}
}

// tickWritesBy puts w, which is given what put was, in its place.
func tickWritesBy[T domain.Tick](w func(next tickWriting[T]) tickWriting[T]) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) { f.put = w(f.put) }
}

// tickStoring writes others than it was given.
func tickStoring[T domain.Tick](change func(*T)) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], claim domain.Range) (ports.WriteReport, error) {
			b := domain.NewTicksBuilder[T](d.Symbol())
			for _, tick := range d.All() {
				change(&tick)
				if err := b.Append(tick); err != nil {
					return ports.WriteReport{}, err
				}
			}
			if d.Symbol() == "" {
				return next(ctx, s, d, claim)
			}
			return next(ctx, s, must(b.Ticks()), claim)
		}
	})
}

func tickReporting[T domain.Tick](change func(*ports.WriteReport)) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], claim domain.Range) (ports.WriteReport, error) {
			report, err := next(ctx, s, d, claim)
			change(&report)
			return report, err
		}
	})
}

// tickNumbers is the numbers of a trade or a quote.
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

// tickSparing leaves one that is there as it is where keep says so.
func tickSparing[T domain.Tick](f tickForm[T], keep func(there T) bool) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], claim domain.Range) (ports.WriteReport, error) {
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
			return next(ctx, s, must(b.Ticks()), claim)
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
		{"first wins", tickSparing(f, func(T) bool { return true }), []string{"write/last_wins"}},
		{"wide numbers stay", tickSparing(f, func(there T) bool {
			rounded := there
			tickThroughFloats(&rounded)
			return rounded.String() != there.String()
		}), []string{"decimal/narrow_over_wide"}},
		{"the last field is forgotten", tickStoring(func(tick *T) {
			switch t := any(tick).(type) {
			case *domain.Trade:
				t.Side = domain.SideUnknown
			case *domain.Quote:
				t.AskSize = domain.Decimal{}
			}
		}), []string{"write/every_field_is_set"}},
		{"times are milliseconds", tickStoring(func(tick *T) {
			at := tickTime(tick)
			*at = at.Truncate(time.Millisecond)
		}), []string{"time/to_the_microsecond"}},
		{"numbers are floats", tickStoring(tickThroughFloats[T]), []string{"decimal/exact_round_trip", "decimal/signed_round_trip",
			"decimal/widest_round_trip", "decimal/smallest_round_trip", "decimal/mixed_widths", "decimal/exact_or_refused",
			"decimal/wide_over_narrow"}},
		{"claims grow", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, claim domain.Range) (ports.WriteReport, error) {
				if !claim.Covers(d.Range()) {
					claim = d.Range()
				}
				return next(ctx, s, d, claim)
			}
		}), []string{"write/claim_covers_the_*", "catalog/refused_write_registers_nothing"}},
		{"batches are cut", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, claim domain.Range) (ports.WriteReport, error) {
				return next(ctx, s, d.Slice(0, min(d.Len(), 10_000)), claim)
			}
		}), []string{"write/large_batch"}},
		{"one by one", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, claim domain.Range) (sum ports.WriteReport, err error) {
				for i := range d.Len() {
					one := d.Slice(i, i+1)
					report, err := next(ctx, s, one, one.Range())
					if err != nil {
						return sum, err
					}
					sum = sum.Add(report)
					runtime.Gosched()
				}
				return sum, second(next(ctx, s, d.Slice(0, 0), claim))
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
			f.put = func(ctx context.Context, s Store, d D, claim domain.Range) (ports.WriteReport, error) {
				mu.Lock()
				defer mu.Unlock()
				if late != nil {
					if err := late(); err != nil {
						return ports.WriteReport{}, err
					}
				}
				late = func() error { return second(next(context.WithoutCancel(ctx), s, d, claim)) }
				return ports.WriteReport{Inserted: d.Len()}, nil
			}
		}, []string{"concurrent/readers_and_writers", "concurrent/writers_of_one_symbol"}},
		{"nothing before 1970", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, claim domain.Range) (ports.WriteReport, error) {
				return next(ctx, s, d.Within(always), claim)
			}
		}), []string{"time/far_from_now"}},
		{"writes register nothing", func(f *form[D]) {
			other, next := memory.New(), f.put
			f.put = func(ctx context.Context, _ Store, d D, claim domain.Range) (ports.WriteReport, error) {
				return next(ctx, Store{Ticks: other}, d, claim)
			}
		}, []string{"catalog/write_registers_symbol"}},
		{"writes register anew", tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
			return func(ctx context.Context, s Store, d D, claim domain.Range) (ports.WriteReport, error) {
				report, err := next(ctx, s, d, claim)
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
			[]string{"replace/puts_in_place", "delete/removes_*", "delete/forgets_claim", "delete/then_write_again"}},
		{"a replacement is a deletion and a write", func(f *form[D]) {
			next, put := f.replace, f.put
			f.replace = func(ctx context.Context, s Store, d D, r domain.Range) (ports.WriteReport, error) {
				report, err := next(ctx, s, d.Slice(0, 0), r)
				if err != nil || d.Len() == 0 {
					return report, err
				}
				runtime.Gosched() // a reader comes in between, on a machine of one core too
				written, err := put(ctx, s, d, d.Range())
				return report.Add(written), err
			}
		}, []string{"replace/claims_its_range", "replace/reports_counts", "replace/whole_or_nothing"}},
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
			next := f.replace
			f.replace = func(ctx context.Context, s Store, d D, r domain.Range) (ports.WriteReport, error) {
				report, err := next(ctx, s, d, r)
				if err == nil && report == (ports.WriteReport{}) {
					err = ports.ErrNotFound
				}
				return report, err
			}
		}, []string{"delete/of_nothing"}},
		{"deleting takes all of a symbol", func(f *form[D]) {
			f.replace = func(ctx context.Context, s Store, d D, r domain.Range) (ports.WriteReport, error) {
				report, err := s.Ticks.ReplaceTrades(ctx, must(domain.NewTicks[domain.Trade](d.Symbol())), r)
				return report, errors.Join(err,
					second(s.Ticks.ReplaceQuotes(ctx, must(domain.NewTicks[domain.Quote](d.Symbol())), r)),
					second(s.Bars.ReplaceBars(ctx, domain.EmptySeries(minuteKey(d.Symbol())), r)))
			}
		}, []string{"kind/apart_from_+", "kind/apart_from_bars"}},
	}
}

// tickHolding alters the extents.
func tickHolding[T domain.Tick](change func([]claimed) []claimed) func(*form[domain.Ticks[T]]) {
	return func(f *form[domain.Ticks[T]]) {
		next := f.extents
		f.extents = func(ctx context.Context, s Store, symbols ...domain.Symbol) ([]claimed, error) {
			held, err := next(ctx, s, symbols...)
			return change(held), err
		}
	}
}

// tickClaiming claims another range than it was given.
func tickClaiming[T domain.Tick](change func(d domain.Ticks[T], claim domain.Range) domain.Range) func(*form[domain.Ticks[T]]) {
	return tickWritesBy(func(next tickWriting[T]) tickWriting[T] {
		return func(ctx context.Context, s Store, d domain.Ticks[T], claim domain.Range) (ports.WriteReport, error) {
			return next(ctx, s, d, change(d, claim))
		}
	})
}

func tickHeldFaults[T domain.Tick]() []tickFault[T] {
	type D = domain.Ticks[T]
	return []tickFault[T]{
		{"claims are the data", tickClaiming(func(d domain.Ticks[T], _ domain.Range) domain.Range { return d.Range() }),
			[]string{"extents/claim_is_held", "extents/claim_without_*"}},
		{"an empty claim is a moment", tickClaiming(func(_ domain.Ticks[T], claim domain.Range) domain.Range {
			if claim.Empty() {
				claim.End = claim.Start.Add(time.Microsecond)
			}
			return claim
		}), []string{"extents/empty_claim"}},
		{"claims are whole seconds", tickClaiming(func(_ domain.Ticks[T], claim domain.Range) domain.Range {
			return domain.Range{Start: claim.Start.Truncate(time.Second), End: claim.End.Truncate(time.Second)}
		}), []string{"extents/bounds_are_exact", "extents/apart_stay_apart"}},
		{"extents do not merge", tickHolding[T](func(held []claimed) []claimed {
			var halves []claimed
			for _, c := range held {
				middle := c.r.Start.Add(c.r.End.Sub(c.r.Start) / 2)
				halves = append(halves, claimed{c.symbol, domain.Range{Start: c.r.Start, End: middle}},
					claimed{c.symbol, domain.Range{Start: middle, End: c.r.End}})
			}
			return halves
		}), []string{"extents/touching_merge"}},
		{"extents come in any order", tickHolding[T](func(held []claimed) []claimed {
			slices.Reverse(held)
			return held
		}), []string{"extents/by_symbol"}},
		{"the symbols asked for are ignored", func(f *form[D]) {
			next := f.extents
			f.extents = func(ctx context.Context, s Store, _ ...domain.Symbol) ([]claimed, error) { return next(ctx, s) }
		}, []string{"extents/of_the_symbols_asked", "symbol/impossible_is_data"}},
		{"the symbols asked for are sorted", func(f *form[D]) {
			next := f.extents
			f.extents = func(ctx context.Context, s Store, symbols ...domain.Symbol) ([]claimed, error) {
				slices.Sort(symbols)
				return next(ctx, s, symbols...)
			}
		}, []string{"caller/slices_unchanged"}},
	}
}
