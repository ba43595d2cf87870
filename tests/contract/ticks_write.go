package contract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickWriteLaws are the laws on writes.
func tickWriteLaws[D data[D]](f form[D]) []law[Store] {
	inTime := func(ctx context.Context, s Store, d D, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return f.write(ctx, s, d)
	}

	return []law[Store]{
		{
			name: "write/idempotent",
			text: "writing the same again changes nothing and reports unchanged rows",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 10, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				report, err := f.put(ctx, s, d, f.minutes(d))

				return steps(
					func() error { return wantReport(report, err, ports.WriteReport{Unchanged: d.Len()}) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, f.minutes(d)) },
				)
			},
		},
		{
			name: "write/last_wins",
			text: "of several writes of " + f.one + " the last one wins, and the neighbors stay, also at the same instant",
			check: func(ctx context.Context, s Store) error {
				d, once := f.run(0, 10, 1), f.run(0, 10, 33)
				over := f.run(0, 10, 77).Slice(4, 7)
				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return f.write(ctx, s, once.Slice(4, 7)) },
					func() error { return f.write(ctx, s, over) },
					func() error { return f.wantAll(ctx, s, f.joined(d.Slice(0, 4), over, d.Slice(7, d.Len()))) },
				)
			},
		},
		{
			name: "write/every_field_is_set",
			text: "a write sets every field of " + f.one + " that exists: any one alone, and back to zero",
			check: func(ctx context.Context, s Store) error {
				first := f.run(0, 1, 1).Slice(0, 1)
				others := []D{f.zero()}
				for i := range f.fields {
					others = append(others, f.field(i))
				}
				for _, d := range others {
					if err := f.write(ctx, s, first); err != nil {
						return err
					}

					report, err := f.put(ctx, s, d, f.minutes(d))
					if err := wantReport(report, err, ports.WriteReport{Changed: 1}); err != nil {
						return fmt.Errorf("writing %s over %s: %w", f.row(d, 0), f.row(first, 0), err)
					}
					if err := f.wantAll(ctx, s, d); err != nil {
						return err
					}
				}

				return nil
			},
		},
		{
			name: "write/reports_counts",
			text: "a write reports how many " + f.many + " were inserted, changed and unchanged",
			check: func(ctx context.Context, s Store) error {
				d, m := f.run(0, 10, 1), f.aMinute
				report, err := f.put(ctx, s, d.Clip(span(2, 8)), span(0, 10))
				if err := wantReport(report, err, ports.WriteReport{Inserted: 6 * m}); err != nil {
					return err
				}

				mixed := f.joined(d.Clip(span(0, 5)), f.run(5, 7, 99), d.Clip(span(7, 10)))
				report, err = f.put(ctx, s, mixed, span(0, 10))

				return steps(
					func() error {
						return wantReport(report, err, ports.WriteReport{Inserted: 4 * m, Changed: 2 * m, Unchanged: 4 * m})
					},
					func() error { return f.wantAll(ctx, s, mixed) },
				)
			},
		},
		{
			name: "write/coverage_contains_the_" + f.many,
			text: "a write whose coverage does not contain the " + f.many + " is ErrInvalid, and nothing is stored",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 10, 1)
				for _, coverage := range []domain.Range{span(0, 9), span(1, 10), span(20, 30), span(3, 3), {}} {
					if err := wantError(second(f.put(ctx, s, d, coverage)), ports.ErrInvalid); err != nil {
						return fmt.Errorf("coverage %s: %w", coverage, err)
					}
				}

				return f.wantNothing(ctx, s, key.Symbol)
			},
		},
		{
			name: "write/large_batch",
			text: "a batch of 10,500 is one write",
			check: func(ctx context.Context, s Store) error {
				d := f.long(key.Symbol, 1)
				report, err := f.put(ctx, s, d, f.minutes(d))
				return steps(
					func() error { return wantReport(report, err, ports.WriteReport{Inserted: d.Len()}) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, f.minutes(d)) },
				)
			},
		},
		{
			name: "write/whole_or_nothing",
			text: "a read concurrent with a write returns all of the write or none of it",
			race: true,
			check: func(ctx context.Context, s Store) error {
				versions := []D{f.run(0, 20, 1), f.run(0, 20, 2)}
				return beside(ctx, f, s, versions, func(ctx context.Context, d D) error { return f.write(ctx, s, d) })
			},
		},
		{
			name: "write/cancelled_is_whole_or_nothing",
			text: "a write whose deadline passes at any moment stores all data and the coverage, or nothing",
			race: true,
			check: func(ctx context.Context, s Store) error {
				for i := range 12 {
					symbol := domain.Symbol(fmt.Sprintf("COIN%d/USD", i))
					d := f.rows(symbol, 0, 5_000/f.aMinute, 1)
					err := inTime(ctx, s, d, time.Duration(1<<i)*50*time.Microsecond)
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						return err
					}

					got, readErr := f.read(ctx, s, everything(symbol))
					if readErr != nil {
						return readErr
					}

					wantWhole := func() error {
						return steps(
							func() error { return f.same(got, d) },
							func() error {
								return f.wantExtents(ctx, s, []domain.Symbol{symbol}, extent{symbol, f.minutes(d)})
							},
						)
					}
					if err == nil || got.Len() > 0 {
						readErr = wantWhole()
					} else if f.wantNothing(ctx, s, symbol) != nil {
						// A server may complete the write after its deadline, between the two reads. Then all of it must
						// be stored.
						if got, readErr = f.read(ctx, s, everything(symbol)); readErr == nil {
							readErr = wantWhole()
						}
					}
					if readErr != nil {
						return fmt.Errorf("after %s ended with %s: %w", f.method("Write"), errorText(err), readErr)
					}
				}

				return nil
			},
		},
		{
			name: "write/retry_completes",
			text: "after a write whose deadline passed, the same write again leaves everything in its place",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 5_000/f.aMinute, 1)
				for i := range 5 {
					err := inTime(ctx, s, d, time.Duration(1<<i)*50*time.Microsecond)
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						return err
					}
				}

				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, f.minutes(d)) },
				)
			},
		},
	}
}

// beside writes the versions in turns, and fails unless a concurrent reader gets one whole version each time.
func beside[D data[D]](
	ctx context.Context, f form[D], s Store, versions []D, put func(ctx context.Context, d D) error,
) error {
	if err := put(ctx, versions[0]); err != nil {
		return err
	}
	return runAll(ctx,
		func(ctx context.Context) error {
			for i := range 50 {
				if err := put(ctx, versions[i%2]); err != nil {
					return err
				}
			}

			return nil
		},
		func(ctx context.Context) error {
			for range 100 {
				got, err := f.read(ctx, s, in(always))
				if err != nil {
					return err
				}
				if err := f.oneOf(got, versions); err != nil {
					return err
				}
			}

			return nil
		},
	)
}

// tickConflictLaws are the laws on stored data with other values.
func tickConflictLaws[D data[D]](f form[D]) []law[Store] {
	return []law[Store]{
		{
			name: "write/fails_on_conflict",
			text: "a write under the policy fail names the first of the stored " + f.many + " with other values and their " +
				"number, and changes nothing; equal and uncovered ones are no conflict",
			check: func(ctx context.Context, s Store) error {
				d, other, longer := f.run(0, 10, 1), f.run(0, 12, 77), f.run(0, 12, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				none, refused := f.putNew(ctx, s, f.joined(d.Clip(span(0, 4)), other.Clip(span(4, 12))), span(0, 12))
				appended := func() error {
					report, err := f.putNew(ctx, s, longer, span(0, 12))
					return wantReport(report, err, ports.WriteReport{Inserted: 2 * f.aMinute, Unchanged: d.Len()})
				}
				uncovered := func() error {
					report, err := f.putNew(ctx, s, other.Clip(span(2, 5)), span(2, 5))
					return wantReport(report, err, ports.WriteReport{Inserted: 3 * f.aMinute})
				}

				return steps(
					func() error { return wantConflict(none, refused, 6*f.aMinute, minutes(4)) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, span(0, 10)) },
					appended,
					func() error { return f.delete(ctx, s, span(2, 5)) },
					uncovered,
				)
			},
		},
		{
			name: "write/keeps_on_conflict",
			text: "a write under the policy keep leaves stored " + f.many + " as they are, and adds the others",
			check: func(ctx context.Context, s Store) error {
				d, other := f.run(0, 10, 1), f.run(0, 12, 77)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				report, err := f.putKept(ctx, s, f.joined(d.Clip(span(2, 4)), other.Clip(span(4, 12))), span(2, 12))

				return steps(
					func() error {
						m := f.aMinute
						return wantReport(report, err, ports.WriteReport{Inserted: 2 * m, Unchanged: 2 * m, Kept: 6 * m})
					},
					func() error { return f.wantAll(ctx, s, f.joined(d, other.Clip(span(10, 12)))) },
					func() error { return f.wantCoverage(ctx, s, span(0, 12)) },
				)
			},
		},
		{
			name: "write/knows_its_policy",
			text: "a write under an unknown policy is refused as invalid, and nothing changes",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 10, 1)
				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error {
						return wantError(second(f.putBad(ctx, s, f.run(0, 12, 77), span(0, 12))), ports.ErrInvalid)
					},
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, span(0, 10)) },
				)
			},
		},
	}
}

// tickReplaceLaws are the laws on replacements and deletions.
func tickReplaceLaws[D data[D]](f form[D]) []law[Store] {
	return []law[Store]{
		{
			name: "replace/puts_in_place",
			text: "a replacement leaves in its range exactly its own " + f.many + ", and all others as they were",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 20, 1)
				others := f.run(0, 20, 70)
				fresh := f.joined(others.Clip(span(6, 8)), others.Clip(span(11, 12)).Slice(0, 1))
				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return second(f.replace(ctx, s, fresh, span(5, 15))) },
					func() error {
						return f.wantAll(ctx, s, f.joined(d.Clip(span(0, 5)), fresh, d.Clip(span(15, 20))))
					},
				)
			},
		},
		{
			name: "replace/covers_its_range",
			text: "a replacement by " + f.many + " declares coverage of all of its range",
			check: func(ctx context.Context, s Store) error {
				return steps(
					func() error { return second(f.replace(ctx, s, f.run(6, 8, 1), span(5, 15))) },
					func() error { return f.wantCoverage(ctx, s, span(5, 15)) },
					func() error { return second(f.replace(ctx, s, f.run(14, 16, 1), span(14, 18))) },
					func() error { return f.wantCoverage(ctx, s, span(5, 18)) },
				)
			},
		},
		{
			name: "replace/reports_counts",
			text: "a replacement reports how many " + f.many + " were inserted, changed, unchanged and deleted",
			check: func(ctx context.Context, s Store) error {
				d, m := f.run(0, 20, 1), f.aMinute
				if err := f.write(ctx, s, d.Clip(span(0, 15))); err != nil {
					return err
				}

				fresh := f.joined(d.Clip(span(10, 12)), f.run(12, 13, 90), d.Clip(span(15, 19))) // 13 and 14 go
				report, err := f.replace(ctx, s, fresh, span(10, 20))

				return steps(
					func() error {
						return wantReport(report, err, ports.WriteReport{Inserted: 4 * m, Changed: m, Unchanged: 2 * m, Deleted: 2 * m})
					},
					func() error { return f.wantAll(ctx, s, f.joined(d.Clip(span(0, 10)), fresh)) },
				)
			},
		},
		{
			name: "replace/" + f.many + "_lie_in_the_range",
			text: "a replacement by " + f.many + " that do not all lie in its range is refused as invalid, and nothing changes",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 10, 1)
				if err := f.write(ctx, s, d); err != nil {
					return err
				}

				for _, r := range []domain.Range{span(0, 9), span(1, 10), span(20, 30), span(5, 5)} {
					if err := wantError(second(f.replace(ctx, s, f.run(0, 10, 60), r)), ports.ErrInvalid); err != nil {
						return fmt.Errorf("%s in %s: %w", f.method("Replace"), r, err)
					}
				}

				return steps(
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, span(0, 10)) },
				)
			},
		},
		{
			name: "replace/whole_or_nothing",
			text: "a read concurrent with a replacement returns the old data or the new data, never an empty range",
			race: true,
			check: func(ctx context.Context, s Store) error {
				versions := []D{f.run(0, 20, 1), f.run(0, 8, 2)}
				return beside(ctx, f, s, versions, func(ctx context.Context, d D) error {
					return second(f.replace(ctx, s, d, span(0, 20)))
				})
			},
		},
		{
			name: "replace/by_nothing",
			text: "a replacement by none is refused as invalid, and nothing changes",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 10, 1)
				return steps(
					func() error { return f.write(ctx, s, d) },
					func() error {
						return wantError(second(f.replace(ctx, s, f.none(key.Symbol), span(2, 5))), ports.ErrInvalid)
					},
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, span(0, 10)) },
				)
			},
		},
		{
			name: "delete/removes_" + f.many,
			text: "a deletion removes the " + f.many + " of its range, counts them, and touches no other",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 20, 1)
				const near = domain.Symbol("BTC/USDT")
				other := f.rows(near, 0, 20, 1)
				if err := errors.Join(f.write(ctx, s, d), f.write(ctx, s, other)); err != nil {
					return err
				}

				report, err := f.remove(ctx, s, key.Symbol, span(5, 15))

				return steps(
					func() error { return wantReport(report, err, ports.WriteReport{Deleted: 10 * f.aMinute}) },
					func() error { return f.wantAll(ctx, s, f.joined(d.Clip(span(0, 5)), d.Clip(span(15, 20)))) },
					func() error { return f.want(ctx, s, everything(near), other) },
				)
			},
		},
		{
			name: "delete/forgets_coverage",
			text: "deleting a range removes its coverage, and keeps the coverage before and after it",
			check: func(ctx context.Context, s Store) error {
				return steps(
					func() error { return f.write(ctx, s, f.run(0, 20, 1)) },
					func() error { return f.delete(ctx, s, span(5, 15)) },
					func() error { return f.wantCoverage(ctx, s, span(0, 5), span(15, 20)) },
					func() error { return f.delete(ctx, s, always) },
					func() error { return f.wantNothing(ctx, s, key.Symbol) },
				)
			},
		},
		{
			name: "delete/of_nothing",
			text: "a deletion of nothing is no error and changes nothing",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 5, 1)
				for _, symbol := range []domain.Symbol{key.Symbol, "NO/SUCH"} {
					report, err := f.remove(ctx, s, symbol, span(50, 60))
					if err := wantReport(report, err, ports.WriteReport{}); err != nil {
						return err
					}
					if err := f.write(ctx, s, d); err != nil {
						return err
					}
				}

				return steps(
					func() error { return f.delete(ctx, s, span(3, 3)) },
					func() error { return f.wantAll(ctx, s, d) },
					func() error { return f.wantCoverage(ctx, s, span(0, 5)) },
				)
			},
		},
		{
			name: "delete/then_write_again",
			text: "deleted data can be written again, and counts as inserted",
			check: func(ctx context.Context, s Store) error {
				d := f.run(0, 10, 1)
				if err := steps(
					func() error { return f.write(ctx, s, d) },
					func() error { return f.delete(ctx, s, always) },
				); err != nil {
					return err
				}

				report, err := f.put(ctx, s, d, f.minutes(d))

				return steps(
					func() error { return wantReport(report, err, ports.WriteReport{Inserted: d.Len()}) },
					func() error { return f.wantAll(ctx, s, d) },
				)
			},
		},
	}
}
