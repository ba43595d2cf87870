// Package fingerprint computes fingerprints of series, ticks and results. It is apart from package domain because a
// backtest that compares nothing must not link crypto/sha256.
package fingerprint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"

	"github.com/gal-friday/marketdata/domain"
)

// Digest identifies data: equal data has equal digests, in whatever store it lies, however its numbers are written and
// into whatever pieces it is divided; unequal data has different ones. It stays the same in all versions of this
// module.
//
// It is the SHA-256 of the following, where every integer is little-endian with 64 bits, and every decimal is
// multiplied by 10^18 and is a little-endian two's complement integer with 128 bits. For a Series: the text of its key
// and a line feed; for each bar the open time in microseconds since 1970, open, high, low, close, volume, and the trade
// count. For Ticks: the symbol, a space, "trades" or "quotes" and a line feed; for each tick its time, sequence number,
// price and size, or bid, ask, bid size and ask size, and a byte for the side. For a Result: start and end of its range
// in microseconds since 1970, and the digest of its data.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText returns the text of String.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText parses the text of String.
func (d *Digest) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(d) {
		reason := fmt.Sprintf("it is %d hexadecimal digits", 2*len(d))
		return &domain.InvalidError{What: "fingerprint", Value: string(text), Reason: reason}
	}

	copy(d[:], b)

	return nil
}

// Hasher computes the digest of a Series that comes in pieces. It keeps none of them. It is for one goroutine.
type Hasher struct{ writer *writer }

// NewHasher returns the hasher of the Series of the key without a bar.
func NewHasher(key domain.SeriesKey) Hasher { return Hasher{newWriter(key.String())} }

// Add appends the bars of the next piece. The piece must have the key, and its bars must follow those added before.
func (h Hasher) Add(piece domain.Series) {
	columns := piece.Columns()
	for i, bar := range piece.All() {
		h.writer.reserve(2*8 + 5*16)
		h.writer.integer(columns.OpenMicros[i])
		for _, number := range [...]domain.Decimal{bar.Open, bar.High, bar.Low, bar.Close, bar.Volume} {
			h.writer.decimal(number)
		}
		h.writer.integer(bar.Trades)
	}
}

// Sum returns OfSeries of the pieces together. More pieces may be added afterwards.
func (h Hasher) Sum() Digest { return h.writer.sum() }

// SumResult returns OfResult of a Result with the range and the pieces together.
func (h Hasher) SumResult(r domain.Range) Digest { return ofResult(r, h.writer.sum()) }

// OfSeries returns the digest of the key and the bars.
func OfSeries(s domain.Series) Digest {
	h := NewHasher(s.Key())
	h.Add(s)

	return h.Sum()
}

// TickHasher computes the digest of Ticks that come in pieces. It keeps none of them. It is for one goroutine.
type TickHasher[T domain.Tick] struct{ writer *writer }

// NewTickHasher returns the hasher of the Ticks of the symbol without a tick.
func NewTickHasher[T domain.Tick](symbol domain.Symbol) TickHasher[T] {
	var none T
	kind := domain.TickQuotes
	if _, isTrade := any(none).(domain.Trade); isTrade {
		kind = domain.TickTrades
	}

	return TickHasher[T]{newWriter(string(symbol) + " " + string(kind))}
}

// Add appends the ticks of the next piece. The piece must have the symbol, and its ticks must follow those added
// before.
func (h TickHasher[T]) Add(piece domain.Ticks[T]) {
	w := h.writer
	for i, tick := range piece.All() {
		w.reserve(2*8 + 4*16 + 1)
		w.integer(int64(domain.MicrosCeil(piece.Time(i))))
		w.integer(piece.Seq(i))
		switch tick := any(tick).(type) {
		case domain.Trade:
			w.decimal(tick.Price)
			w.decimal(tick.Size)
			w.byte(uint8(tick.Side))
		case domain.Quote:
			w.decimal(tick.Bid)
			w.decimal(tick.Ask)
			w.decimal(tick.BidSize)
			w.decimal(tick.AskSize)
			w.byte(0)
		}
	}
}

// SumResult returns OfTickResult of a TickResult with the range and the pieces together. More pieces may be added
// afterwards.
func (h TickHasher[T]) SumResult(r domain.Range) Digest { return ofResult(r, h.writer.sum()) }

// OfTicks returns the digest of the symbol and the ticks.
func OfTicks[T domain.Tick](ticks domain.Ticks[T]) Digest {
	h := NewTickHasher[T](ticks.Symbol())
	h.Add(ticks)

	return h.writer.sum()
}

// OfResult returns the digest of the range and the bars: of what the result says, not of where it came from.
func OfResult(r domain.Result) Digest { return ofResult(r.Range, OfSeries(r.Series)) }

// OfTickResult returns the digest of the range and the ticks.
func OfTickResult[T domain.Tick](r domain.TickResult[T]) Digest {
	return ofResult(r.Range, OfTicks(r.Ticks))
}

func ofResult(r domain.Range, data Digest) Digest {
	start, end := r.Micros()
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 64), uint64(start))
	b = binary.LittleEndian.AppendUint64(b, uint64(end))

	return sha256.Sum256(append(b, data[:]...))
}

// writer hashes the values written to it through a buffer.
type writer struct {
	hash   hash.Hash
	buffer []byte
}

const bufferBytes = 4096

func newWriter(name string) *writer {
	w := &writer{hash: sha256.New(), buffer: make([]byte, 0, bufferBytes)}
	w.buffer = append(append(w.buffer, name...), '\n')

	return w
}

// reserve empties the buffer if it cannot take so many bytes more.
func (w *writer) reserve(bytes int) {
	if len(w.buffer)+bytes > bufferBytes {
		_, _ = w.hash.Write(w.buffer) // a hash never fails
		w.buffer = w.buffer[:0]
	}
}

func (w *writer) byte(v uint8) { w.buffer = append(w.buffer, v) }

func (w *writer) integer(v int64) { w.buffer = binary.LittleEndian.AppendUint64(w.buffer, uint64(v)) }

func (w *writer) decimal(d domain.Decimal) {
	hi, lo, _ := d.Coefficient(domain.MaxScale) // which takes every number
	w.buffer = binary.LittleEndian.AppendUint64(w.buffer, lo)
	w.integer(hi)
}

func (w *writer) sum() (d Digest) {
	w.reserve(bufferBytes)
	w.hash.Sum(d[:0])

	return d
}
