package domain

import (
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rounded is n / d as an integer, chosen between the two around the quotient by the definition of each rounding.
func rounded(n, d *big.Int, r Rounding) *big.Int {
	quotient := new(big.Rat).SetFrac(n, d)
	if quotient.IsInt() {
		return quotient.Num()
	}

	lower := new(big.Int).Div(quotient.Num(), quotient.Denom()) // the denominator is positive, so that Div is the floor
	upper := new(big.Int).Add(lower, big.NewInt(1))
	middle := new(big.Rat).SetFrac(new(big.Int).Add(lower, upper), big.NewInt(2))
	inner, outer := lower, upper // towards 0, and away from it
	if quotient.Sign() < 0 {
		inner, outer = upper, lower
	}
	even := lower
	if lower.Bit(0) == 1 {
		even = upper
	}

	nearest := lower
	if quotient.Cmp(middle) > 0 {
		nearest = upper
	}
	isTie := quotient.Cmp(middle) == 0
	switch {
	case r == RoundHalfEven && isTie:
		return even
	case r == RoundHalfUp && isTie, r == RoundUp:
		return outer
	case r == RoundDown:
		return inner
	case r == RoundFloor:
		return lower
	case r == RoundCeiling:
		return upper
	}

	return nearest
}

func TestDecimalQuoAndRoundAgainstBig(t *testing.T) {
	check(t, func(t *rapid.T) {
		a, b := anyDecimal().Draw(t, "a"), anyDecimal().Draw(t, "b")
		places := uint8(rapid.IntRange(0, MaxScale).Draw(t, "places"))
		r := Rounding(rapid.IntRange(0, len(roundings)-1).Draw(t, "rounding"))
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(MaxScale-places)), nil) // 10^-places, in the oracle's count

		got, err := a.Round(places, r)
		equalsBig(t, got, err, new(big.Int).Mul(rounded(oracle(a), unit, r), unit))
		if b.IsZero() {
			return
		}

		got, err = a.Quo(b, places, r)
		numerator, denominator := new(big.Int).Mul(oracle(a), ten18), new(big.Int).Mul(oracle(b), unit)
		equalsBig(t, got, err, new(big.Int).Mul(rounded(numerator, denominator, r), unit))
	})
}

// equalsBig checks a result that is want 10^-18, or ErrOverflow if that has too many digits before the point.
func equalsBig(t *rapid.T, got Decimal, err error, want *big.Int) {
	t.Helper()
	switch {
	case !inRange(want) && (!errors.Is(err, ErrOverflow) || !errors.Is(err, ErrInvalid)):
		t.Fatalf("%s, %v; want an overflow, because it is %s", got, err, plain(want))
	case inRange(want) && (err != nil || oracle(got).Cmp(want) != 0):
		t.Fatalf("%s, %v; want %s", got, err, plain(want))
	}
}

func TestDecimalMulAgainstBig(t *testing.T) {
	check(t, func(t *rapid.T) {
		a, b := anyDecimal().Draw(t, "a"), anyDecimal().Draw(t, "b")
		product, rest := new(big.Int).QuoRem(new(big.Int).Mul(oracle(a), oracle(b)), ten18, new(big.Int))
		got, err := a.Mul(b)
		if rest.Sign() != 0 {
			product = limit // more than 18 digits after the point are an overflow too
		}
		equalsBig(t, got, err, product)
	})
}

func TestDecimalFloat64IsTheNearest(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := anyDecimal().Draw(t, "d")
		want, _ := new(big.Rat).SetFrac(oracle(d), ten18).Float64()
		if got := d.Float64(); got != want {
			t.Fatalf("%s is %v, want %v", d, got, want)
		}
		if d.Abs().Sign() < 0 || d.Abs().Cmp(d) != 0 && d.Abs().Cmp(d.Neg()) != 0 {
			t.Fatalf("the absolute value of %s is %s", d, d.Abs())
		}
	})
}

func TestDecimalRoundings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    string
		want map[Rounding]string
	}{
		{"2.5", map[Rounding]string{
			RoundHalfEven: "2", RoundHalfUp: "3", RoundDown: "2", RoundUp: "3", RoundFloor: "2", RoundCeiling: "3",
		}},
		{"-2.5", map[Rounding]string{
			RoundHalfEven: "-2", RoundHalfUp: "-3", RoundDown: "-2", RoundUp: "-3", RoundFloor: "-3", RoundCeiling: "-2",
		}},
		{"3.5", map[Rounding]string{
			RoundHalfEven: "4", RoundHalfUp: "4", RoundDown: "3", RoundUp: "4", RoundFloor: "3", RoundCeiling: "4",
		}},
		{"-2.4999", map[Rounding]string{
			RoundHalfEven: "-2", RoundHalfUp: "-2", RoundDown: "-2", RoundUp: "-3", RoundFloor: "-3", RoundCeiling: "-2",
		}},
	} {
		for r, want := range c.want {
			got, err := MustDecimal(c.d).Round(0, r)
			if err != nil || got.String() != want {
				t.Errorf("%s rounded %s is %s, %v; want %s", c.d, r, got, err, want)
			}
		}
	}
}

func TestDecimalQuoRefuses(t *testing.T) {
	t.Parallel()
	one, largest := MustDecimal("1"), MustDecimal(strings.Repeat("9", MaxIntegerDigits)+".9")
	for name, ask := range map[string]func() (Decimal, error){
		"a division by 0":           func() (Decimal, error) { return one.Quo(Decimal{}, 2, RoundDown) },
		"19 places":                 func() (Decimal, error) { return one.Quo(one, MaxScale+1, RoundDown) },
		"an unknown rounding":       func() (Decimal, error) { return one.Quo(one, 2, RoundCeiling+1) },
		"an unknown rounding again": func() (Decimal, error) { return one.Round(2, RoundCeiling+1) },
		"21 digits after rounding":  func() (Decimal, error) { return largest.Round(0, RoundHalfUp) },
	} {
		if got, err := ask(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}
