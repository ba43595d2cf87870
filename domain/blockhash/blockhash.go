// Package blockhash hashes stored rows. ingest.LedgeredStore and the ledgers of package ports/ledger compare blocks of
// bars by OfBars; the other hashes are of checkpoints, by which a page tells whether those before it still hold.
package blockhash

import (
	"math/bits"

	"github.com/gal-friday/marketdata/domain"
)

// keys are the fractional digits of pi, two words for each term of a bar's hash: open time and trade count, open, high,
// low, close, volume.
var keys = [6][2]uint64{
	{0x243f6a8885a308d3, 0x13198a2e03707344},
	{0xa4093822299f31d0, 0x082efa98ec4e6c89},
	{0x452821e638d01377, 0xbe5466cf34e90c6c},
	{0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917},
	{0x9216d5d98979fb1b, 0xd1310ba698dfb5ac},
	{0x2ffd72dbd01adfb7, 0xb8e1afed6a267e96},
}

// pow10 has the powers of ten.
var pow10 = [domain.MaxScale + 1]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// OfBar returns a hash of the open time, the five numbers and the trade count. Equal bars have equal hashes, because
// the numbers are hashed as coefficients at domain.MaxScale. docs/formats.md has the definition, which never changes,
// because hashes are stored. It detects lost and altered bars; it does not withstand someone who chooses bars to
// collide.
func OfBar(b domain.Bar) uint64 {
	h := term(0, uint64(domain.MicrosFloor(b.OpenTime)), uint64(b.Trades))
	for i, d := range [...]domain.Decimal{b.Open, b.High, b.Low, b.Close, b.Volume} {
		h += numberTerm(i+1, d)
	}

	return scramble(h)
}

// OfBars returns the sum of the hashes of the bars, modulo 2^64, so that the hash of a block can be changed by the bars
// that are added and removed.
func OfBars(s domain.Series) (sum uint64) {
	c := s.Columns()
	prices, volume := pow10[domain.MaxScale-c.PriceScale], pow10[domain.MaxScale-c.VolumeScale]
	for i, open := range c.OpenMicros {
		h := term(0, uint64(open), uint64(c.Trades[i]))
		h += columnTerm(1, &c.Open, i, prices) + columnTerm(2, &c.High, i, prices) + columnTerm(3, &c.Low, i, prices)
		h += columnTerm(4, &c.Close, i, prices) + columnTerm(5, &c.Volume, i, volume)
		sum += scramble(h)
	}

	return sum
}

// OfTicks returns the sum of the hashes of the ticks, modulo 2^64.
func OfTicks[T domain.Tick](t domain.Ticks[T]) (sum uint64) {
	switch ticks := any(t).(type) {
	case domain.Trades:
		for _, t := range ticks.All() {
			h := term(0, uint64(domain.MicrosFloor(t.Time)), uint64(t.Seq)) + uint64(t.Side)
			sum += scramble(h + numberTerm(1, t.Price) + numberTerm(2, t.Size))
		}
	case domain.Quotes:
		for _, q := range ticks.All() {
			h := term(0, uint64(domain.MicrosFloor(q.Time)), uint64(q.Seq)) + numberTerm(1, q.Bid) + numberTerm(2, q.Ask)
			sum += scramble(h + numberTerm(3, q.BidSize) + numberTerm(4, q.AskSize))
		}
	}

	return sum
}

// OfBlock returns a hash of the number and the version of the block.
func OfBlock(b domain.BlockState) uint64 {
	return scramble(term(0, uint64(b.Index), uint64(b.Version.Revision)) + term(1, b.Version.Nonce, 0))
}

// OfRanges returns a hash of the ranges, which must ascend. It is not 0.
func OfRanges(ranges []domain.Range) uint64 {
	var h uint64
	for _, r := range ranges {
		start, end := r.Micros()
		h = scramble(term(2, h, uint64(start)) + term(3, uint64(end), 0))
	}

	return h | 1
}

// OfRow returns a hash of the time and the sequence number of a row; that of a bar is 0. It is not 0.
func OfRow(at domain.Micros, seq int64) uint64 { return scramble(term(4, uint64(at), uint64(seq))) | 1 }

// numberTerm returns the term of the coefficient at domain.MaxScale.
func numberTerm(i int, d domain.Decimal) uint64 {
	hi, lo, _ := d.Coefficient(domain.MaxScale) // exact, because no number has more digits
	return term(i, lo, uint64(hi))
}

// columnTerm returns the term of value i of the column, multiplied by the factor that gives it domain.MaxScale.
func columnTerm(n int, c *domain.Column, i int, factor uint64) uint64 {
	value := c.Lo[i]
	high := value >> 63
	if c.Hi != nil {
		high = c.Hi[i]
	}

	carry, lo := bits.Mul64(uint64(value), factor)

	return term(n, lo, uint64(high)*factor+carry) // two's complement: the product modulo 2^128
}

// term multiplies the keyed words and folds the product. It adds the words to it, because a product with 0 loses the
// other word.
func term(i int, a, b uint64) uint64 {
	a ^= keys[i][0]
	b ^= keys[i][1]
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ a ^ b
}

// scramble is the finalizer of MurmurHash3, which lets every bit of h change every bit of the result.
func scramble(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
