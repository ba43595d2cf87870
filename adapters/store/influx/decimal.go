package influx

import (
	"math"
	"strconv"

	"github.com/gal-friday/marketdata/domain"
)

// A float field stores a decimal as the nearest float. Reading takes the shortest decimal that is nearest to the float.
//
// INVARIANT: a decimal of at most 15 digits survives, because no two of them have the same nearest float. A decimal of
// more digits may come back as another number, so the field exact stores it as text.

// exactLimit bounds the coefficients that always survive a float: a coefficient below it has at most 15 digits.
const exactLimit = 1e15

var floatPow10 = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// coefficientAt returns the coefficient of at most 15 digits for which f is the float nearest to coefficient /
// 10^scale. ok is false if there is none. The final comparison proves the result, because powers of ten up to 10^22 and
// integers up to 2^53 are exact floats and the division rounds once.
func coefficientAt(f float64, scale uint8) (coefficient int64, ok bool) {
	power := floatPow10[scale]
	x := f * power
	if !(x < exactLimit && x > -exactLimit) { // also true for NaN
		return 0, false
	}

	coefficient = int64(x + math.Copysign(0.5, x))

	return coefficient, float64(coefficient)/power == f
}

// shortestCoefficient returns coefficientAt for the smallest scale that has a coefficient.
func shortestCoefficient(f float64) (coefficient int64, scale uint8, ok bool) {
	for scale = range uint8(domain.MaxScale + 1) {
		if coefficient, ok = coefficientAt(f, scale); ok {
			return coefficient, scale, true
		}
	}

	return 0, 0, false
}

// decimalFromFloat returns the shortest decimal that f is nearest to. It returns an error if f is not finite or if the
// decimal has too many digits.
func decimalFromFloat(f float64) (domain.Decimal, error) {
	if coefficient, scale, ok := shortestCoefficient(f); ok {
		return domain.NewDecimal(coefficient, scale)
	}

	var buf [32]byte

	return domain.ParseDecimalBytes(strconv.AppendFloat(buf[:0], f, 'e', -1, 64))
}

// nearestFloat returns the float nearest to d.
func nearestFloat(d domain.Decimal) float64 {
	var buf [48]byte
	text, _ := d.AppendText(buf[:0])             // never fails
	f, _ := strconv.ParseFloat(string(text), 64) // a plain number of at most 40 digits always parses
	return f
}

// survivesFloat reports whether reading the nearest float of d returns d.
func survivesFloat(d domain.Decimal) bool {
	restored, err := decimalFromFloat(nearestFloat(d))
	return err == nil && restored.Equal(d)
}
