package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// tickExtentLaws are the laws on declared coverage.
func tickExtentLaws[D data[D]](f form[D]) []law[Store] {
	return []law[Store]{
		{
			name: "extents/coverage_is_stored",
			text: "coverage is stored as declared, also beyond the first and the last of the " + f.many,
			check: func(ctx context.Context, s Store) error {
				return steps(
					func() error { return second(f.put(ctx, s, f.run(0, 5, 1), span(-100, 200))) },
					func() error { return f.wantCoverage(ctx, s, span(-100, 200)) },
				)
			},
		},
		{
			name: "extents/touching_merge",
			text: "declared ranges that touch, overlap or contain one another are one extent",
			check: func(ctx context.Context, s Store) error {
				return steps(
					func() error {
						return f.declare(ctx, s, key.Symbol, span(0, 10), span(10, 20), span(15, 30), span(5, 25))
					},
					func() error { return f.wantCoverage(ctx, s, span(0, 30)) },
					func() error { return f.declare(ctx, s, key.Symbol, span(40, 50), span(-10, 0)) },
					func() error { return f.wantCoverage(ctx, s, span(-10, 30), span(40, 50)) },
					func() error { return f.declare(ctx, s, key.Symbol, span(30, 40)) },
					func() error { return f.wantCoverage(ctx, s, span(-10, 50)) },
				)
			},
		},
		{
			name: "extents/apart_stay_apart",
			text: "declared ranges with a gap between them are two extents, even if the gap is small",
			check: func(ctx context.Context, s Store) error {
				later := domain.Range{Start: minutes(10).Add(time.Microsecond), End: minutes(20)}
				return steps(
					func() error { return f.declare(ctx, s, key.Symbol, later, span(0, 10)) },
					func() error { return f.wantCoverage(ctx, s, span(0, 10), later) },
				)
			},
		},
		{
			name: "extents/coverage_without_" + f.many,
			text: "coverage without " + f.many + " is stored: nothing happened there",
			check: func(ctx context.Context, s Store) error {
				return steps(
					func() error { return f.declare(ctx, s, key.Symbol, span(5, 15)) },
					func() error { return f.wantCoverage(ctx, s, span(5, 15)) },
					func() error { return f.wantAll(ctx, s, f.none(key.Symbol)) },
				)
			},
		},
		{
			name: "extents/empty_coverage",
			text: "an empty range declares no coverage",
			check: func(ctx context.Context, s Store) error {
				return steps(
					func() error { return f.declare(ctx, s, key.Symbol, span(5, 5)) },
					func() error { return f.wantCoverage(ctx, s) },
					func() error { return f.declare(ctx, s, key.Symbol, span(0, 10), span(20, 20)) },
					func() error { return f.wantCoverage(ctx, s, span(0, 10)) },
				)
			},
		},
		{
			name: "extents/by_symbol",
			text: "coverage is per symbol, ordered by symbol and then by start",
			check: func(ctx context.Context, s Store) error {
				var want []extent
				for _, symbol := range []domain.Symbol{"BTC-USD", "BTC/USD", "BTC/USDT", "ETH/USD"} {
					want = append(want, extent{symbol, span(0, 60)}, extent{symbol, span(120, 180)})
				}
				for i := range want { // written in another order
					c := want[(i*5+7)%len(want)]
					if err := f.declare(ctx, s, c.symbol, c.r); err != nil {
						return err
					}
				}

				return f.wantExtents(ctx, s, nil, want...)
			},
		},
		{
			name: "extents/of_the_symbols_asked",
			text: "the extents of named symbols are those of these symbols only; an unknown symbol adds none, a " +
				"repeated one adds once",
			check: func(ctx context.Context, s Store) error {
				for _, symbol := range []domain.Symbol{"BTC/USD", "ETH/USD", "BTC/USDT", "BTC/US"} {
					if err := f.declare(ctx, s, symbol, span(0, 10)); err != nil {
						return err
					}
				}

				btc, eth := extent{"BTC/USD", span(0, 10)}, extent{"ETH/USD", span(0, 10)}

				return steps(
					func() error { return f.wantExtents(ctx, s, []domain.Symbol{"BTC/USD"}, btc) },
					func() error { return f.wantExtents(ctx, s, []domain.Symbol{"NO/SUCH"}) },
					func() error {
						return f.wantExtents(ctx, s, []domain.Symbol{"ETH/USD", "NO/SUCH", "BTC/USD", "ETH/USD"}, btc, eth)
					},
				)
			},
		},
		{
			name: "extents/behind_a_symbol",
			text: "the extents behind a symbol are those of the later symbols, bytewise",
			check: func(ctx context.Context, s Store) error {
				for _, symbol := range []domain.Symbol{"BTC-USD", "BTC/USD", "BTC/USDT", "ETH/USD"} {
					if err := f.declare(ctx, s, symbol, span(0, 10)); err != nil {
						return err
					}
				}

				late, eth := extent{"BTC/USDT", span(0, 10)}, extent{"ETH/USD", span(0, 10)}
				some := []domain.Symbol{"ETH/USD", "BTC/USD"}

				return steps(
					func() error { return f.wantExtentsOf(ctx, s, ports.ExtentQuery{After: "BTC/USD"}, late, eth) },
					func() error { return f.wantExtentsOf(ctx, s, ports.ExtentQuery{After: "BTC/USD", Symbols: some}, eth) },
					func() error { return f.wantExtentsOf(ctx, s, ports.ExtentQuery{After: "ETH/USD"}) },
				)
			},
		},
		{
			name: "extents/bounds_are_exact",
			text: "the bounds of an extent are those declared, to the microsecond, in UTC",
			check: func(ctx context.Context, s Store) error {
				zone := time.FixedZone("behind", -3*60*60)
				r := domain.Range{Start: start.Add(time.Microsecond).In(zone), End: minutes(10).Add(999_999 * time.Microsecond).In(zone)}
				if err := f.declare(ctx, s, key.Symbol, r); err != nil {
					return err
				}
				if err := f.wantCoverage(ctx, s, r); err != nil {
					return err
				}

				stored, err := f.extents(ctx, s, ports.ExtentQuery{})
				if err != nil {
					return err
				}

				for _, t := range []time.Time{stored[0].r.Start, stored[0].r.End} {
					if t.Location() != time.UTC {
						return fmt.Errorf("TickExtents got the bound %s in the location %q, want UTC", t, t.Location())
					}
				}

				return nil
			},
		},
	}
}

// tickDecimalLaws are the laws on exact numbers.
func tickDecimalLaws[D data[D]](f form[D]) []law[Store] {
	roundTrip := func(groups ...[]domain.Decimal) func(context.Context, Store) error {
		d := f.numbers(key.Symbol, slices.Concat(groups...))
		return func(ctx context.Context, s Store) error {
			return steps(
				func() error { return f.write(ctx, s, d) },
				func() error { return f.wantAll(ctx, s, d) },
			)
		}
	}
	overwrite := func(before, after []domain.Decimal) func(context.Context, Store) error {
		n := min(len(before), len(after))
		first, then := f.numbers(key.Symbol, before[:n]), f.numbers(key.Symbol, after[:n])
		return func(ctx context.Context, s Store) error {
			if err := steps(
				func() error { return f.write(ctx, s, first) },
				func() error { return f.write(ctx, s, then) },
				func() error { return f.wantAll(ctx, s, then) },
				func() error { return f.write(ctx, s, first) },
			); err != nil {
				return err
			}

			for i := range n {
				if err := f.write(ctx, s, then.Slice(i, i+1)); err != nil {
					return err
				}
				if err := f.wantAll(ctx, s, f.joined(then.Slice(0, i+1), first.Slice(i+1, n))); err != nil {
					return err
				}
			}

			return nil
		}
	}
	long := slices.Concat(widest, smallest)

	return []law[Store]{
		{
			name:  "decimal/exact_round_trip",
			text:  "every number comes back as it was written, to the digit, also where no float64 is that number",
			check: roundTrip(everyday, notFloats, edges),
		},
		{
			name:  "decimal/signed_round_trip",
			text:  "negative prices come back to the digit: whether a price may be one is not the store's to judge",
			check: roundTrip(signed, everyday),
		},
		{
			name:  "decimal/widest_round_trip",
			text:  "numbers of 20 digits before and 18 after the point come back to the digit",
			check: roundTrip(widest),
		},
		{
			name:  "decimal/smallest_round_trip",
			text:  "numbers of 18 digits after the point come back to the digit",
			check: roundTrip(smallest),
		},
		{
			name:  "decimal/mixed_widths",
			text:  "wide and narrow numbers stand side by side, each to the digit",
			check: roundTrip(everyday, widest, smallest, notFloats, edges, signed),
		},
		{
			name: "decimal/exact_or_refused",
			text: "a number that the store cannot keep to the digit is an error that says so, and nothing is stored",
			check: func(ctx context.Context, s Store) error {
				for i, number := range long {
					symbol := domain.Symbol(fmt.Sprintf("COIN%d/USD", i))
					d := f.numbers(symbol, append([]domain.Decimal{number}, everyday...))
					err := f.write(ctx, s, d)
					var typed *ports.Error
					switch {
					case err == nil:
						err = f.want(ctx, s, everything(symbol), d)
					case errors.As(err, &typed):
						err = f.wantNothing(ctx, s, symbol)
					}
					if err != nil {
						return fmt.Errorf("%s: %w", number, err)
					}
				}

				return nil
			},
		},
		{
			name:  "decimal/narrow_over_wide",
			text:  "a short number written over a long one stands alone: no digit of the long one is left",
			check: overwrite(long, everyday),
		},
		{
			name:  "decimal/wide_over_narrow",
			text:  "a long number written over a short one stands with every digit",
			check: overwrite(everyday, long),
		},
		{
			name: "decimal/spelling_is_no_change",
			text: f.one + " written again with its numbers spelled otherwise (1 and 1.00) is unchanged",
			check: func(ctx context.Context, s Store) error {
				if err := f.write(ctx, s, f.spelled(0)); err != nil {
					return err
				}

				padded := f.spelled(6)
				report, err := f.put(ctx, s, padded, f.minutes(padded))

				return steps(
					func() error { return wantReport(report, err, ports.WriteReport{Unchanged: 1}) },
					func() error { return f.wantAll(ctx, s, padded) },
				)
			},
		},
	}
}
