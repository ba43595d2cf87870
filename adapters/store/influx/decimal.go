package influx

import (
	"math"
	"strconv"

	"github.com/gal-friday/marketdata/domain"
)

// A float field says a decimal by being the float nearest to it; the decimal is read back as the shortest one that the float is
// nearest to. Two decimals of at most 15 digits are never nearest to one float, so of those the shortest is the one that was
// written. What has more digits may come back as another number, and is spelled in the field exact instead.

// exactDigits bounds the numbers that always survive a float: below it, a number has at most 15 digits.
const exactDigits = 1e15

var floatPow10 = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// scaled returns the v of at most 15 digits for which f is the float nearest to v / 10^scale. Powers of ten up to 10^22 and
// integers up to 2^53 are exact floats and division rounds once, so the equality proves it.
func scaled(f float64, scale uint8) (v int64, ok bool) {
	power := floatPow10[scale]
	x := f * power
	if !(x < exactDigits && x > -exactDigits) { // NaN too
		return 0, false
	}

	v = int64(x + math.Copysign(0.5, x))
	return v, float64(v)/power == f
}

// shortScaled is scaled at the smallest scale that has an answer.
func shortScaled(f float64) (v int64, scale uint8, ok bool) {
	for scale = range uint8(domain.MaxScale + 1) {
		if v, ok = scaled(f, scale); ok {
			return v, scale, true
		}
	}
	return 0, 0, false
}

// fromFloat is the shortest decimal that f is nearest to; an error where f is not finite or the decimal has too many digits.
func fromFloat(f float64) (domain.Decimal, error) {
	if v, scale, ok := shortScaled(f); ok {
		return domain.NewDecimal(v, scale)
	}

	var buf [32]byte
	return domain.ParseDecimalBytes(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
}

// nearestFloat is the float nearest to d.
func nearestFloat(d domain.Decimal) float64 {
	var buf [48]byte
	text, _ := d.AppendText(buf[:0])             // never fails
	f, _ := strconv.ParseFloat(string(text), 64) // a plain number of at most 40 digits always parses
	return f
}

// survives reports whether d comes back from a float as the number it is.
func survives(d domain.Decimal) bool {
	back, err := fromFloat(nearestFloat(d))
	return err == nil && back.Equal(d)
}
