package domain

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"pgregory.net/rapid"
)

// The oracle: a Decimal as an integer count of 10^-18.
var (
	ten18 = new(big.Int).Exp(big.NewInt(10), big.NewInt(MaxScale), nil)
	limit = new(big.Int).Exp(big.NewInt(10), big.NewInt(MaxScale+MaxIntegerDigits), nil)
)

func inRange(n *big.Int) bool { return n.CmpAbs(limit) < 0 }

// oracle reads a Decimal's parts, without its own arithmetic.
func oracle(d Decimal) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(d.hi), 64)
	n.Add(n, new(big.Int).SetUint64(d.lo))
	return n.Mul(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(MaxScale-d.scale)), nil))
}

// plain is the oracle's text: no exponent, no trailing zeros.
func plain(n *big.Int) string {
	text := new(big.Rat).SetFrac(n, ten18).FloatString(MaxScale)
	for text[len(text)-1] == '0' {
		text = text[:len(text)-1]
	}
	if text[len(text)-1] == '.' {
		text = text[:len(text)-1]
	}

	return text
}

func TestDecimalArithmeticAgainstBig(t *testing.T) {
	check(t, func(t *rapid.T) {
		a, b := anyDecimal().Draw(t, "a"), anyDecimal().Draw(t, "b")
		x, y := oracle(a), oracle(b)
		if !inRange(x) {
			t.Fatalf("the generator made %s", x)
		}
		if got, want := a.Cmp(b), x.Cmp(y); got != want || a.Equal(b) != (want == 0) || b.Cmp(a) != -want {
			t.Fatalf("%s cmp %s = %d, want %d", a, b, got, want)
		}
		if a.Sign() != x.Sign() || a.IsZero() != (x.Sign() == 0) {
			t.Fatalf("sign of %s is %d", a, a.Sign())
		}
		if got, want := oracle(a.Neg()), new(big.Int).Neg(x); got.Cmp(want) != 0 {
			t.Fatalf("-(%s) = %s", a, a.Neg())
		}

		for _, op := range []struct {
			name  string
			do    func(Decimal) (Decimal, error)
			exact *big.Int
		}{
			{"+", a.Add, new(big.Int).Add(x, y)},
			{"-", a.Sub, new(big.Int).Sub(x, y)},
		} {
			got, err := op.do(b)
			switch {
			case !inRange(op.exact):
				if !errors.Is(err, ErrOverflow) {
					t.Fatalf("%s %s %s = %s, %v; want an overflow", a, op.name, b, got, err)
				}
			case err != nil || oracle(got).Cmp(op.exact) != 0:
				t.Fatalf("%s %s %s = %s, %v; want %s", a, op.name, b, got, err, plain(op.exact))
			}
		}
	})
}

// toAPD converts d without its own arithmetic.
func toAPD(d Decimal) *apd.Decimal {
	return apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(oracle(d)), -MaxScale)
}

func TestDecimalArithmeticAgainstAPD(t *testing.T) {
	exact := apd.BaseContext.WithPrecision(60)
	exact.Traps |= apd.Inexact
	check(t, func(t *rapid.T) {
		a, b := anyDecimal().Draw(t, "a"), anyDecimal().Draw(t, "b")
		var sum, half apd.Decimal
		_ = must(exact.Add(&sum, toAPD(a), toAPD(b)))
		_ = must(exact.Mul(&half, &sum, apd.New(5, -1)))

		got, err := a.Add(b)
		equalsAPD(t, got, err, &sum)
		got, err = a.mean(b)
		equalsAPD(t, got, err, &half)
	})
}

// equalsAPD checks a result and its error: too many digits before or after the point are ErrOverflow and ErrInvalid.
func equalsAPD(t *rapid.T, got Decimal, err error, want *apd.Decimal) {
	t.Helper()
	var reduced apd.Decimal
	reduced.Reduce(want)
	fits := reduced.NumDigits()+int64(reduced.Exponent) <= MaxIntegerDigits && reduced.Exponent >= -MaxScale
	switch {
	case !fits && (!errors.Is(err, ErrOverflow) || !errors.Is(err, ErrInvalid)):
		t.Fatalf("%s, %v; want an overflow, because it is %s", got, err, want)
	case fits && (err != nil || toAPD(got).Cmp(want) != 0):
		t.Fatalf("%s, %v; want %s", got, err, want)
	}
}

func TestDecimalMeanNeedsNoSum(t *testing.T) {
	t.Parallel()
	largest := strings.Repeat("9", MaxIntegerDigits)
	for _, c := range []struct{ a, b, want string }{
		{largest, largest, largest},
		{largest, "0." + strings.Repeat("0", MaxScale-1) + "2", "49999999999999999999.500000000000000001"},
		{largest, "-" + largest, "0"},
		{"-" + largest + ".5", "-" + largest + ".6", "-" + largest + ".55"},
	} {
		got, err := MustDecimal(c.a).mean(MustDecimal(c.b))
		if err != nil || got.String() != c.want {
			t.Errorf("mean of %s and %s = %s, %v; want %s", c.a, c.b, got, err, c.want)
		}
	}
}

func TestDecimalArithmeticAllocatesNothing(t *testing.T) {
	a, b := MustDecimal("12345678901234567890.123456789"), MustDecimal("-1234567890123456789.987654321")
	c := MustDecimal("9876543210.123456789")
	allocs := testing.AllocsPerRun(100, func() {
		sum, err := a.Add(b)
		if err == nil {
			_, err = sum.mean(a)
		}
		if err == nil {
			_, err = a.Quo(b, 10, RoundHalfUp)
		}
		if err == nil {
			_, err = c.Mul(c)
		}
		if err != nil {
			panic(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%g allocations", allocs)
	}
}

func TestDecimalRescaleAndReduceKeepTheNumber(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := anyDecimal().Draw(t, "d")
		r := d.trimZeros()
		if d.Scale() != r.scale {
			t.Fatalf("the scale of %s is %d, want %d", d, d.Scale(), r.scale)
		}
		if oracle(r).Cmp(oracle(d)) != 0 || !r.Equal(d) {
			t.Fatalf("%#v reduced is %#v", d, r)
		}
		if r.scale > 0 && new(big.Int).Rem(oracle(r), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(MaxScale-r.scale+1)), nil)).Sign() == 0 {
			t.Fatalf("%s still has a trailing zero", d)
		}

		up := d.withScale(uint8(rapid.IntRange(int(d.scale), MaxScale).Draw(t, "scale")))
		if oracle(up).Cmp(oracle(d)) != 0 {
			t.Fatalf("%s at scale %d is %s", d, up.scale, up)
		}
	})
}

func TestDecimalThroughItsCoefficient(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := anyDecimal().Draw(t, "d")
		scale := uint8(rapid.IntRange(0, MaxScale).Draw(t, "scale"))
		hi, lo, exact := d.Coefficient(scale)
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(MaxScale-scale)), nil)
		want, rest := new(big.Int).QuoRem(oracle(d), unit, new(big.Int))
		if exact != (rest.Sign() == 0) {
			t.Fatalf("%s over 10^%d: exact is %t", d, scale, exact)
		}
		if !exact {
			return
		}

		got := new(big.Int).Lsh(big.NewInt(hi), 64)
		if got.Add(got, new(big.Int).SetUint64(lo)); got.Cmp(want) != 0 {
			t.Fatalf("%s over 10^%d is %s, want %s", d, scale, got, want)
		}
		if back, err := DecimalFromCoefficient(hi, lo, scale); err != nil || !back.Equal(d) {
			t.Fatalf("%s came back as %s, %v", d, back, err)
		}
	})
}

func TestDecimalFromCoefficientTakesWhatIsInRange(t *testing.T) {
	check(t, func(t *rapid.T) {
		d := Decimal{
			hi: rapid.Int64().Draw(t, "hi"), lo: rapid.Uint64().Draw(t, "lo"), scale: uint8(rapid.IntRange(0, MaxScale).Draw(t, "scale")),
		}
		if rapid.Bool().Draw(t, "at the limit") {
			hi, lo := wideLimit(d.scale)
			d.hi, d.lo = int64(hi), lo-uint64(rapid.IntRange(0, 1).Draw(t, "below"))
			if rapid.Bool().Draw(t, "negative") {
				d = d.Neg()
			}
		}

		got, err := DecimalFromCoefficient(d.hi, d.lo, d.scale)
		if inRange(oracle(d)) != (err == nil) || err == nil && oracle(got).Cmp(oracle(d)) != 0 {
			t.Fatalf("%d, %d over 10^%d is %s, %v", d.hi, d.lo, d.scale, got, err)
		}
		if err != nil && !errors.Is(err, ErrOverflow) {
			t.Fatalf("got %v, want ErrOverflow", err)
		}
	})
	if _, err := DecimalFromCoefficient(0, 1, MaxScale+1); !errors.Is(err, ErrInvalid) {
		t.Errorf("scale 19: %v, want ErrInvalid", err)
	}
	if _, _, exact := MustDecimal("1").Coefficient(MaxScale + 1); exact {
		t.Error("scale 19 is exact")
	}
}

func TestNewDecimal(t *testing.T) {
	check(t, func(t *rapid.T) {
		n, scale := rapid.Int64().Draw(t, "n"), rapid.Uint8().Draw(t, "scale")
		d, err := NewDecimal(n, scale)
		if scale > MaxScale {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("scale %d: %v", scale, err)
			}
			return
		}

		want := new(big.Rat).SetFrac(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		if got, ok := new(big.Rat).SetString(d.String()); err != nil || !ok || got.Cmp(want) != 0 {
			t.Fatalf("%d / 10^%d is %s, %v", n, scale, d, err)
		}
	})
}

func TestDecimalJSONKeepsEveryDigit(t *testing.T) {
	type holder struct {
		Value   Decimal
		Pointer *Decimal
		Map     map[string]Decimal
		Slice   []Decimal
		Any     any
	}
	check(t, func(t *rapid.T) {
		d := anyDecimal().Draw(t, "d")
		text := `"` + d.String() + `"`
		want := `{"Value":` + text + `,"Pointer":` + text + `,"Map":{"k":` + text + `},"Slice":[` + text + `],"Any":` + text + `}`
		b, err := json.Marshal(holder{d, &d, map[string]Decimal{"k": d}, []Decimal{d}, d})
		if err != nil || string(b) != want {
			t.Fatalf("%s, %v; want %s", b, err, want)
		}

		var back holder
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}

		for _, got := range []Decimal{back.Value, *back.Pointer, back.Map["k"], back.Slice[0]} {
			if !got.Equal(d) {
				t.Fatalf("%s came back as %s", d, got)
			}
		}

		var number Decimal
		if err := json.Unmarshal([]byte(d.String()), &number); err != nil || !number.Equal(d) {
			t.Fatalf("the JSON number %s is %s, %v", d, number, err)
		}
	})
}

func TestDecimalJSONRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"null", "true", "[]", "{}", `""`, `" 1"`, `"1 "`, `"NaN"`, `"1,5"`, "1e20", "1e-19"} {
		d := MustDecimal("7")
		if err := json.Unmarshal([]byte(text), &d); err == nil {
			t.Errorf("%s is %s", text, d)
		}
	}

	for _, text := range []string{`"`, `"1`, `1"`, `"12'`} { // by a caller that does not check JSON first
		var d Decimal
		if err := d.UnmarshalJSON([]byte(text)); err == nil {
			t.Errorf("%s is %s", text, d)
		}
	}
}
