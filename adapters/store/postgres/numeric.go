package postgres

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/gal-friday/marketdata/domain"
)

// PostgreSQL sends a numeric as a count of digit groups, the weight of the first, a sign, the digits shown after the point, and the
// groups, each four decimal digits: all 16 bits wide, the value the sum of group[i] * 10000^(weight-i).
const (
	numericHeader   = 8
	numericPositive = 0x0000
	numericNegative = 0x4000
	groupBase       = 10_000
	groupDigits     = 4

	narrowDigits = 18 // so many decimal digits always fit 64 bits
	maxWeight    = domain.MaxIntegerDigits/groupDigits - 1
)

var (
	errNumericFormat = errors.New("not the binary form of a numeric")
	errNotFinite     = errors.New("not a finite number")
	errTooManyDigits = errors.New("more than 20 digits before or 18 after the point")
	errScaleTooSmall = errors.New("more digits after the point than the column has")
)

var powersOf10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// decodeNumeric is the number as hi<<64|lo over 10^scale, two's complement. errNumericScale says that it needs a larger scale.
func decodeNumeric(b []byte, scale uint8) (hi, lo int64, err error) {
	if len(b) < numericHeader {
		return 0, 0, errNumericFormat
	}

	groups := int(binary.BigEndian.Uint16(b))
	weight := int(int16(binary.BigEndian.Uint16(b[2:])))
	sign := binary.BigEndian.Uint16(b[4:])
	if sign != numericPositive && sign != numericNegative {
		return 0, 0, errNotFinite
	}
	if len(b) != numericHeader+2*groups {
		return 0, 0, errNumericFormat
	}

	digits := b[numericHeader:]
	exponent := groupDigits*weight + int(scale) // of the first group's unit, counted in units of the result
	if exponent+groupDigits > narrowDigits {
		return decodeWideNumeric(digits, exponent, weight, sign == numericNegative)
	}

	var sum uint64
	for ; len(digits) >= 2; digits = digits[2:] {
		d := uint64(binary.BigEndian.Uint16(digits))
		switch {
		case d >= groupBase:
			return 0, 0, errNumericFormat
		case exponent >= 0:
			sum += d * powersOf10[exponent]
		case exponent > -groupDigits && d%powersOf10[-exponent] == 0:
			sum += d / powersOf10[-exponent]
		case d != 0:
			return 0, 0, errScaleTooSmall
		}

		exponent -= groupDigits
	}

	lo = int64(sum)
	if sign == numericNegative {
		lo = -lo
	}
	return lo >> 63, lo, nil
}

// decodeWideNumeric is decodeNumeric for what may need more than 64 bits: below 10^38, so 127 bits hold it.
func decodeWideNumeric(digits []byte, exponent, weight int, negative bool) (hi, lo int64, err error) {
	if weight > maxWeight && len(digits) > 0 {
		return 0, 0, errTooManyDigits
	}

	var high, low uint64
	for ; len(digits) >= 2; digits = digits[2:] {
		d := uint64(binary.BigEndian.Uint16(digits))
		h, l := uint64(0), d
		switch {
		case d >= groupBase:
			return 0, 0, errNumericFormat
		case exponent >= 0:
			for e := exponent; e > 0; e -= narrowDigits {
				h, l = multiply(h, l, powersOf10[min(e, narrowDigits)])
			}
		case exponent > -groupDigits && d%powersOf10[-exponent] == 0:
			l = d / powersOf10[-exponent]
		case d != 0:
			return 0, 0, errScaleTooSmall
		}

		var carry uint64
		low, carry = bits.Add64(low, l, 0)
		high, _ = bits.Add64(high, h, carry)
		exponent -= groupDigits
	}

	if negative {
		var borrow uint64
		low, borrow = bits.Sub64(0, low, 0)
		high, _ = bits.Sub64(0, high, borrow)
	}

	return int64(high), int64(low), nil
}

// numericScale is the scale to give a column that begins with, or has to hold, the number: the digits that PostgreSQL shows after the
// point where the number then fits 64 bits, else those that it needs. More than a Decimal has is errNumericDigits.
func numericScale(b []byte) (uint8, error) {
	if len(b) < numericHeader || len(b) != numericHeader+2*int(binary.BigEndian.Uint16(b)) {
		return 0, errNumericFormat
	}

	weight := int(int16(binary.BigEndian.Uint16(b[2:])))
	shown := int(binary.BigEndian.Uint16(b[6:]))
	needed := 0
	for i := (len(b)-numericHeader)/2 - 1; i >= 0; i-- {
		d := binary.BigEndian.Uint16(b[numericHeader+2*i:])
		if d == 0 {
			continue
		}

		needed = groupDigits * (i - weight)
		for ; d%10 == 0; d /= 10 {
			needed--
		}
		break
	}

	switch needed = max(needed, 0); {
	case needed > domain.MaxScale:
		return 0, errTooManyDigits
	case shown > needed && groupDigits*(max(weight, -1)+1)+shown <= narrowDigits:
		return uint8(shown), nil
	}

	return uint8(needed), nil
}

// decodeDecimal is the number as a Decimal.
func decodeDecimal(b []byte) (domain.Decimal, error) {
	scale, err := numericScale(b)
	if err != nil {
		return domain.Decimal{}, err
	}

	hi, lo, err := decodeNumeric(b, scale)
	if err != nil {
		return domain.Decimal{}, err
	}
	if hi == lo>>63 {
		return domain.NewDecimal(lo, scale)
	}

	high, low, negative := magnitude(hi, lo)
	x := apd.Decimal{Exponent: -int32(scale), Negative: negative}
	x.Coeff.SetUint64(high)
	x.Coeff.Lsh(&x.Coeff, 64)
	var part apd.BigInt
	x.Coeff.Add(&x.Coeff, part.SetUint64(low))

	return domain.DecimalFromAPD(&x)
}

// appendNumeric appends hi<<64|lo over 10^scale with its length in front, as COPY wants a field.
func appendNumeric(b []byte, hi, lo int64, scale uint8) []byte {
	high, low, negative := magnitude(hi, lo)
	var groups [12]uint16 // the lowest first; 39 digits and the fraction's padding fit
	n := 0
	if part := scale % groupDigits; part > 0 && (high|low) != 0 {
		var r uint64
		high, low, r = divide(high, low, powersOf10[part])
		groups[0] = uint16(r * powersOf10[groupDigits-part])
		n = 1
	}

	for high|low != 0 {
		var r uint64
		high, low, r = divide(high, low, groupBase)
		groups[n] = uint16(r)
		n++
	}

	weight := n - 1 - (int(scale)+groupDigits-1)/groupDigits
	lowest := 0
	for lowest < n && groups[lowest] == 0 {
		lowest++
	}
	if lowest == n { // zero has no groups
		n, lowest, weight = 0, 0, 0
	}
	sign := uint16(numericPositive)
	if negative {
		sign = numericNegative
	}
	b = binary.BigEndian.AppendUint32(b, uint32(numericHeader+2*(n-lowest)))
	b = binary.BigEndian.AppendUint16(b, uint16(n-lowest))
	b = binary.BigEndian.AppendUint16(b, uint16(int16(weight)))
	b = binary.BigEndian.AppendUint16(b, sign)
	b = binary.BigEndian.AppendUint16(b, uint16(scale))
	for i := n - 1; i >= lowest; i-- {
		b = binary.BigEndian.AppendUint16(b, groups[i])
	}

	return b
}

// appendDecimal is appendNumeric for a Decimal.
func appendDecimal(b []byte, d domain.Decimal) []byte {
	x := d.APD()
	var high, low apd.BigInt
	high.Rsh(&x.Coeff, 64)
	h := high.Uint64()
	low.Sub(&x.Coeff, high.Lsh(&high, 64))
	hi, lo := h, low.Uint64()
	if x.Negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}

	return appendNumeric(b, int64(hi), int64(lo), uint8(-x.Exponent))
}

// magnitude splits a 128-bit two's complement number into what it amounts to and its sign.
func magnitude(hi, lo int64) (high, low uint64, negative bool) {
	if hi >= 0 {
		return uint64(hi), uint64(lo), false
	}

	low, borrow := bits.Sub64(0, uint64(lo), 0)
	high, _ = bits.Sub64(0, uint64(hi), borrow)
	return high, low, true
}

// multiply is the product, which must be below 2^128.
func multiply(high, low, by uint64) (productHigh, productLow uint64) {
	carry, productLow := bits.Mul64(low, by)
	return high*by + carry, productLow
}

// divide is the quotient and the remainder of a 128-bit number.
func divide(high, low, by uint64) (quotientHigh, quotientLow, remainder uint64) {
	if high == 0 {
		return 0, low / by, low % by
	}

	quotientHigh, remainder = high/by, high%by
	quotientLow, remainder = bits.Div64(remainder, low, by)
	return quotientHigh, quotientLow, remainder
}
