package codec

import (
	"math/bits"

	"github.com/gal-friday/marketdata/domain"
)

// Shrink spells the columns, which share a scale, with the fewest digits after the point that are exact, and returns that many.
// A column that fits 64 bits then loses its high words. What it changes it copies first.
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

// trailingZeros is how many decimal zeros, up to limit, end every value.
func trailingZeros(c domain.Column, limit uint8) uint8 {
	zeros, power := limit, powerOfTen(limit)
	for i, lo := range c.Lo {
		for zeros > 0 {
			if c.Hi == nil && lo%int64(power) == 0 {
				break
			}

			if c.Hi != nil {
				if _, _, rest := divide128(c.Hi[i], uint64(lo), power); rest == 0 {
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

// divide is a copy of c with every value divided by d, which leaves no rest.
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

// isNarrow reports whether the low words say it all.
func isNarrow(c domain.Column) bool {
	for i, hi := range c.Hi {
		if hi != c.Lo[i]>>63 {
			return false
		}
	}
	return true
}

// divide128 divides the two's complement number hi<<64 | lo, rounding towards zero; rest is of the magnitude.
func divide128(hi int64, lo, d uint64) (quotientHi int64, quotientLo, rest uint64) {
	negative := hi < 0
	h := uint64(hi)
	if negative {
		h, lo = negate128(h, lo)
	}
	qh := h / d
	ql, rest := bits.Div64(h%d, lo, d)
	if negative {
		qh, ql = negate128(qh, ql)
	}

	return int64(qh), ql, rest
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
