package domain

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// Rounding determines which of the two neighbours a number becomes that has more digits than asked. The zero value is
// RoundHalfEven. The names are those of the General Decimal Arithmetic Specification.
type Rounding uint8

// The roundings.
const (
	RoundHalfEven Rounding = iota // the nearest neighbour; in the middle, the one whose last digit is even
	RoundHalfUp                   // the nearest neighbour; in the middle, the one away from 0
	RoundDown                     // the neighbour towards 0
	RoundUp                       // the neighbour away from 0
	RoundFloor                    // the lower neighbour
	RoundCeiling                  // the higher neighbour
)

var roundings = [...]string{"half_even", "half_up", "down", "up", "floor", "ceiling"}

// String returns the text of the rounding, like half_even.
func (r Rounding) String() string {
	if int(r) < len(roundings) {
		return roundings[r]
	}
	return "rounding " + strconv.Itoa(int(r))
}

// goesAway reports whether a number between two neighbours becomes the one away from 0. half is the sign of the
// distance from the middle, and isOdd tells whether the last digit of the neighbour towards 0 is odd.
func (r Rounding) goesAway(half int, isOdd, isNegative bool) bool {
	switch r {
	case RoundHalfUp:
		return half >= 0
	case RoundDown:
		return false
	case RoundUp:
		return true
	case RoundFloor:
		return isNegative
	case RoundCeiling:
		return !isNegative
	}

	return half > 0 || half == 0 && isOdd
}

// Abs returns the absolute value of d.
func (d Decimal) Abs() Decimal {
	if d.hi < 0 {
		return d.Neg()
	}
	return d
}

// Round returns d with at most places digits after the point, which is d itself if it has no more. It returns an error
// that wraps ErrInvalid for an unknown rounding, and one that wraps ErrOverflow if the result has more than 20 digits
// before the point.
func (d Decimal) Round(places uint8, r Rounding) (Decimal, error) {
	return d.Quo(Decimal{lo: 1}, min(places, MaxScale), r)
}

// Mul returns the exact product. It returns an error that wraps ErrOverflow and ErrInvalid if the product has more than
// 20 digits before or more than 18 digits after the point; Round makes the factors shorter.
func (d Decimal) Mul(o Decimal) (Decimal, error) {
	product := d.wide().times(o.wide())
	scale := d.scale + o.scale
	for scale > 0 {
		tenth, rest := product.dividedBy(uint256{10})
		if rest != (uint256{}) {
			break
		}
		product, scale = tenth, scale-1
	}
	if scale > MaxScale {
		return Decimal{}, fmt.Errorf("%s * %s: more than %d digits after the point; round the factors first: %w: %w",
			d, o, MaxScale, ErrOverflow, ErrInvalid)
	}

	p, fits := product.decimal(scale, (d.hi < 0) != (o.hi < 0))
	if !fits {
		return Decimal{}, fmt.Errorf("%s * %s: more than %d digits before the point: %w: %w",
			d, o, MaxIntegerDigits, ErrOverflow, ErrInvalid)
	}

	return p, nil
}

// Quo returns d / o, rounded to places digits after the point. It returns an error that wraps ErrInvalid if o is 0,
// places is above MaxScale or the rounding is unknown, and one that also wraps ErrOverflow if the quotient has more
// than 20 digits before the point.
func (d Decimal) Quo(o Decimal, places uint8, r Rounding) (Decimal, error) {
	switch {
	case o.IsZero():
		return Decimal{}, fmt.Errorf("%s / 0: a number cannot be divided by 0: %w", d, ErrInvalid)
	case places > MaxScale:
		return Decimal{}, invalid("decimal places", strconv.Itoa(int(places)), "at most %d digits after the point", MaxScale)
	case int(r) >= len(roundings):
		return Decimal{}, invalid("rounding", r.String(), "one of %s", strings.Join(roundings[:], ", "))
	}

	numerator, denominator := d.wide(), o.wide()
	if up := int(places) + int(o.scale) - int(d.scale); up >= 0 {
		numerator = numerator.timesPow10(up)
	} else {
		denominator = denominator.timesPow10(-up)
	}

	q, rest := numerator.dividedBy(denominator)
	isNegative := (d.hi < 0) != (o.hi < 0)
	if half := rest.cmp(denominator.minus(rest)); rest != (uint256{}) && r.goesAway(half, q[0]&1 == 1, isNegative) {
		q = q.plusOne()
	}

	quotient, fits := q.decimal(places, isNegative)
	if !fits {
		return Decimal{}, fmt.Errorf("%s / %s: more than %d digits before the point: %w: %w",
			d, o, MaxIntegerDigits, ErrOverflow, ErrInvalid)
	}

	return quotient, nil
}

// Float64 returns the float64 that is nearest to d, for charts and indicators. It is not exact: 0.1 has no float64.
func (d Decimal) Float64() float64 {
	f, _ := strconv.ParseFloat(d.String(), 64) // a plain number of at most 38 digits always parses
	return f
}

// uint256 is an integer of 256 bits, the lowest word first. The arithmetic of Decimal is exact with it: a coefficient
// has 127 bits, and a quotient needs at most 120 more for 36 digits.
type uint256 [4]uint64

// wide returns the absolute value of the coefficient.
func (d Decimal) wide() uint256 {
	hi, lo := d.magnitude()
	return uint256{lo, hi}
}

// decimal returns x / 10^scale, or its negative. fits is false if it has more than 20 digits before the point.
func (x uint256) decimal(scale uint8, isNegative bool) (d Decimal, fits bool) {
	limitHi, limitLo := wideLimit(scale)
	if x.cmp(uint256{limitLo, limitHi}) >= 0 {
		return Decimal{}, false
	}

	d = Decimal{hi: int64(x[1]), lo: x[0], scale: scale}
	if isNegative {
		d = d.Neg()
	}

	return d.trimZeros(), true
}

// times returns x * y, which must fit.
func (x uint256) times(y uint256) uint256 {
	var product uint256
	for i, factor := range y {
		var carry uint64
		for j := 0; i+j < len(product); j++ {
			hi, lo := bits.Mul64(x[j], factor)
			lo, c := bits.Add64(lo, carry, 0)
			hi += c
			product[i+j], c = bits.Add64(product[i+j], lo, 0)
			carry = hi + c
		}
	}

	return product
}

// timesPow10 returns x * 10^n, which must fit; n is at most 38.
func (x uint256) timesPow10(n int) uint256 {
	low := min(n, len(pow10)-1)
	return x.times(uint256{pow10[low]}).times(uint256{pow10[n-low]})
}

// dividedBy returns the quotient and the rest of x / y; y must not be 0.
func (x uint256) dividedBy(y uint256) (quotient, rest uint256) {
	if y == (uint256{y[0]}) {
		for i := len(x) - 1; i >= 0; i-- {
			quotient[i], rest[0] = bits.Div64(rest[0], x[i], y[0])
		}
		return quotient, rest
	}

	for i := 256 - 1; i >= 0; i-- { // long division, a bit at a time
		rest = rest.plus(rest)
		rest[0] |= x[i/64] >> (i % 64) & 1
		if rest.cmp(y) >= 0 {
			rest = rest.minus(y)
			quotient[i/64] |= 1 << (i % 64)
		}
	}

	return quotient, rest
}

func (x uint256) plusOne() uint256 { return x.plus(uint256{1}) }

func (x uint256) plus(y uint256) (sum uint256) {
	var carry uint64
	for i := range x {
		sum[i], carry = bits.Add64(x[i], y[i], carry)
	}

	return sum
}

func (x uint256) minus(y uint256) (difference uint256) {
	var borrow uint64
	for i := range x {
		difference[i], borrow = bits.Sub64(x[i], y[i], borrow)
	}

	return difference
}

func (x uint256) cmp(y uint256) int {
	for i := len(x) - 1; i >= 0; i-- {
		switch {
		case x[i] < y[i]:
			return -1
		case x[i] > y[i]:
			return 1
		}
	}

	return 0
}
