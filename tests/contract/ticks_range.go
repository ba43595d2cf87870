package contract

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickRangeLaws are the laws on the rows of a result.
func tickRangeLaws[D data[D]](f form[D]) []law[Store] {
	// check writes ten minutes, and fails unless a read of r returns exactly the minutes [from, to).
	check := func(r domain.Range, from, to int) func(context.Context, Store) error {
		return func(ctx context.Context, s Store) error {
			d := f.run(0, 10, 1)
			return steps(
				func() error { return f.write(ctx, s, d) },
				func() error { return f.want(ctx, s, in(r), d.Clip(span(from, to))) },
			)
		}
	}
	zone := time.FixedZone("ahead", 5*60*60+45*60)

	return []law[Store]{
		{
			name:  "range/start_is_inclusive",
			text:  f.one + " at the start of the range is in the result",
			check: check(span(3, 10), 3, 10),
		},
		{
			name:  "range/end_is_exclusive",
			text:  f.one + " at the end of the range is not in the result",
			check: check(span(0, 7), 0, 7),
		},
		{
			name: "range/bounds_between_times",
			text: "bounds a microsecond from a time select exactly the " + f.many + " between them",
			check: check(domain.Range{Start: minutes(3).Add(time.Microsecond), End: minutes(7).Add(time.Microsecond)},
				4, 8),
		},
		{
			name:  "range/empty_is_empty",
			text:  "an empty range has an empty result",
			check: check(span(3, 3), 3, 3),
		},
		{
			name: "range/without_" + f.many + "_is_empty",
			text: "a range in which the symbol has no " + f.many + " has an empty result",
			check: func(ctx context.Context, s Store) error {
				d := f.joined(f.run(0, 3, 1), f.run(20, 23, 1))
				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return f.want(ctx, s, in(span(3, 20)), f.none(key.Symbol)) },
					func() error { return f.want(ctx, s, in(span(23, 500)), f.none(key.Symbol)) },
					func() error { return f.want(ctx, s, in(span(-500, 0)), f.none(key.Symbol)) },
				)
			},
		},
		{
			name: "range/widest_is_everything",
			text: "a range from the year 1 to the year 9999 is everything",
			check: check(domain.Range{
				Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
				End:   time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
			}, 0, 10),
		},
		{
			name:  "range/in_any_zone",
			text:  "bounds are instants: a range given in another time zone is the same range",
			check: check(domain.Range{Start: minutes(2).In(zone), End: minutes(6).In(zone)}, 2, 6),
		},
	}
}

// tickLimitLaws are the laws on First and Last.
func tickLimitLaws[D data[D]](f form[D]) []law[Store] {
	// limited compares limited reads of ranges with all, some and none of the rows. The rows are two distant runs and
	// were written in pieces, so that a limit ends within, at and after the pieces that the store reads.
	limited := func(ask func(*ports.TickQuery, int), keep func(whole D, n int) D) func(context.Context, Store) error {
		return func(ctx context.Context, s Store) error {
			d := f.joined(f.run(0, 30, 1), f.run(100_000, 100_030, 100))
			for _, r := range []domain.Range{span(0, 20), span(20, 100_010), span(100_010, 100_030)} {
				if err := f.write(ctx, s, d.Clip(r)); err != nil {
					return err
				}
			}

			for _, r := range []domain.Range{always, span(10, 100_010), span(29, 30), span(40, 50)} {
				for _, n := range []int{1, 2, 19, 20, 21, 30, 31, 59, 60, 61, 100, 179, 180, 181, 100_000} {
					q := in(r)
					ask(&q, n)
					if err := f.want(ctx, s, q, keep(d.Clip(r), n)); err != nil {
						return err
					}
				}
			}

			return nil
		}
	}

	return []law[Store]{
		{
			name: "first/is_the_head",
			text: "the first n " + f.many + " of a range are the head of the whole result, for any n",
			check: limited(func(q *ports.TickQuery, n int) { q.First = n }, func(whole D, n int) D {
				return whole.Slice(0, min(n, whole.Len()))
			}),
		},
		{
			name: "last/is_the_tail",
			text: "the last n " + f.many + " of a range are the tail of the whole result, still ascending, for any n",
			check: limited(func(q *ports.TickQuery, n int) { q.Last = n }, func(whole D, n int) D {
				return whole.Slice(max(0, whole.Len()-n), whole.Len())
			}),
		},
	}
}
