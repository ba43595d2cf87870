package domain

import "math/bits"

// hashKeys are the fractional digits of pi, two words for each term of a bar's hash: open time and trade count, open,
// high, low, close, volume.
var hashKeys = [6][2]uint64{
	{0x243f6a8885a308d3, 0x13198a2e03707344},
	{0xa4093822299f31d0, 0x082efa98ec4e6c89},
	{0x452821e638d01377, 0xbe5466cf34e90c6c},
	{0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917},
	{0x9216d5d98979fb1b, 0xd1310ba698dfb5ac},
	{0x2ffd72dbd01adfb7, 0xb8e1afed6a267e96},
}

// HashBar returns a hash of the open time, the five numbers and the trade count. Equal bars have equal hashes, because
// the numbers are hashed as coefficients at MaxScale. docs/formats.md has the definition, which never changes, because
// hashes are stored. It detects lost and altered bars; it does not withstand someone who chooses bars to collide.
func HashBar(b Bar) uint64 {
	return hashFields(MicrosFloor(b.OpenTime), b.Trades, [fieldCount]Decimal{b.Open, b.High, b.Low, b.Close, b.Volume})
}

// HashBars returns the sum of the hashes of the bars, modulo 2^64, so that the hash of a block can be changed by the
// bars that are added and removed.
func HashBars(s Series) (sum uint64) {
	c := s.block
	for i := s.from; i < s.to; i++ {
		sum += hashFields(Micros(c.OpenMicros[i]), c.Trades[i], [fieldCount]Decimal{
			c.Open.value(i, c.PriceScale), c.High.value(i, c.PriceScale), c.Low.value(i, c.PriceScale),
			c.Close.value(i, c.PriceScale), c.Volume.value(i, c.VolumeScale),
		})
	}

	return sum
}

func hashFields(open Micros, trades int64, numbers [fieldCount]Decimal) uint64 {
	h := hashTerm(0, uint64(open), uint64(trades))
	for i, d := range numbers {
		hi, lo := d.atMaxScale()
		h += hashTerm(i+1, lo, hi)
	}

	return scramble(h)
}

// atMaxScale returns the words of the coefficient at MaxScale.
func (d Decimal) atMaxScale() (hi, lo uint64) {
	factor := pow10[MaxScale-d.scale]
	carry, lo := bits.Mul64(d.lo, factor)
	return uint64(d.hi)*factor + carry, lo // two's complement: the product modulo 2^128
}

// hashTerm multiplies the keyed words and folds the product. It adds the words to it, because a product with 0 loses
// the other word.
func hashTerm(term int, a, b uint64) uint64 {
	a ^= hashKeys[term][0]
	b ^= hashKeys[term][1]
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ a ^ b
}

// scramble is the finalizer of MurmurHash3, which lets every bit of h change every bit of the result.
func scramble(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
