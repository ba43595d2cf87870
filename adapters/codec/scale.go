package codec

import (
	"math/bits"

	"github.com/gal-friday/marketdata/domain"
)

// Shrink converts columns of one scale to the smallest scale that represents all their values exactly, and returns that
// scale. A column whose values then fit 64 bits loses its high words. Shrink replaces elements of columns but does not
// modify the values they share with the caller.
func Shrink(columns []domain.Column, scale uint8) uint8 {
	zeros := scale
	for _, c := range columns {
		zeros = trailingZeros(c, zeros)
	}
	for i := range columns {
		if zeros > 0 {
			columns[i] = divide(columns[i], powerOfTen(zeros))
		}
		if isNarrow(columns[i]) {
			columns[i].Hi = nil
		}
	}

	return scale - zeros
}

// trailingZeros returns the number of decimal zeros, up to limit, that every value ends with.
func trailingZeros(c domain.Column, limit uint8) uint8 {
	zeros, power := limit, powerOfTen(limit)
	for i, lo := range c.Lo {
		for zeros > 0 {
			if c.Hi == nil && lo%int64(power) == 0 {
				break
			}

			if c.Hi != nil {
				if _, _, remainder := divide128(c.Hi[i], uint64(lo), power); remainder == 0 {
					break
				}
			}

			zeros--
			power /= 10
		}
		if zeros == 0 {
			return 0
		}
	}

	return zeros
}

// divide returns a copy of c with every value divided by d. All values must be divisible by d.
func divide(c domain.Column, d uint64) domain.Column {
	q := domain.Column{Lo: make([]int64, len(c.Lo))}
	if c.Hi == nil {
		for i, lo := range c.Lo {
			q.Lo[i] = lo / int64(d)
		}
		return q
	}

	q.Hi = make([]int64, len(c.Hi))
	for i, lo := range c.Lo {
		hi, lo, _ := divide128(c.Hi[i], uint64(lo), d)
		q.Hi[i], q.Lo[i] = hi, int64(lo)
	}

	return q
}

// isNarrow reports whether all values fit 64 bits, so that the low words suffice.
func isNarrow(c domain.Column) bool {
	for i, hi := range c.Hi {
		if hi != c.Lo[i]>>63 {
			return false
		}
	}

	return true
}

// divide128 divides the two's complement number hi<<64 | lo by d and rounds towards zero. The remainder is that of the
// absolute value.
func divide128(hi int64, lo, d uint64) (quotientHi int64, quotientLo, remainder uint64) {
	negative := hi < 0
	h := uint64(hi)
	if negative {
		h, lo = negate128(h, lo)
	}
	qh := h / d
	ql, remainder := bits.Div64(h%d, lo, d)
	if negative {
		qh, ql = negate128(qh, ql)
	}

	return int64(qh), ql, remainder
}

func negate128(hi, lo uint64) (uint64, uint64) {
	lo, borrow := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(0, hi, borrow)
	return hi, lo
}

func powerOfTen(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}

	return p
}
