package contract

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// epoch is the instant from which stores count, so that times before it are negative numbers.
var epoch = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)

// historyLaws are the laws on bars before 1970, where numbers of blocks and instants are negative.
var historyLaws = []law[Store]{
	{
		name:  "history/across_1970",
		text:  "a series that begins before 1970 and ends after it is read, limited, counted by block and deleted like any other",
		check: acrossEpoch,
	},
	{
		name: "history/calendars",
		text: "days, weeks and months before 1970 keep their edges, also in a zone that had local mean time, and in years of another century",
		check: func(ctx context.Context, s Store) error {
			for grid, year := range map[string]int{
				"1d": 1899, "1w": 1927, "1M": 1850, "5d": 1969,
				"1d@America/New_York": 1883, "1w@Europe/Amsterdam": 1937, "1M@Asia/Kolkata": 1900, "1d@Europe/London": 1916,
			} {
				k := gridKey(grid)
				b := bars(k, time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC), 60, year)
				whole := domain.Range{Start: b.Range().Start, End: epoch.AddDate(10, 0, 0)}
				if err := steps(
					func() error { return write(ctx, s, b) },
					func() error { return wantBars(ctx, s, ports.BarQuery{Key: k, Range: whole}, b) },
					func() error { return wantBars(ctx, s, ports.BarQuery{Key: k, Range: whole, Last: 7}, b.Slice(53, 60)) },
				); err != nil {
					return err
				}
			}

			return nil
		},
	},
}

func acrossEpoch(ctx context.Context, s Store) error {
	const before, n = 5000, 6000 // minutes before 1970, in two blocks, and all
	b := bars(key, epoch.Add(-before*time.Minute), n, 1)
	earlier := domain.Range{Start: epoch.AddDate(-70, 0, 0), End: epoch}
	cut := domain.Range{Start: epoch.Add(-20 * time.Minute), End: epoch.Add(30 * time.Minute)}
	left := domain.Range{Start: b.Range().Start, End: cut.Start}
	right := domain.Range{Start: cut.End, End: b.Range().End}
	query := func(r domain.Range) ports.BarQuery { return ports.BarQuery{Key: key, Range: r} }
	last, first := query(earlier), query(earlier)
	last.Last, first.First = 3, 2

	return steps(
		func() error { return write(ctx, s, b) },
		func() error { return wantBars(ctx, s, query(b.Range()), b) },
		func() error { return wantBars(ctx, s, query(earlier), b.Slice(0, before)) },
		func() error { return wantBars(ctx, s, last, b.Slice(before-3, before)) },
		func() error { return wantBars(ctx, s, first, b.Slice(0, 2)) },
		func() error { return wantBars(ctx, s, query(cut), b.Clip(cut)) },
		func() error { return wantBlocks(ctx, s, b) },
		func() error { return second(s.Bars.DeleteBars(ctx, key, cut)) },
		func() error { return wantBars(ctx, s, query(left), b.Clip(left)) },
		func() error { return wantBars(ctx, s, query(cut), domain.EmptySeries(key)) },
		func() error {
			return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: left}, domain.Extent{Key: key, Range: right})
		},
		func() error { return write(ctx, s, b.Clip(cut)) },
		func() error { return wantBars(ctx, s, query(b.Range()), b) },
		func() error { return wantBlocks(ctx, s, b) },
	)
}

// wantBlocks fails unless a store that keeps versions counts the bars of every block of b.
func wantBlocks(ctx context.Context, s Store, b domain.Series) error {
	_, state, err := collectState(b.Key(), s.Bars.ReadBars(ctx, ports.BarQuery{Key: b.Key(), Range: b.Range()}))
	if err != nil || state == nil {
		return err
	}

	layout := domain.BarBlocks(b.Key().Grid)
	from, to := layout.Span(b.Range())
	for i := from; i < to; i++ {
		want := b.Clip(layout.Range(i, i+1)).Len()
		if block, _ := state.Block(i); block.Rows != want {
			return fmt.Errorf("block %d from %s has %d bars, want %d", i, layout.Range(i, i+1), block.Rows, want)
		}
	}

	return nil
}

// tickHistoryLaws are the laws on trades or quotes before 1970.
func tickHistoryLaws[T domain.Tick](f tickForm[T]) []law[Store] {
	return []law[Store]{{
		name: "history/across_1970",
		text: f.many + " from before 1970 to after it are read, limited and deleted like any others",
		check: func(ctx context.Context, s Store) error {
			var keys []tickKey
			for hour := -60; hour < 30; hour++ {
				at := epoch.Add(time.Duration(hour) * time.Hour)
				keys = append(keys, tickKey{at.Add(-time.Microsecond), 1}, tickKey{at, 0}, tickKey{at, 7})
			}
			d := f.at(append([]tickKey{{epoch.AddDate(-70, 0, 0), 3}}, keys...)...)
			earlier := domain.Range{Start: epoch.AddDate(-71, 0, 0), End: epoch}
			n := d.Clip(earlier).Len()
			last, first := in(earlier), in(earlier)
			last.Last, first.First = 4, 2
			cut := domain.Range{Start: epoch.Add(-30 * time.Hour), End: epoch.Add(time.Hour)}
			left := domain.Range{Start: earlier.Start, End: cut.Start}

			return steps(
				func() error { return f.write(ctx, s, d) },
				func() error { return f.want(ctx, s, in(earlier), d.Slice(0, n)) },
				func() error { return f.want(ctx, s, last, d.Slice(n-4, n)) },
				func() error { return f.want(ctx, s, first, d.Slice(0, 2)) },
				func() error { return f.want(ctx, s, in(cut), d.Clip(cut)) },
				func() error { return f.delete(ctx, s, cut) },
				func() error { return f.want(ctx, s, in(left), d.Clip(left)) },
				func() error {
					covered := f.minutes(d)
					return f.wantCoverage(ctx, s, domain.Range{Start: covered.Start, End: cut.Start},
						domain.Range{Start: cut.End, End: covered.End})
				},
			)
		},
	}}
}
