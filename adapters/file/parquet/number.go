package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/gal-friday/marketdata/domain"
)

// number is a coefficient of DECIMAL(38, 18): 128 bits, two's complement, big endian.
type number [16]byte

func (n *number) set(c coefficient) {
	binary.BigEndian.PutUint64(n[:8], uint64(c.hi))
	binary.BigEndian.PutUint64(n[8:], c.lo)
}

func (n *number) setDecimal(d domain.Decimal) {
	hi, lo, _ := d.Coefficient(domain.MaxScale) // which every decimal has
	n.set(coefficient{hi, lo})
}

// rescale spells coefficients over 10^from as ones over 10^to, which is not less.
type rescale struct {
	factor           uint64
	limitHi, limitLo uint64 // the least magnitude, over 10^from, that no decimal has
}

func newRescale(from, to uint8) rescale {
	r := rescale{factor: pow10(to - from)}
	hi, lo := bits.Mul64(pow10(domain.MaxIntegerDigits/2), pow10(domain.MaxIntegerDigits/2))
	carry, lo := bits.Mul64(lo, pow10(from))
	r.limitHi, r.limitLo = hi*pow10(from)+carry, lo
	return r
}

// fits reports whether a decimal can be the number.
func (r rescale) fits(c coefficient) bool {
	hi, lo := uint64(c.hi), c.lo
	if c.hi < 0 {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}

	return hi < r.limitHi || hi == r.limitHi && lo < r.limitLo
}

// of is the same number over 10^to. No bit of one that fits is lost: a decimal has 38 digits at most.
func (r rescale) of(c coefficient) coefficient {
	carry, low := bits.Mul64(c.lo, r.factor)
	return coefficient{int64(uint64(c.hi)*r.factor + carry), low}
}

// pow10 is ten to the power n, which is at most domain.MaxScale.
func pow10(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}
