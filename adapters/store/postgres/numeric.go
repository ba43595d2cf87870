package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/cockroachdb/apd/v3"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/apdconv"
)

// PostgreSQL sends a numeric as 16-bit words: the number of digit groups, the weight of the first group, the sign, the
// number of digits displayed after the point, and the groups. A group is four decimal digits; the value is the sum of
// group[i] * 10000^(weight-i).
const (
	numericHeader   = 8
	numericPositive = 0x0000
	numericNegative = 0x4000

	numericNaN              = 0xC000
	numericInfinity         = 0xD000
	numericNegativeInfinity = 0xF000

	groupBase   = 10_000
	groupDigits = 4

	narrowDigits   = 18 // the largest number of decimal digits that always fits an int64
	maxValueDigits = 60 // of a number in an error
	maxWeight      = domain.MaxIntegerDigits/groupDigits - 1
)

var (
	errNotFinite     = errors.New("not a finite number")
	errTooManyDigits = errors.New("more than 20 digits before or 18 after the point")
	errScaleTooSmall = errors.New("more digits after the point than the scale")

	errNumericFormat error = malformedError("not a binary numeric")
)

var powersOf10 = [...]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
}

// decodeNumeric decodes a numeric to hi<<64|lo, a two's complement number in units of 10^-scale. It returns
// errScaleTooSmall if the number needs a larger scale, and errNotFinite for NaN and infinities.
func decodeNumeric(b []byte, scale uint8) (hi, lo int64, err error) {
	if len(b) < numericHeader {
		return 0, 0, errNumericFormat
	}

	groups := int(binary.BigEndian.Uint16(b))
	weight := int(int16(binary.BigEndian.Uint16(b[2:])))
	sign := binary.BigEndian.Uint16(b[4:])
	if sign != numericPositive && sign != numericNegative {
		return coefficient(b, scale)
	}
	if len(b) != numericHeader+2*groups {
		return 0, 0, errNumericFormat
	}

	digits := b[numericHeader:]
	exponent := groupDigits*weight + int(scale) // of the unit of the current group, in units of the result
	if exponent+groupDigits > narrowDigits {
		if weight > maxWeight && groups > 0 {
			return coefficient(b, scale)
		}
		return decodeWideNumeric(digits, exponent, sign == numericNegative)
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

// decodeWideNumeric decodes numbers that may need more than 64 bits. They are below 10^38, so that 127 bits are enough.
func decodeWideNumeric(digits []byte, exponent int, negative bool) (hi, lo int64, err error) {
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

// numericScale returns the scale for a column that must represent the number: the digits that PostgreSQL displays after
// the point if the number then fits 64 bits, otherwise the digits that it needs. A scale above domain.MaxScale is
// errTooManyDigits.
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
		d, err := generalNumeric(b)
		return d.Scale(), err
	case shown > needed && groupDigits*(max(weight, -1)+1)+shown <= narrowDigits:
		return uint8(shown), nil
	}

	return uint8(needed), nil
}

// decodeDecimal decodes a numeric of any scale.
func decodeDecimal(b []byte) (domain.Decimal, error) {
	scale, err := numericScale(b)
	if err != nil {
		return domain.Decimal{}, err
	}

	hi, lo, err := decodeNumeric(b, scale)
	if err != nil {
		return domain.Decimal{}, err
	}

	return domain.DecimalFromCoefficient(hi, uint64(lo), scale)
}

// generalNumeric decodes a numeric of any width, scale and form. The error of one that no Decimal holds names its
// value, and wraps errNotFinite or errTooManyDigits.
func generalNumeric(b []byte) (domain.Decimal, error) {
	x, err := decodeAPD(b)
	if err != nil {
		return domain.Decimal{}, err
	}

	d, err := apdconv.ToDecimal(x)
	if err == nil {
		return d, nil
	}

	kind := errTooManyDigits
	if x.Form != apd.Finite {
		kind = errNotFinite
	}
	value := x.String()
	if len(value) > maxValueDigits {
		value = value[:maxValueDigits] + "..."
	}

	return domain.Decimal{}, fmt.Errorf("%s, %w", value, kind)
}

// coefficient returns a numeric that the fast path does not decode, in units of 10^-scale.
func coefficient(b []byte, scale uint8) (hi, lo int64, err error) {
	d, err := generalNumeric(b)
	if err != nil {
		return 0, 0, err
	}

	hi, low, isExact := d.Coefficient(scale)
	if !isExact {
		return 0, 0, errScaleTooSmall
	}

	return hi, int64(low), nil
}

// decodeAPD decodes a numeric of any width and scale, NaN and infinities included.
func decodeAPD(b []byte) (*apd.Decimal, error) {
	if len(b) < numericHeader {
		return nil, errNumericFormat
	}

	x := &apd.Decimal{}
	sign := binary.BigEndian.Uint16(b[4:])
	switch sign {
	case numericNaN:
		x.Form = apd.NaN
		return x, nil
	case numericInfinity, numericNegativeInfinity:
		x.Form, x.Negative = apd.Infinite, sign == numericNegativeInfinity
		return x, nil
	case numericPositive, numericNegative:
		x.Negative = sign == numericNegative
	default:
		return nil, errNumericFormat
	}

	groups := b[numericHeader:]
	digits := make([]byte, 0, groupDigits*len(groups)/2)
	for ; len(groups) >= 2; groups = groups[2:] {
		group := binary.BigEndian.Uint16(groups)
		if group >= groupBase {
			return nil, errNumericFormat
		}
		digits = fmt.Appendf(digits, "%04d", group)
	}
	if len(digits) > 0 {
		x.Coeff.SetString(string(digits), 10)
	}
	x.Exponent = int32(groupDigits*(int(int16(binary.BigEndian.Uint16(b[2:])))+1)) - int32(len(digits))
	x.Reduce(x)

	return x, nil
}

// appendNumeric appends hi<<64|lo, in units of 10^-scale, as a field of COPY.
func appendNumeric(b []byte, hi, lo int64, scale uint8) []byte {
	high, low, negative := magnitude(hi, lo)
	var groups [12]uint16 // least significant first; enough for 39 digits and the padding of the fraction
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

// appendDecimal appends a Decimal as a field of COPY.
func appendDecimal(b []byte, d domain.Decimal) []byte {
	scale := d.Scale()
	hi, lo, _ := d.Coefficient(scale) // exact at its own scale

	return appendNumeric(b, hi, int64(lo), scale)
}

// magnitude returns the absolute value and the sign of a 128-bit two's complement number.
func magnitude(hi, lo int64) (high, low uint64, negative bool) {
	if hi >= 0 {
		return uint64(hi), uint64(lo), false
	}

	low, borrow := bits.Sub64(0, uint64(lo), 0)
	high, _ = bits.Sub64(0, uint64(hi), borrow)

	return high, low, true
}

// multiply returns the product, which must be below 2^128.
func multiply(high, low, by uint64) (productHigh, productLow uint64) {
	carry, productLow := bits.Mul64(low, by)
	return high*by + carry, productLow
}

// divide returns the quotient and the remainder of a 128-bit number.
func divide(high, low, by uint64) (quotientHigh, quotientLow, remainder uint64) {
	if high == 0 {
		return 0, low / by, low % by
	}

	quotientHigh, remainder = high/by, high%by
	quotientLow, remainder = bits.Div64(remainder, low, by)

	return quotientHigh, quotientLow, remainder
}
