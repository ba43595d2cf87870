package contract

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// conflictLaws are the laws on stored bars with other values.
var conflictLaws = []law[Store]{
	{
		name: "write/fails_on_conflict",
		text: "a write under the policy fail names the first stored bar with other values and their number, and changes " +
			"nothing; equal and uncovered bars are no conflict",
		check: func(ctx context.Context, s Store) error {
			b, other, longer := bars(key, start, 10, 1), bars(key, start, 12, 77), bars(key, start, 12, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			mixed := join(b.Slice(0, 4), other.Slice(4, 12))
			none, refused := ports.WriteBars(ctx, s.Bars, mixed, mixed.Range(), ports.ConflictFail)
			appended := func() error {
				report, err := ports.WriteBars(ctx, s.Bars, longer, longer.Range(), ports.ConflictFail)
				return wantReport(report, err, ports.WriteReport{Inserted: 2, Unchanged: 10})
			}
			uncovered := func() error {
				report, err := ports.WriteBars(ctx, s.Bars, other.Slice(2, 5), span(2, 5), ports.ConflictFail)
				return wantReport(report, err, ports.WriteReport{Inserted: 3})
			}

			return steps(
				func() error { return wantConflict(none, refused, 6, minutes(4)) },
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
				appended,
				func() error { return second(s.Bars.DeleteBars(ctx, key, span(2, 5))) },
				uncovered,
			)
		},
	},
	{
		name: "write/keeps_on_conflict",
		text: "a write under the policy keep leaves stored bars as they are, and adds the others",
		check: func(ctx context.Context, s Store) error {
			b, other := bars(key, start, 10, 1), bars(key, start, 12, 77)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			mixed := join(b.Slice(2, 4), other.Slice(4, 12))
			report, err := ports.WriteBars(ctx, s.Bars, mixed, mixed.Range(), ports.ConflictKeep)

			return steps(
				func() error {
					return wantReport(report, err, ports.WriteReport{Inserted: 2, Unchanged: 2, Kept: 6})
				},
				func() error { return wantBars(ctx, s, all(key), join(b, other.Slice(10, 12))) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: span(0, 12)}) },
			)
		},
	},
	{
		name: "write/knows_its_policy",
		text: "a write under an unknown policy is refused as invalid, and nothing changes",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			longer := bars(key, start, 12, 77)
			_, err := ports.WriteBars(ctx, s.Bars, longer, longer.Range(), unknownPolicy)

			return steps(
				func() error { return wantError(err, ports.ErrInvalid) },
				func() error { return wantBars(ctx, s, all(key), b) },
			)
		},
	},
}

// unknownPolicy is none of the conflict policies.
const unknownPolicy = ports.ConflictKeep + 1

// batchWriteLaws are the laws on writes of many series.
var batchWriteLaws = []law[Store]{
	{
		name: "write/batch_each_alone",
		text: "each write of a batch has its own result, and one that is refused keeps no other from being written",
		check: func(ctx context.Context, s Store) error {
			of := func(symbol domain.Symbol, from, n, seed int) domain.Series {
				return bars(minuteKey(symbol), minutes(from), n, seed)
			}
			if err := steps(
				func() error { return write(ctx, s, of("B/USD", 0, 5, 1)) },
				func() error { return write(ctx, s, of("D/USD", 0, 5, 1)) },
			); err != nil {
				return err
			}

			a, d, e := of("A/USD", 3, 4, 1), of("D/USD", 3, 4, 4), of("E/USD", 0, 1, 1)
			results := s.Bars.WriteBatch(ctx, []ports.BarWrite{
				{Bars: e, Coverage: span(0, 20)},
				{Bars: of("B/USD", 0, 5, 50), Coverage: span(0, 5)},
				{Bars: a, Coverage: span(0, 10)},
				{Bars: of("C/USD", 0, 5, 1), Coverage: span(0, 4)},
				{Bars: d, Coverage: d.Range()},
			})
			if len(results) != 5 {
				return fmt.Errorf("WriteBatch got %d results of 5 writes, want 5", len(results))
			}

			want := func(i int, report ports.WriteReport) func() error {
				return func() error { return wantReport(results[i].Report, results[i].Err, report) }
			}

			return steps(
				want(0, ports.WriteReport{Inserted: 1}),
				func() error { return wantConflict(results[1].Report, results[1].Err, 5, start) },
				want(2, ports.WriteReport{Inserted: 4}),
				func() error { return wantError(results[3].Err, ports.ErrInvalid) },
				want(4, ports.WriteReport{Inserted: 2, Unchanged: 2}),
				func() error { return wantBars(ctx, s, all(a.Key()), a) },
				func() error { return wantBars(ctx, s, all(minuteKey("B/USD")), of("B/USD", 0, 5, 1)) },
				func() error { return wantNothing(ctx, s, minuteKey("C/USD")) },
				func() error { return wantBars(ctx, s, all(d.Key()), of("D/USD", 0, 7, 1)) },
				func() error {
					return wantExtents(ctx, s, []domain.Symbol{"A/USD", "E/USD"},
						domain.Extent{Key: a.Key(), Range: span(0, 10)}, domain.Extent{Key: e.Key(), Range: span(0, 20)})
				},
			)
		},
	},
	{
		name: "write/batch_a_series_once",
		text: "a second write to one series of a batch is refused as invalid, and a batch of none has no results",
		check: func(ctx context.Context, s Store) error {
			one, two := bars(key, start, 5, 1), bars(key, minutes(5), 5, 1)
			results := s.Bars.WriteBatch(ctx, []ports.BarWrite{
				{Bars: one, Coverage: one.Range()}, {Bars: two, Coverage: two.Range()},
			})

			return steps(
				func() error { return wantReport(results[0].Report, results[0].Err, ports.WriteReport{Inserted: 5}) },
				func() error { return wantError(results[1].Err, ports.ErrInvalid) },
				func() error { return wantBars(ctx, s, all(key), one) },
				func() error {
					if n := len(s.Bars.WriteBatch(ctx, nil)); n > 0 {
						return fmt.Errorf("WriteBatch got %d results of no write, want 0", n)
					}
					return nil
				},
			)
		},
	},
	{
		name: "write/batch_many_series",
		text: "a batch of one minute of 60 series, again with what is stored already, and again with the next minute",
		check: func(ctx context.Context, s Store) error {
			const n = 60
			of := func(i int) domain.SeriesKey { return minuteKey(domain.Symbol(fmt.Sprintf("S%04d/USD", i))) }
			writes := func(from, minutes int) (all []ports.BarWrite) {
				for i := range n {
					b := bars(of(i), start, from+minutes, i).Slice(from, from+minutes)
					all = append(all, ports.BarWrite{Bars: b, Coverage: b.Range()})
				}

				return all
			}
			for _, step := range []struct {
				writes []ports.BarWrite
				want   ports.WriteReport
			}{
				{writes(0, 1), ports.WriteReport{Inserted: 1}},
				{writes(0, 1), ports.WriteReport{Unchanged: 1}},
				{writes(0, 2), ports.WriteReport{Inserted: 1, Unchanged: 1}},
				{writes(2, 1), ports.WriteReport{Inserted: 1}},
			} {
				for i, r := range s.Bars.WriteBatch(ctx, step.writes) {
					if err := wantReport(r.Report, r.Err, step.want); err != nil {
						return fmt.Errorf("%s: %w", of(i), err)
					}
				}
			}

			for _, i := range []int{0, 1, n - 2, n - 1} {
				if err := wantBars(ctx, s, all(of(i)), bars(of(i), start, 3, i)); err != nil {
					return err
				}
			}

			return nil
		},
	},
}
