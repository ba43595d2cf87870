package domain

import (
	"fmt"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"
)

const (
	// MaxScale is the most digits a Decimal has after the point.
	MaxScale = 18
	// MaxIntegerDigits is the most digits a Decimal has before the point.
	MaxIntegerDigits = 20

	maxDecimalText = 128 // a longer spelling is refused unread
	maxExponent    = 150 // beyond it no spelling of at most maxDecimalText bytes, but 0, is in range
)

// Decimal is an exact decimal number of at most 20 digits before and 18 after the point. It is a number, not a
// spelling: 1.0 equals 1.00, -0 is 0, and its text has no trailing zeros. The zero value is 0. Decimals are values,
// safe to copy and share; they are compared with Equal and Cmp, and the compiler refuses ==, which would compare
// spellings.
//
// A coefficient of 64 bits is worked on directly; a wider one (up to 127 bits) goes through apd.
type Decimal struct {
	_     [0]func() // makes == a compile error
	hi    int64     // the coefficient as a 128-bit two's complement number, hi<<64 | lo
	lo    uint64
	scale uint8 // digits after the point, 0 to MaxScale
}

var pow10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// exact does arithmetic that may not round: 40 digits hold any sum of two Decimals.
var exact = func() *apd.Context {
	c := apd.BaseContext.WithPrecision(40)
	c.Traps |= apd.Inexact
	return c
}()

// NewDecimal returns coefficient / 10^scale. A scale above MaxScale is refused.
func NewDecimal(coefficient int64, scale uint8) (Decimal, error) {
	if scale > MaxScale {
		return Decimal{}, invalid("decimal scale", strconv.Itoa(int(scale)), "at most %d digits after the point", MaxScale)
	}
	return narrow(coefficient, scale), nil
}

func narrow(coefficient int64, scale uint8) Decimal {
	return Decimal{hi: coefficient >> 63, lo: uint64(coefficient), scale: scale}
}

// DecimalFromCoefficient returns coefficient / 10^scale, the coefficient as a 128-bit two's complement number, hi<<64 |
// lo: the form of binary files. A scale above MaxScale and a number of more than 20 digits before the point are
// refused.
func DecimalFromCoefficient(hi int64, lo uint64, scale uint8) (Decimal, error) {
	if scale > MaxScale {
		return Decimal{}, invalid("decimal scale", strconv.Itoa(int(scale)), "at most %d digits after the point", MaxScale)
	}

	d := Decimal{hi: hi, lo: lo, scale: scale}
	limitHi, limitLo := wideLimit(scale)
	if h, l := d.magnitude(); h > limitHi || h == limitHi && l >= limitLo {
		return Decimal{}, fmt.Errorf("decimal of coefficient %#x %016x: more than %d digits before the point: %w: %w",
			uint64(hi), lo, MaxIntegerDigits, ErrOverflow, ErrInvalid)
	}

	return d, nil
}

// Coefficient returns d times 10^scale as a 128-bit two's complement number, hi<<64 | lo. exact is false, and the
// others are 0, where d has more than scale digits after the point or scale is above MaxScale; MaxScale itself takes
// every number.
func (d Decimal) Coefficient(scale uint8) (hi int64, lo uint64, exact bool) {
	if scale < d.scale {
		d = d.reduced()
	}
	if scale < d.scale || scale > MaxScale {
		return 0, 0, false
	}

	d = d.at(scale)
	return d.hi, d.lo, true
}

// DecimalFromAPD takes over x's value. NaN, infinities and numbers of too many digits are refused. x is not kept or
// changed.
func DecimalFromAPD(x *apd.Decimal) (Decimal, error) {
	if x.Form != apd.Finite {
		return Decimal{}, invalid("decimal", x.String(), "not a finite number")
	}
	if x.IsZero() {
		return Decimal{}, nil
	}

	var r apd.Decimal
	r.Reduce(x)
	digits := r.NumDigits() + int64(r.Exponent) // before the point
	if digits > MaxIntegerDigits || r.Exponent < -MaxScale {
		return Decimal{}, fmt.Errorf("decimal %s: at most %d digits before and %d after the point: %w: %w",
			x.Text('e'), MaxIntegerDigits, MaxScale, ErrOverflow, ErrInvalid)
	}

	if r.Exponent > 0 {
		var ten apd.BigInt
		ten.Exp(apd.NewBigInt(10), apd.NewBigInt(int64(r.Exponent)), nil)
		r.Coeff.Mul(&r.Coeff, &ten)
		r.Exponent = 0
	}

	var high, low apd.BigInt
	high.Rsh(&r.Coeff, 64)
	low.Sub(&r.Coeff, high.Lsh(&high, 64))
	high.Rsh(&high, 64)
	d := Decimal{hi: int64(high.Uint64()), lo: low.Uint64(), scale: uint8(-r.Exponent)}
	if r.Negative {
		d = d.Neg()
	}

	return d, nil
}

// APD returns the number as a new apd.Decimal, for the drivers and the arithmetic that speak it.
func (d Decimal) APD() *apd.Decimal {
	hi, lo := d.magnitude()
	x := &apd.Decimal{Negative: d.hi < 0, Exponent: -int32(d.scale)}
	x.Coeff.SetUint64(hi)
	x.Coeff.Lsh(&x.Coeff, 64)
	var low apd.BigInt
	x.Coeff.Add(&x.Coeff, low.SetUint64(lo))

	return x
}

func (d Decimal) magnitude() (hi, lo uint64) {
	if d.hi >= 0 {
		return uint64(d.hi), d.lo
	}

	lo, borrow := bits.Sub64(0, d.lo, 0)
	hi, _ = bits.Sub64(0, uint64(d.hi), borrow)
	return hi, lo
}

// wideLimit is the least coefficient over 10^scale that has more than 20 digits before the point.
func wideLimit(scale uint8) (hi, lo uint64) {
	hi, lo = bits.Mul64(pow10[MaxIntegerDigits/2], pow10[MaxIntegerDigits/2])
	carry, lo := bits.Mul64(lo, pow10[scale])
	return hi*pow10[scale] + carry, lo
}

func (d Decimal) isNarrow() bool { return d.hi == int64(d.lo)>>63 }

// Sign is -1, 0 or 1.
func (d Decimal) Sign() int {
	switch {
	case d.hi < 0:
		return -1
	case d.hi == 0 && d.lo == 0:
		return 0
	}
	return 1
}

// IsZero reports whether the number is 0.
func (d Decimal) IsZero() bool { return d.Sign() == 0 }

// Neg returns -d.
func (d Decimal) Neg() Decimal {
	lo, borrow := bits.Sub64(0, d.lo, 0)
	hi, _ := bits.Sub64(0, uint64(d.hi), borrow)
	return Decimal{hi: int64(hi), lo: lo, scale: d.scale}
}

// Cmp is -1 where d < o, 0 where they are the same number, 1 where d > o.
func (d Decimal) Cmp(o Decimal) int {
	if d.scale == o.scale {
		switch {
		case d.hi < o.hi, d.hi == o.hi && d.lo < o.lo:
			return -1
		case d.hi == o.hi && d.lo == o.lo:
			return 0
		}
		return 1
	}

	scale := max(d.scale, o.scale)
	return d.at(scale).Cmp(o.at(scale))
}

// Equal reports whether both are the same number, however spelled.
func (d Decimal) Equal(o Decimal) bool { return d.Cmp(o) == 0 }

// Add returns the exact sum, or an error that wraps ErrOverflow where it needs too many digits.
func (d Decimal) Add(o Decimal) (Decimal, error) {
	scale := max(d.scale, o.scale)
	a, b := d.at(scale), o.at(scale)
	if a.isNarrow() && b.isNarrow() {
		x, y := int64(a.lo), int64(b.lo)
		if sum := x + y; (x^sum)&(y^sum) >= 0 {
			return narrow(sum, scale), nil
		}
	}

	return apdSum(d, o)
}

// apdSum is the wide path of Add.
func apdSum(d, o Decimal) (Decimal, error) {
	var sum apd.Decimal
	if _, err := exact.Add(&sum, d.APD(), o.APD()); err != nil {
		return Decimal{}, fmt.Errorf("%s + %s: %w", d, o, ErrOverflow)
	}

	return DecimalFromAPD(&sum)
}

// Sub returns the exact difference, or an error that wraps ErrOverflow.
func (d Decimal) Sub(o Decimal) (Decimal, error) { return d.Add(o.Neg()) }

// at spells d with the given scale, not smaller and at most MaxScale: 38 digits, which fit 127 bits.
func (d Decimal) at(scale uint8) Decimal {
	if d.scale == scale {
		return d
	}

	hi, lo := d.magnitude()
	factor := pow10[scale-d.scale]
	carry, low := bits.Mul64(lo, factor)
	w := Decimal{hi: int64(hi*factor + carry), lo: low, scale: scale}
	if d.hi < 0 {
		w = w.Neg()
	}

	return w
}

// reduced is d without trailing zeros.
func (d Decimal) reduced() Decimal {
	if d.isNarrow() {
		n := int64(d.lo)
		for d.scale > 0 && n%10 == 0 {
			n /= 10
			d.scale--
		}

		return narrow(n, d.scale)
	}

	hi, lo := d.magnitude()
	scale := d.scale
	for scale > 0 {
		qhi, r := hi/10, hi%10
		qlo, r := bits.Div64(r, lo, 10)
		if r != 0 {
			break
		}

		hi, lo, scale = qhi, qlo, scale-1
	}

	w := Decimal{hi: int64(hi), lo: lo, scale: scale}
	if d.hi < 0 {
		w = w.Neg()
	}
	return w
}
