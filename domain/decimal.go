package domain

import (
	"fmt"
	"math/bits"
	"strconv"
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
// Arithmetic is exact, on coefficients of up to 127 bits, and allocates nothing; Quo and Round round as they are told.
type Decimal struct {
	_     [0]func() // makes == a compile error
	hi    int64     // the coefficient as a 128-bit two's complement number, hi<<64 | lo
	lo    uint64
	scale uint8 // digits after the point, 0 to MaxScale
}

var pow10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

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
	if !d.withinLimit() {
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

// Scale returns the number of digits after the point, without trailing zeros: 0 to MaxScale.
func (d Decimal) Scale() uint8 { return d.trimZeros().scale }

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

// Add returns the exact sum, or an error that wraps ErrOverflow and ErrInvalid if the sum has too many digits.
func (d Decimal) Add(o Decimal) (Decimal, error) {
	scale := max(d.scale, o.scale)
	a, b := d.withScale(scale), o.withScale(scale)
	if a.isNarrow() && b.isNarrow() {
		x, y := int64(a.lo), int64(b.lo)
		if sum := x + y; (x^sum)&(y^sum) >= 0 {
			return fromInt64(sum, scale), nil
		}
	}

	return a.addWide(b)
}

// addWide adds numbers of one scale and of any width.
func (d Decimal) addWide(o Decimal) (Decimal, error) {
	sum := d.plus(o)
	isWrapped := (d.hi^sum.hi)&(o.hi^sum.hi) < 0 // the sum of two coefficients may need 128 bits and a sign
	if isWrapped || !sum.withinLimit() {
		return Decimal{}, fmt.Errorf("%s + %s: more than %d digits before the point: %w: %w",
			d, o, MaxIntegerDigits, ErrOverflow, ErrInvalid)
	}

	return sum.trimZeros(), nil
}

// plus returns the sum of two numbers of one scale, modulo 2^128.
func (d Decimal) plus(o Decimal) Decimal {
	lo, carry := bits.Add64(d.lo, o.lo, 0)
	hi, _ := bits.Add64(uint64(d.hi), uint64(o.hi), carry)

	return Decimal{hi: int64(hi), lo: lo, scale: d.scale}
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

// mean returns (d + o) / 2, or an error that wraps ErrOverflow and ErrInvalid if it has more than MaxScale digits after
// the point. The sum need not be a Decimal.
func (d Decimal) mean(o Decimal) (Decimal, error) {
	scale := max(d.scale, o.scale)
	if a, b := d.withScale(scale), o.withScale(scale); (a.lo^b.lo)&1 == 0 {
		return a.halfSum(b), nil
	}
	if scale == MaxScale {
		return Decimal{}, fmt.Errorf("mean of %s and %s: more than %d digits after the point: %w: %w",
			d, o, MaxScale, ErrOverflow, ErrInvalid)
	}

	return d.withScale(scale + 1).halfSum(o.withScale(scale + 1)), nil
}

// halfSum returns (d + o) / 2 for numbers of one scale whose coefficients have an even sum. It adds the bits that both
// have to half of those that one of them has, because the sum may need more than 127 bits.
func (d Decimal) halfSum(o Decimal) Decimal {
	differ := Decimal{hi: d.hi ^ o.hi, lo: d.lo ^ o.lo}
	half := Decimal{hi: differ.hi >> 1, lo: uint64(differ.hi)<<63 | differ.lo>>1}

	return Decimal{hi: d.hi & o.hi, lo: d.lo & o.lo, scale: d.scale}.plus(half)
}

// withinLimit reports whether the number has at most MaxIntegerDigits digits before the point.
func (d Decimal) withinLimit() bool {
	limitHi, limitLo := wideLimit(d.scale)
	return d.isNarrow() || d.isBelow(limitHi, limitLo)
}

// isBelow reports whether the absolute value of the coefficient is below the limit.
func (d Decimal) isBelow(limitHi, limitLo uint64) bool {
	hi, lo := d.magnitude()
	return hi < limitHi || hi == limitHi && lo < limitLo
}
