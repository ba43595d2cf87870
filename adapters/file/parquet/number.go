package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/gal-friday/marketdata/domain"
)

// number is the coefficient of a DECIMAL(38, 18): 128 bits, two's complement, big endian.
type number [16]byte

func (n *number) set(c coefficient) {
	binary.BigEndian.PutUint64(n[:8], uint64(c.hi))
	binary.BigEndian.PutUint64(n[8:], c.lo)
}

func (n *number) setDecimal(d domain.Decimal) {
	hi, lo, _ := d.Coefficient(domain.MaxScale) // always exact at this scale
	n.set(coefficient{hi, lo})
}

// rescaler converts coefficients from one scale to another, which must not be smaller.
type rescaler struct {
	factor           uint64
	limitHi, limitLo uint64 // the smallest magnitude, at the original scale, that a Decimal cannot have
}

func newRescaler(from, to uint8) rescaler {
	r := rescaler{factor: pow10(to - from)}
	hi, lo := bits.Mul64(pow10(domain.MaxIntegerDigits/2), pow10(domain.MaxIntegerDigits/2))
	carry, lo := bits.Mul64(lo, pow10(from))
	r.limitHi, r.limitLo = hi*pow10(from)+carry, lo

	return r
}

// fits reports whether the number, at the original scale, can be a Decimal.
func (r rescaler) fits(c coefficient) bool {
	hi, lo := uint64(c.hi), c.lo
	if c.hi < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}

	return hi < r.limitHi || hi == r.limitHi && lo < r.limitLo
}

// convert returns the same number at the new scale. It loses no bits of a number that fits, because a Decimal has at
// most 38 digits.
func (r rescaler) convert(c coefficient) coefficient {
	carry, low := bits.Mul64(c.lo, r.factor)
	return coefficient{int64(uint64(c.hi)*r.factor + carry), low}
}

// pow10 returns 10 to the power n, which must be at most domain.MaxScale.
func pow10(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}

	return p
}
