package contract

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// at returns ticks of the given times and sequence numbers, in this order.
func (f tickForm[T]) at(keys ...tickKey) domain.Ticks[T] {
	b := domain.NewTicksBuilder[T](key.Symbol)
	for i, k := range keys {
		n, side := seeded(i)
		mustDo(b.Append(f.tick(k.time, k.seq, n, side)))
	}

	return must(b.Ticks())
}

// tickKey orders and identifies a tick.
type tickKey struct {
	time time.Time
	seq  int64
}

// orderLaws are the laws on the order of ticks, of which several may be at one instant.
func (f tickForm[T]) orderLaws() []law[Store] {
	return []law[Store]{
		{
			name: "order/time_and_seq_ascending",
			text: f.many + " are ascending by time, and at one instant by sequence number, in any order of writes",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 20, 1)
				return steps(
					func() error { return f.write(ctx, s, d.Slice(40, 60)) },
					func() error { return f.write(ctx, s, d.Slice(0, 20)) },
					func() error { return f.write(ctx, s, d.Slice(21, 40)) },
					func() error { return f.write(ctx, s, d.Slice(20, 21)) }, // the last of an instant
					func() error { return f.wantAll(ctx, s, d) },
				)
			},
		},
		{
			name: "order/unique",
			text: "a time and sequence number is returned once, even if it was written several times",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 20, 1)
				return steps(
					func() error { return f.write(ctx, s, d.Slice(0, 40)) },
					func() error { return f.write(ctx, s, d.Slice(20, 60)) },
					func() error { return f.write(ctx, s, d.Slice(31, 32)) },
					func() error { return f.wantAll(ctx, s, d) },
				)
			},
		},
		{
			name: "order/several_per_instant",
			text: "one instant holds as many as there are sequence numbers, up to the largest",
			check: func(ctx context.Context, s Store) error {
				var keys []tickKey
				for _, seq := range []int64{0, 1, 2, 9, 10, 99, 1 << 31, 1 << 53, 1<<53 + 1, math.MaxInt64} {
					keys = append(keys, tickKey{start, seq})
				}
				d := f.at(keys...)
				moment := domain.Range{Start: start, End: start.Add(time.Microsecond)}

				return steps(
					func() error { return f.write(ctx, s, d.Slice(5, 10)) },
					func() error { return f.write(ctx, s, d.Slice(0, 5)) },
					func() error { return f.want(ctx, s, in(moment), d) },
					func() error { return f.wantAll(ctx, s, d) },
				)
			},
		},
		{
			name: "order/seq_orders_within_an_instant_only",
			text: "the order is by time before the sequence number, which may restart at any later instant",
			check: func(ctx context.Context, s Store) error {
				next := start.Add(time.Microsecond)
				d := f.at(tickKey{start, 7}, tickKey{start, 8}, tickKey{next, 0}, tickKey{next, 8}, tickKey{minutes(1), 3})
				last := in(always)
				last.Last = 3

				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.want(ctx, s, in(domain.Range{Start: next, End: minutes(1)}), d.Slice(2, 4)) },
					func() error { return f.want(ctx, s, last, d.Slice(2, 5)) },
				)
			},
		},
		{
			name: "order/long_instant",
			text: "an instant with more " + f.many + " than a piece or a batch has is whole: a piece may end inside it",
			check: func(ctx context.Context, s Store) error {
				keys := make([]tickKey, manyBars)
				for i := range keys {
					keys[i] = tickKey{start, int64(i)}
				}
				d := f.at(keys...)
				first := in(always)
				first.First = manyBars - 1

				return steps(
					func() error { return f.write(ctx, s, d.Slice(0, 7)) },
					func() error { return f.write(ctx, s, d) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.want(ctx, s, first, d.Slice(0, manyBars-1)) },
				)
			},
		},
	}
}

// timeLaws are the laws on times, which are instants.
func (f tickForm[T]) timeLaws() []law[Store] {
	return []law[Store]{
		{
			name: "time/utc",
			text: "times come in UTC",
			check: func(ctx context.Context, s Store) error {
				if err := f.write(ctx, s, f.at(tickKey{start.In(time.FixedZone("ahead", 9*60*60)), 0})); err != nil {
					return err
				}

				got, err := f.read(ctx, s, in(always))
				if err != nil {
					return err
				}
				if got.Len() != 1 || !got.Time(0).Equal(start) || got.Time(0).Location() != time.UTC {
					return fmt.Errorf("got %s, want that of %s", got, start)
				}

				return nil
			},
		},
		{
			name: "time/to_the_microsecond",
			text: "a time comes back to the microsecond",
			check: func(ctx context.Context, s Store) error {
				var keys []tickKey
				for _, micros := range []int{0, 1, 999, 1_000, 500_000, 999_999} {
					keys = append(keys, tickKey{start.Add(time.Duration(micros) * time.Microsecond), 0})
				}
				d := f.at(keys...)

				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return f.wantAll(ctx, s, d) },
				)
			},
		},
		{
			name: "time/far_from_now",
			text: f.one + " may be of 1900, of the very second of 1970-01-01, or of 2199",
			check: func(ctx context.Context, s Store) error {
				year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
				d := f.at(tickKey{year(1900), 0}, tickKey{year(1970).Add(-time.Microsecond), 1}, tickKey{year(1970), 0}, tickKey{year(2199), 2})
				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return f.want(ctx, s, in(domain.Range{Start: year(1800), End: year(2200)}), d) },
					func() error { return f.wantAll(ctx, s, d.Slice(2, 4)) },
					func() error { return f.wantCoverage(ctx, s, f.minutes(d)) },
				)
			},
		},
	}
}

// apartLaws are the laws on the independence of the trades, quotes and bars of one symbol.
func apartLaws[T, O domain.Tick](f tickForm[T], other tickForm[O]) []law[Store] {
	return []law[Store]{
		{
			name: "kind/apart_from_" + other.many,
			text: f.many + " and " + other.many + " of one symbol are independent: a write, coverage or deletion of one does not affect the other",
			check: func(ctx context.Context, s Store) error {
				own, others := f.run(0, 10, 1), other.run(5, 15, 1)
				return steps(
					func() error { return f.write(ctx, s, own) },
					func() error { return other.wantNothing(ctx, s, key.Symbol) },
					func() error { return other.write(ctx, s, others) },
					func() error { return f.wantAll(ctx, s, own) },
					func() error { return f.wantCoverage(ctx, s, span(0, 10)) },
					func() error { return f.delete(ctx, s, always) },
					func() error { return other.wantAll(ctx, s, others) },
					func() error { return other.wantCoverage(ctx, s, span(5, 15)) },
					func() error { return wantTickExtentsByKind(ctx, s) },
				)
			},
		},
		{
			name: "kind/apart_from_bars",
			text: f.many + " and bars of one symbol are independent: a write, coverage or deletion of one does not affect the other",
			check: func(ctx context.Context, s Store) error {
				if s.Bars == nil {
					return notApplicableError("the store holds no bars")
				}

				own, b := f.run(0, 10, 1), bars(key, start, 10, 1)

				return steps(
					func() error { return f.write(ctx, s, own) },
					func() error { return wantNothing(ctx, s, key) },
					func() error { return write(ctx, s, b) },
					func() error { return f.delete(ctx, s, span(0, 5)) },
					func() error { return wantBars(ctx, s, all(key), b) },
					func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(0, 10)}) },
					func() error { return second(s.Bars.DeleteBars(ctx, key, always)) },
					func() error { return f.wantAll(ctx, s, own.Clip(span(5, 10))) },
					func() error { return f.wantCoverage(ctx, s, span(5, 10)) },
				)
			},
		},
	}
}

// wantTickExtentsByKind declares more coverage of both kinds, and fails unless the extents are ordered by symbol, kind
// and start.
func wantTickExtentsByKind(ctx context.Context, s Store) error {
	if err := steps(
		func() error { return tradeForm.delete(ctx, s, always) },
		func() error { return quoteForm.delete(ctx, s, always) },
		func() error { return tradeForm.declare(ctx, s, "B", span(9, 10), span(0, 1)) },
		func() error { return quoteForm.declare(ctx, s, "B", span(5, 6), span(2, 3)) },
		func() error { return tradeForm.declare(ctx, s, "A", span(0, 1)) },
	); err != nil {
		return err
	}

	got, err := ports.Collect(s.Ticks.TickExtents(ctx, ports.ExtentQuery{}))
	if err != nil {
		return err
	}

	want := []domain.TickExtent{
		{Symbol: "A", Kind: domain.TickTrades, Range: span(0, 1)},
		{Symbol: "B", Kind: domain.TickQuotes, Range: span(2, 3)}, {Symbol: "B", Kind: domain.TickQuotes, Range: span(5, 6)},
		{Symbol: "B", Kind: domain.TickTrades, Range: span(0, 1)}, {Symbol: "B", Kind: domain.TickTrades, Range: span(9, 10)},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("extents:\n got %v\nwant %v", got, want)
	}

	return nil
}
