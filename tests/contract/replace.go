package contract

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// replaceLaws are the laws of ReplaceBars and DeleteBars.
var replaceLaws = []law[Store]{
	{
		name: "replace/puts_in_place",
		text: "a replacement leaves in its range exactly its own bars, and every other bar as it was",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 20, 1)
			in := join(bars(key, minutes(6), 2, 70), bars(key, minutes(11), 1, 80))
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return second(s.Bars.ReplaceBars(ctx, in, span(5, 15))) },
				func() error { return wantBars(ctx, s, all(key), join(b.Slice(0, 5), in, b.Slice(15, 20))) },
			)
		},
	},
	{
		name: "replace/covers_its_range",
		text: "a replacement with bars declares coverage of all of its range",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error { return second(s.Bars.ReplaceBars(ctx, bars(key, minutes(6), 2, 1), span(5, 15))) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(5, 15)}) },
				func() error { return second(s.Bars.ReplaceBars(ctx, bars(key, minutes(14), 2, 1), span(14, 18))) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(5, 18)}) },
			)
		},
	},
	{
		name: "replace/reports_counts",
		text: "a replacement reports how many bars were inserted, changed, unchanged and deleted",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 20, 1)
			if err := write(ctx, s, b.Slice(0, 15)); err != nil {
				return err
			}

			in := join(b.Slice(10, 12), bars(key, minutes(12), 1, 90), b.Slice(15, 19)) // 13 and 14 go
			report, err := s.Bars.ReplaceBars(ctx, in, span(10, 20))

			return steps(
				func() error {
					return wantReport(report, err, ports.WriteReport{Inserted: 4, Changed: 1, Unchanged: 2, Deleted: 2})
				},
				func() error { return wantBars(ctx, s, all(key), join(b.Slice(0, 10), in)) },
			)
		},
	},
	{
		name: "replace/bars_lie_in_the_range",
		text: "a replacement by bars that do not all lie in its range is refused as invalid, and nothing changes",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			for _, r := range []domain.Range{span(0, 9), span(1, 10), span(20, 30), span(5, 5)} {
				_, err := s.Bars.ReplaceBars(ctx, bars(key, start, 10, 60), r)
				if err := wantError(err, ports.ErrInvalid); err != nil {
					return fmt.Errorf("ReplaceBars in %s: %w", r, err)
				}
			}

			return steps(
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
	{
		name: "replace/whole_or_nothing",
		text: "a read concurrent with a replacement returns the old data or the new data, never an empty range",
		race: true,
		check: func(ctx context.Context, s Store) error {
			versions := []domain.Series{bars(key, start, 50, 1), bars(key, start, 20, 2)}
			if err := write(ctx, s, versions[0]); err != nil {
				return err
			}

			return runAll(ctx,
				func(ctx context.Context) error {
					for i := range 50 {
						if _, err := s.Bars.ReplaceBars(ctx, versions[i%2], span(0, 50)); err != nil {
							return err
						}
					}

					return nil
				},
				func(ctx context.Context) error {
					for range 100 {
						got, err := read(ctx, s, all(key))
						if err != nil {
							return err
						}
						if sameBars(got, versions[0]) != nil && sameBars(got, versions[1]) != nil {
							return fmt.Errorf("ReadBars beside ReplaceBars got %s, want one of the two versions", got)
						}
					}

					return nil
				},
			)
		},
	},
	{
		name: "replace/by_nothing",
		text: "a replacement by no bars is refused as invalid, and nothing changes",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			return steps(
				func() error { return write(ctx, s, b) },
				func() error {
					return wantError(second(s.Bars.ReplaceBars(ctx, b.Slice(0, 0), span(2, 5))), ports.ErrInvalid)
				},
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
	{
		name: "delete/removes_bars",
		text: "a deletion removes the bars of its range, counts them, and touches no other",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 20, 1)
			other := bars(minuteKey("BTC/USDT"), start, 20, 1)
			if err := steps(
				func() error { return write(ctx, s, b) },
				func() error { return write(ctx, s, other) },
			); err != nil {
				return err
			}

			report, err := s.Bars.DeleteBars(ctx, key, span(5, 15))

			return steps(
				func() error { return wantReport(report, err, ports.WriteReport{Deleted: 10}) },
				func() error { return wantBars(ctx, s, all(key), join(b.Slice(0, 5), b.Slice(15, 20))) },
				func() error { return wantBars(ctx, s, all(other.Key()), other) },
			)
		},
	},
	{
		name: "delete/forgets_coverage",
		text: "deleting a range removes its coverage, and keeps the coverage before and after it",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 20, 1)
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return second(s.Bars.DeleteBars(ctx, key, span(5, 15))) },
				func() error {
					return wantExtents(ctx, s, nil,
						domain.Extent{Key: key, Range: span(0, 5)}, domain.Extent{Key: key, Range: span(15, 20)})
				},
				func() error { return second(s.Bars.DeleteBars(ctx, key, always)) },
				func() error { return wantNothing(ctx, s, key) },
			)
		},
	},
	{
		name: "delete/of_nothing",
		text: "a deletion of nothing is no error and changes nothing",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 5, 1)
			for _, k := range []domain.SeriesKey{key, minuteKey("NO/SUCH")} {
				report, err := s.Bars.DeleteBars(ctx, k, span(50, 60))
				if err := wantReport(report, err, ports.WriteReport{}); err != nil {
					return err
				}
				if err := write(ctx, s, b); err != nil {
					return err
				}
			}

			return steps(
				func() error { return second(s.Bars.DeleteBars(ctx, key, span(3, 3))) },
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
	{
		name: "delete/then_write_again",
		text: "deleted bars can be written again, and count as inserted",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			if err := steps(
				func() error { return write(ctx, s, b) },
				func() error { return second(s.Bars.DeleteBars(ctx, key, always)) },
			); err != nil {
				return err
			}

			report, err := ports.WriteBars(ctx, s.Bars, b, b.Range(), ports.ConflictReplace)

			return steps(
				func() error { return wantReport(report, err, ports.WriteReport{Inserted: 10}) },
				func() error { return wantBars(ctx, s, all(key), b) },
			)
		},
	},
}

// second returns the error of a write whose report the law does not check.
func second(_ ports.WriteReport, err error) error { return err }
