package contract

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// writeLaws are the laws of WriteBars.
var writeLaws = []law[Store]{
	{
		name: "write/idempotent",
		text: "writing the same again changes nothing and reports unchanged rows",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			if err := write(ctx, s, b); err != nil {
				return err
			}

			report, err := ports.WriteBars(ctx, s.Bars, b, b.Range(), ports.ConflictReplace)

			return steps(
				func() error { return wantReport(report, err, ports.WriteReport{Unchanged: 10}) },
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
	{
		name: "write/last_wins",
		text: "of several writes of one bar the last one wins, and the neighboring bars stay",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			over := bars(key, minutes(4), 2, 77)
			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return write(ctx, s, bars(key, minutes(4), 2, 33)) },
				func() error { return write(ctx, s, over) },
				func() error { return wantBars(ctx, s, all(key), join(b.Slice(0, 4), over, b.Slice(6, 10))) },
			)
		},
	},
	{
		name: "write/every_field_is_set",
		text: "a write sets every field of a bar that exists: any one alone, and back to zero",
		check: func(ctx context.Context, s Store) error {
			first := barAt(start, 1)
			other := barAt(start, 50)
			alone := [...]func(*domain.Bar){
				func(b *domain.Bar) { b.Open = other.Open },
				func(b *domain.Bar) { b.High = other.High },
				func(b *domain.Bar) { b.Low = other.Low },
				func(b *domain.Bar) { b.Close = other.Close },
				func(b *domain.Bar) { b.Volume = other.Volume },
				func(b *domain.Bar) { b.Trades = other.Trades },
				func(b *domain.Bar) { *b = domain.Bar{OpenTime: b.OpenTime} },
			}
			for _, change := range alone {
				if err := write(ctx, s, series(key, first)); err != nil {
					return err
				}

				changed := first
				change(&changed)
				b := series(key, changed)
				report, err := ports.WriteBars(ctx, s.Bars, b, b.Range(), ports.ConflictReplace)
				if err := wantReport(report, err, ports.WriteReport{Changed: 1}); err != nil {
					return fmt.Errorf("writing %s over %s: %w", changed, first, err)
				}
				if err := wantBars(ctx, s, all(key), b); err != nil {
					return err
				}
			}

			return nil
		},
	},
	{
		name: "write/reports_counts",
		text: "a write reports how many bars were inserted, changed and unchanged",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			first, err := ports.WriteBars(ctx, s.Bars, b.Slice(2, 8), b.Range(), ports.ConflictReplace)
			if err := wantReport(first, err, ports.WriteReport{Inserted: 6}); err != nil {
				return err
			}

			mixed := join(b.Slice(0, 5), bars(key, minutes(5), 2, 99), b.Slice(7, 10))
			second, err := ports.WriteBars(ctx, s.Bars, mixed, mixed.Range(), ports.ConflictReplace)

			return steps(
				func() error {
					return wantReport(second, err, ports.WriteReport{Inserted: 4, Changed: 2, Unchanged: 4})
				},
				func() error { return wantBars(ctx, s, all(key), mixed) },
			)
		},
	},
	{
		name: "write/coverage_contains_the_bars",
		text: "a write whose coverage does not contain the bars is ErrInvalid, and nothing is stored",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 10, 1)
			for _, coverage := range []domain.Range{span(0, 9), span(1, 10), span(20, 30), span(3, 3), {}} {
				_, err := ports.WriteBars(ctx, s.Bars, b, coverage, ports.ConflictReplace)
				if err := wantError(err, ports.ErrInvalid); err != nil {
					return fmt.Errorf("coverage %s: %w", coverage, err)
				}
			}

			return wantNothing(ctx, s, key)
		},
	},
	{
		name: "write/large_batch",
		text: "a batch of 10,500 bars is one write",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, manyBars, 1)
			report, err := ports.WriteBars(ctx, s.Bars, b, b.Range(), ports.ConflictReplace)
			return steps(
				func() error { return wantReport(report, err, ports.WriteReport{Inserted: manyBars}) },
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
	{
		name: "write/whole_or_nothing",
		text: "a read concurrent with a write returns all of the write or none of it",
		race: true,
		check: func(ctx context.Context, s Store) error {
			versions := []domain.Series{bars(key, start, 50, 1), bars(key, start, 50, 2)}
			if err := write(ctx, s, versions[0]); err != nil {
				return err
			}

			return runAll(ctx,
				func(ctx context.Context) error {
					for i := range 50 {
						if err := write(ctx, s, versions[i%2]); err != nil {
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
							return fmt.Errorf("ReadBars beside WriteBatch got a mixture, want one of the two versions: %s", got)
						}
					}

					return nil
				},
			)
		},
	},
	{
		name: "write/cancelled_is_whole_or_nothing",
		text: "a write whose deadline passes at any moment stores all bars and the coverage, or nothing",
		race: true,
		check: func(ctx context.Context, s Store) error {
			for i := range 12 {
				k := minuteKey(domain.Symbol(fmt.Sprintf("COIN%d/USD", i)))
				b := bars(k, start, 5_000, 1)
				err := writeInTime(ctx, s, b, time.Duration(1<<i)*50*time.Microsecond)
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return err
				}

				got, readErr := read(ctx, s, all(k))
				if readErr != nil {
					return readErr
				}

				wantWhole := func() error {
					return steps(
						func() error { return sameBars(got, b) },
						func() error {
							return wantExtents(ctx, s, []domain.Symbol{k.Symbol}, domain.Extent{Key: k, Range: b.Range()})
						},
					)
				}
				if err == nil || got.Len() > 0 {
					readErr = wantWhole()
				} else if wantExtents(ctx, s, []domain.Symbol{k.Symbol}) != nil {
					// A server may complete the write after its deadline, between the two reads. Then all of it must
					// be stored.
					if got, readErr = read(ctx, s, all(k)); readErr == nil {
						readErr = wantWhole()
					}
				}
				if readErr != nil {
					return fmt.Errorf("after WriteBatch ended with %s: %w", errorText(err), readErr)
				}
			}

			return nil
		},
	},
	{
		name: "write/retry_completes",
		text: "after a write whose deadline passed, the same write again leaves everything in its place",
		check: func(ctx context.Context, s Store) error {
			b := bars(key, start, 5_000, 1)
			for i := range 5 {
				err := writeInTime(ctx, s, b, time.Duration(1<<i)*50*time.Microsecond)
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
			}

			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, all(key), b) },
				func() error { return wantExtents(ctx, s, nil, domain.Extent{Key: key, Range: b.Range()}) },
			)
		},
	},
}

// writeInTime writes with a deadline.
func writeInTime(ctx context.Context, s Store, b domain.Series, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return write(ctx, s, b)
}
