package contract

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// rangeLaws are the laws on the bars of a result and their order.
var rangeLaws = []law[Store]{
	{
		name: "range/start_is_inclusive",
		text: "a bar that opens at the start of the range is in the result",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, query(span(3, 10)), b.Slice(3, 10)) },
			)
		},
	},
	{
		name: "range/end_is_exclusive",
		text: "a bar that opens at the end of the range is not in the result",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, query(span(0, 7)), b.Slice(0, 7)) },
			)
		},
	},
	{
		name: "range/bounds_between_edges",
		text: "bounds that lie between open times, to the microsecond, take exactly the bars between them",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			between := domain.Range{Start: minutes(3).Add(time.Microsecond), End: minutes(7).Add(time.Microsecond)}
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, query(between), b.Slice(4, 8)) },
			)
		},
	},
	{
		name: "range/empty_is_empty",
		text: "an empty range has an empty result",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error { return write(ctx, s, bars(key, start, 10, 1)) },
				func() error { return wantBars(ctx, s, query(span(3, 3)), domain.EmptySeries(key)) },
			)
		},
	},
	{
		name: "range/without_bars_is_empty",
		text: "a range in which the series has no bar has an empty result",
		check: func(ctx context.Context, s Store) error {
			b := join(bars(key, start, 3, 1), bars(key, minutes(20), 3, 1))
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, query(span(3, 20)), domain.EmptySeries(key)) },
				func() error { return wantBars(ctx, s, query(span(23, 500)), domain.EmptySeries(key)) },
				func() error { return wantBars(ctx, s, query(span(-500, 0)), domain.EmptySeries(key)) },
			)
		},
	},
	{
		name: "range/widest_is_everything",
		text: "a range from the year 1 to the year 9999 is every bar",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			widest := domain.Range{
				Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
				End:   time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
			}

			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, query(widest), b) },
			)
		},
	},
	{
		name: "range/in_any_zone",
		text: "bounds are instants: a range given in another time zone is the same range",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			zone := time.FixedZone("ahead", 5*60*60+45*60)
			r := domain.Range{Start: minutes(2).In(zone), End: minutes(6).In(zone)}
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, query(r), b.Slice(2, 6)) },
			)
		},
	},
	{
		name: "order/open_time_ascending",
		text: "bars are ascending by open time, in any order of writes",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 60, 1)
			return steps(
				func() error { return write(ctx, s, b.Slice(40, 60)) },
				func() error { return write(ctx, s, b.Slice(0, 20)) },
				func() error { return write(ctx, s, b.Slice(20, 40)) },
				func() error { return wantBars(ctx, s, all(key), b) },
			)
		},
	},
	{
		name: "order/unique",
		text: "an open time is returned once, even if its bar was written several times",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 60, 1)
			return steps(
				func() error { return write(ctx, s, b.Slice(0, 40)) },
				func() error { return write(ctx, s, b.Slice(20, 60)) },
				func() error { return write(ctx, s, b.Slice(30, 31)) },
				func() error { return wantBars(ctx, s, all(key), b) },
			)
		},
	},
}

// query returns a query for the bars of key in r.
func query(r domain.Range) ports.BarQuery { return ports.BarQuery{Key: key, Range: r} }
