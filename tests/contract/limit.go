package contract

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// limitLaws are the laws on First and Last.
var limitLaws = []law[Store]{
	{
		name: "first/is_the_head",
		text: "the first n bars of a range are the head of the whole result, for any n",
		check: func(ctx context.Context, s Store) error {
			return limits(ctx, s, func(r domain.Range, n int) ports.BarQuery {
				return ports.BarQuery{Key: key, Range: r, First: n}
			}, func(whole domain.Series, n int) domain.Series {
				return whole.Slice(0, min(n, whole.Len()))
			})
		},
	},
	{
		name: "last/is_the_tail",
		text: "the last n bars of a range are the tail of the whole result, still ascending, for any n",
		check: func(ctx context.Context, s Store) error {
			return limits(ctx, s, func(r domain.Range, n int) ports.BarQuery {
				return ports.BarQuery{Key: key, Range: r, Last: n}
			}, func(whole domain.Series, n int) domain.Series {
				return whole.Slice(max(0, whole.Len()-n), whole.Len())
			})
		},
	},
	{
		name: "page/limit_then_resume_is_complete",
		text: "pages of the first bars, each after the last bar of the page before, together are the whole result",
		check: func(ctx context.Context, s Store) error {
			b := join(bars(key, start, 50, 1), bars(key, minutes(1000), 50, 60))
			if err := write(ctx, s, b); err != nil {
				return err
			}

			paged := domain.NewSeriesBuilder(key, b.Len())
			for from := always.Start; ; {
				page, err := read(ctx, s, ports.BarQuery{Key: key, Range: domain.Range{Start: from, End: always.End}, First: 7})
				if err != nil {
					return err
				}
				if page.Len() == 0 {
					break
				}
				if err := paged.AppendSeries(page); err != nil {
					return fmt.Errorf("ReadBars got a page that does not begin after the one before, want the next bars: %w", err)
				}

				from = page.Range().End
			}

			got, err := paged.Series()
			if err != nil {
				return err
			}

			return sameBars(got, b)
		},
	},
}

// limits compares limited reads of ranges with all, some and none of the bars. The bars are two distant runs and were
// written in pieces, so that a limit ends within, at and after the pieces that the store reads.
func limits(
	ctx context.Context, s Store,
	ask func(domain.Range, int) ports.BarQuery, keep func(domain.Series, int) domain.Series,
) error {
	b := join(bars(key, start, 30, 1), bars(key, minutes(100_000), 30, 60))
	for i := 0; i < b.Len(); i += 20 {
		if err := write(ctx, s, b.Slice(i, i+20)); err != nil {
			return err
		}
	}

	for _, r := range []domain.Range{always, span(10, 100_010), span(29, 30), span(40, 50)} {
		for _, n := range []int{1, 2, 19, 20, 21, 30, 31, 59, 60, 61, 100_000} {
			if err := wantBars(ctx, s, ask(r, n), keep(b.Clip(r), n)); err != nil {
				return err
			}
		}
	}

	return nil
}
