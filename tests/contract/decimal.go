package contract

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Numbers that stores often change, by cause.
var (
	everyday = decimals("0", "1", "100", "0.01", "7424.91", "7.14319709", "0.00000001", "1200000000", "123456.789")

	signed = decimals("-1", "-0.00000001", "-37.63", "-9223372036854775807", "-12345678901234567890.123456789012345678")

	// not representable as float64
	notFloats = decimals("0.1234567890123456", "9007199254740993", "123456789.123456789", "0.000000000123456789",
		"4503599627370497.5", "99999999.99999999", "1.000000000000000001")

	// near the bounds of 64 bits
	edges = decimals("9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616",
		"9.223372036854775807", "9.223372036854775808", "922337203685477.5808")

	widest = decimals("99999999999999999999.999999999999999999", "-99999999999999999999.999999999999999999",
		"10000000000000000000.000000000000000001", "12345678901234567890.123456789012345678", "99999999999999999999")

	smallest = decimals("0.000000000000000001", "-0.000000000000000001", "0.999999999999999999", "0.000000000000000999")
)

func decimals(texts ...string) []domain.Decimal {
	var d []domain.Decimal
	for _, t := range texts {
		d = append(d, must(domain.ParseDecimal(t)))
	}

	return d
}

// decimalLaws are the laws on exact numbers.
var decimalLaws = []law[Store]{
	{
		name:  "decimal/exact_round_trip",
		text:  "every number comes back as it was written, to the digit, also where no float64 is that number",
		check: roundTrip(everyday, notFloats, edges),
	},
	{
		name:  "decimal/signed_round_trip",
		text:  "negative numbers come back to the digit: whether a price may be one is not the store's to judge",
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
		text:  "wide and narrow numbers stand side by side in one series, each to the digit",
		check: roundTrip(everyday, widest, smallest, notFloats, edges, signed),
	},
	{
		name: "decimal/exact_or_refused",
		text: "a number that the store cannot keep to the digit is an error that says so, and nothing is stored",
		check: func(ctx context.Context, s Store) error {
			for i, d := range slices.Concat(widest, smallest) {
				k := minuteKey(domain.Symbol(fmt.Sprintf("COIN%d/USD", i)))
				odd := barAt(minutes(5), 1)
				odd.Close = d
				b := join(bars(k, start, 5, 1), series(k, odd), bars(k, minutes(6), 5, 6))
				err := write(ctx, s, b)
				var typed *ports.Error
				switch {
				case err == nil:
					err = wantBars(ctx, s, all(k), b)
				case errors.As(err, &typed):
					err = wantNothing(ctx, s, k)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", d, err)
				}
			}

			return nil
		},
	},
	{
		name: "decimal/narrow_over_wide",
		text: "a short number written over a long one stands alone: no digit of the long one is left",
		check: func(ctx context.Context, s Store) error {
			return overwrite(ctx, s, slices.Concat(widest, smallest), everyday)
		},
	},
	{
		name: "decimal/wide_over_narrow",
		text: "a long number written over a short one stands with every digit",
		check: func(ctx context.Context, s Store) error {
			return overwrite(ctx, s, everyday, slices.Concat(widest, smallest))
		},
	},
	{
		name: "decimal/spelling_is_no_change",
		text: "a bar written again with its numbers spelled otherwise (1 and 1.00) is unchanged",
		check: func(ctx context.Context, s Store) error {
			plain, padded := barAt(start, 1), barAt(start, 1)
			for i, d := range []*domain.Decimal{&padded.Open, &padded.High, &padded.Low, &padded.Close, &padded.Volume} {
				whole := must(domain.NewDecimal(int64(i+1), 0))
				*[]*domain.Decimal{&plain.Open, &plain.High, &plain.Low, &plain.Close, &plain.Volume}[i] = whole
				*d = must(domain.NewDecimal(int64(i+1)*1_000_000, 6))
			}
			if err := write(ctx, s, series(key, plain)); err != nil {
				return err
			}

			b := series(key, padded)
			report, err := ports.WriteBars(ctx, s.Bars, b, b.Range(), ports.ConflictReplace)

			return steps(
				func() error { return wantReport(report, err, ports.WriteReport{Unchanged: 1}) },
				func() error { return wantBars(ctx, s, all(key), b) },
			)
		},
	},
	{
		name: "trades/exact_round_trip",
		text: "a trade count comes back as it was, up to the largest",
		check: func(ctx context.Context, s Store) error {
			var list []domain.Bar
			for i, n := range []int64{0, 1, math.MaxInt32, math.MaxInt32 + 1, 1<<53 + 1, math.MaxInt64} {
				b := barAt(minutes(i), i)
				b.Trades = n
				list = append(list, b)
			}

			b := series(key, list...)

			return steps(
				func() error { return write(ctx, s, b) },
				func() error { return wantBars(ctx, s, all(key), b) },
			)
		},
	},
}

// barsOf returns bars in which each number is once in each field.
func barsOf(numbers []domain.Decimal) domain.Series {
	n := len(numbers)
	var list []domain.Bar
	for i := range n {
		at := func(k int) domain.Decimal { return numbers[(i+k)%n] }
		list = append(list, domain.Bar{
			OpenTime: minutes(i), Open: at(0), High: at(1), Low: at(2), Close: at(3), Volume: at(4), Trades: int64(i),
		})
	}

	return series(key, list...)
}

func roundTrip(groups ...[]domain.Decimal) func(context.Context, Store) error {
	var numbers []domain.Decimal
	for _, g := range groups {
		numbers = append(numbers, g...)
	}

	return func(ctx context.Context, s Store) error {
		b := barsOf(numbers)
		return steps(
			func() error { return write(ctx, s, b) },
			func() error { return wantBars(ctx, s, all(key), b) },
		)
	}
}

// overwrite overwrites bars of one set of numbers by bars of the other, in one write and then bar by bar.
func overwrite(ctx context.Context, s Store, before, after []domain.Decimal) error {
	n := min(len(before), len(after))
	first, then := barsOf(before[:n]), barsOf(after[:n])
	if err := steps(
		func() error { return write(ctx, s, first) },
		func() error { return write(ctx, s, then) },
		func() error { return wantBars(ctx, s, all(key), then) },
		func() error { return write(ctx, s, first) },
	); err != nil {
		return err
	}

	for i := range n {
		if err := write(ctx, s, then.Slice(i, i+1)); err != nil {
			return err
		}
		if err := wantBars(ctx, s, all(key), join(then.Slice(0, i+1), first.Slice(i+1, n))); err != nil {
			return err
		}
	}

	return nil
}
