package domain

import (
	"fmt"
	"math/bits"
	"strconv"

	"github.com/cockroachdb/apd/v3"
)

const (
	// MaxScale is the largest number of digits after the point of a Decimal.
	MaxScale = 18
	// MaxIntegerDigits is the largest number of digits before the point of a Decimal.
	MaxIntegerDigits = 20

	maxDecimalText = 128 // bytes; a longer text is an error without being parsed
	maxExponent    = 150 // with a larger one, every text of at most maxDecimalText bytes is 0 or out of range
)

// Decimal is an exact decimal number with at most 20 digits before and 18 after the point. It represents a number, not
// a text: 1.0 equals 1.00, -0 is 0, and String writes no trailing zeros. The zero value is 0. A Decimal is immutable
// and safe to copy and share. Compare with Equal and Cmp; == does not compile, because it would compare scales too.
//
// Arithmetic on coefficients of 64 bits is native; wider ones, up to 127 bits, go through apd.
type Decimal struct {
	_     [0]func() // makes == a compile error
	hi    int64     // the coefficient as a 128-bit two's complement number, hi<<64 | lo
	lo    uint64
	scale uint8 // digits after the point, 0 to MaxScale
}

var pow10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// exact is the context for arithmetic that must not round: 40 digits hold the sum of any two Decimals.
var exact = func() *apd.Context {
	c := apd.BaseContext.WithPrecision(40)
	c.Traps |= apd.Inexact
	return c
}()

// NewDecimal returns coefficient / 10^scale, or an error that wraps ErrInvalid if scale is above MaxScale.
func NewDecimal(coefficient int64, scale uint8) (Decimal, error) {
	if scale > MaxScale {
		return Decimal{}, invalid("decimal scale", strconv.Itoa(int(scale)), "at most %d digits after the point", MaxScale)
	}
	return fromInt64(coefficient, scale), nil
}

// fromInt64 returns coefficient / 10^scale; scale must be at most MaxScale.
func fromInt64(coefficient int64, scale uint8) Decimal {
	return Decimal{hi: coefficient >> 63, lo: uint64(coefficient), scale: scale}
}

// DecimalFromCoefficient returns coefficient / 10^scale, where the coefficient is the 128-bit two's complement number
// hi<<64 | lo, as binary files store it. It returns an error that wraps ErrInvalid if scale is above MaxScale or the
// number has more than 20 digits before the point; in the second case the error also wraps ErrOverflow.
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

// Coefficient returns d times 10^scale as the 128-bit two's complement number hi<<64 | lo. exact is false, and hi and
// lo are 0, if d has more than scale digits after the point or scale is above MaxScale. With MaxScale the result is
// always exact.
func (d Decimal) Coefficient(scale uint8) (hi int64, lo uint64, exact bool) {
	if scale < d.scale {
		d = d.trimZeros()
	}
	if scale < d.scale || scale > MaxScale {
		return 0, 0, false
	}

	d = d.withScale(scale)

	return d.hi, d.lo, true
}

// DecimalFromAPD converts x, which it neither keeps nor changes. It returns an error that wraps ErrInvalid if x is NaN
// or infinite or has too many digits; in the last case the error also wraps ErrOverflow.
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

// APD converts d to a new apd.Decimal, for drivers and for arithmetic that Decimal does not offer.
func (d Decimal) APD() *apd.Decimal {
	hi, lo := d.magnitude()
	x := &apd.Decimal{Negative: d.hi < 0, Exponent: -int32(d.scale)}
	x.Coeff.SetUint64(hi)
	x.Coeff.Lsh(&x.Coeff, 64)
	var low apd.BigInt
	x.Coeff.Add(&x.Coeff, low.SetUint64(lo))

	return x
}

// magnitude returns the absolute value of the coefficient.
func (d Decimal) magnitude() (hi, lo uint64) {
	if d.hi >= 0 {
		return uint64(d.hi), d.lo
	}

	lo, borrow := bits.Sub64(0, d.lo, 0)
	hi, _ = bits.Sub64(0, uint64(d.hi), borrow)

	return hi, lo
}

// wideLimit returns the smallest coefficient that has more than 20 digits before the point at the scale.
func wideLimit(scale uint8) (hi, lo uint64) {
	hi, lo = bits.Mul64(pow10[MaxIntegerDigits/2], pow10[MaxIntegerDigits/2])
	carry, lo := bits.Mul64(lo, pow10[scale])
	return hi*pow10[scale] + carry, lo
}

// isNarrow reports whether the coefficient fits 64 bits.
func (d Decimal) isNarrow() bool { return d.hi == int64(d.lo)>>63 }

// Sign returns -1, 0 or 1 for a negative number, 0 and a positive number.
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

// Cmp returns -1 if d < o, 0 if the numbers are equal, and 1 if d > o.
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

	return d.withScale(scale).Cmp(o.withScale(scale))
}

// Equal reports whether the numbers are equal, whatever their scales.
func (d Decimal) Equal(o Decimal) bool { return d.Cmp(o) == 0 }

// Add returns the exact sum, or an error that wraps ErrOverflow if the sum has too many digits.
func (d Decimal) Add(o Decimal) (Decimal, error) {
	scale := max(d.scale, o.scale)
	a, b := d.withScale(scale), o.withScale(scale)
	if a.isNarrow() && b.isNarrow() {
		x, y := int64(a.lo), int64(b.lo)
		if sum := x + y; (x^sum)&(y^sum) >= 0 {
			return fromInt64(sum, scale), nil
		}
	}

	return apdSum(d, o)
}

// apdSum adds numbers of any width.
func apdSum(d, o Decimal) (Decimal, error) {
	var sum apd.Decimal
	if _, err := exact.Add(&sum, d.APD(), o.APD()); err != nil {
		return Decimal{}, fmt.Errorf("%s + %s: %w", d, o, ErrOverflow)
	}

	return DecimalFromAPD(&sum)
}

// Sub returns the exact difference, or an error that wraps ErrOverflow if the difference has too many digits.
func (d Decimal) Sub(o Decimal) (Decimal, error) { return d.Add(o.Neg()) }

// withScale converts d to a scale from d.scale to MaxScale. It cannot overflow, because 38 digits fit 127 bits.
func (d Decimal) withScale(scale uint8) Decimal {
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

// trimZeros returns d at its smallest scale.
func (d Decimal) trimZeros() Decimal {
	if d.isNarrow() {
		n := int64(d.lo)
		for d.scale > 0 && n%10 == 0 {
			n /= 10
			d.scale--
		}

		return fromInt64(n, d.scale)
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

// half returns d / 2, or an error that wraps ErrOverflow if the result needs more than MaxScale digits after the point.
func (d Decimal) half() (Decimal, error) {
	if d.isNarrow() && d.lo&1 == 0 {
		return fromInt64(int64(d.lo)/2, d.scale), nil
	}

	var x apd.Decimal
	if _, err := exact.Mul(&x, d.APD(), apd.New(5, -1)); err != nil {
		return Decimal{}, fmt.Errorf("%s / 2: %w", d, ErrOverflow)
	}

	return DecimalFromAPD(&x)
}

// withinLimit reports whether the number has at most MaxIntegerDigits digits before the point.
func (d Decimal) withinLimit() bool {
	if d.isNarrow() {
		return true
	}

	c := Column{Lo: []int64{int64(d.lo)}, Hi: []int64{d.hi}}

	return c.checkMagnitudes(d.scale) == nil
}
