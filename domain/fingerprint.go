package domain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// Fingerprint tells whether two answers say the same: equal data has equal fingerprints, whatever store it lies in,
// however its numbers are spelled and in whatever pieces it comes, and unequal data has different ones. It stays the
// same from one version of this module to the next.
//
// It is the SHA-256 of the following, every integer little-endian and of 64 bits, every decimal times 10^18 a
// little-endian two's complement integer of 128 bits. Of a Series: the text of its key and a line feed; of each bar the
// open time in microseconds since 1970, open, high, low, close, volume, and the trade count. Of Ticks: the symbol, a
// blank, "trades" or "quotes" and a line feed; of each tick its time, sequence number, price and size, or bid, ask, bid
// size and ask size, and a byte for the side. Of a Result: start and end of its range in microseconds since 1970, and
// the fingerprint of its data.
type Fingerprint [sha256.Size]byte

// String is the fingerprint in hexadecimal.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText is String.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads what String writes.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(f) {
		return invalid("fingerprint", string(text), "it is %d hexadecimal digits", 2*len(f))
	}

	copy(f[:], b)
	return nil
}

// Fingerprinter takes the fingerprint of a Series that comes in pieces, and keeps none of them. It is for one
// goroutine.
type Fingerprinter struct{ printer *printer }

// NewFingerprinter returns that of the Series of the key without a bar.
func NewFingerprinter(key SeriesKey) Fingerprinter { return Fingerprinter{newPrinter(key.String())} }

// Add appends the bars of the next piece, which the caller knows to be of the key and in order.
func (p Fingerprinter) Add(piece Series) {
	c := piece.Columns()
	for i, t := range c.OpenMicros {
		p.printer.room(2*8 + fieldCount*16)
		p.printer.integer(t)
		for f := range Field(fieldCount) {
			column, scale := c.Field(f)
			p.printer.decimal(column.at(i, scale))
		}

		p.printer.integer(c.Trades[i])
	}
}

// Sum returns Series.Fingerprint of the pieces together. More pieces may be added after it.
func (p Fingerprinter) Sum() Fingerprint { return p.printer.sum() }

// SumResult returns Result.Fingerprint of a Result of the range and the pieces together.
func (p Fingerprinter) SumResult(r Range) Fingerprint { return answerFingerprint(r, p.printer.sum()) }

// Fingerprint is that of the key and the bars.
func (s Series) Fingerprint() Fingerprint {
	p := NewFingerprinter(s.key)
	p.Add(s)
	return p.Sum()
}

// Fingerprint is that of the symbol and the ticks.
func (t Ticks[T]) Fingerprint() Fingerprint {
	var tick T
	kind, numbers := TickQuotes, tickNumbers
	if _, isTrade := any(tick).(Trade); isTrade {
		kind, numbers = TickTrades, 2
	}
	p := newPrinter(string(t.symbol) + " " + string(kind))
	for i := t.from; i < t.to; i++ {
		p.room(2*8 + tickNumbers*16 + 1)
		p.integer(t.block.timeMicros[i])
		p.integer(t.block.seq[i])
		for n := range numbers {
			p.decimal(t.block.numbers[n].at(i, t.block.scales[n]))
		}
		p.buffer = append(p.buffer, uint8(t.block.side[i]))
	}

	return p.sum()
}

// Fingerprint is that of the range answered for and the bars: of what the answer says, not of how it was come by.
func (r Result) Fingerprint() Fingerprint { return answerFingerprint(r.Range, r.Series.Fingerprint()) }

// Fingerprint is that of the range answered for and the ticks.
func (r TickResult[T]) Fingerprint() Fingerprint {
	return answerFingerprint(r.Range, r.Ticks.Fingerprint())
}

func answerFingerprint(r Range, data Fingerprint) Fingerprint {
	start, end := r.Micros()
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 64), uint64(start))
	b = binary.LittleEndian.AppendUint64(b, uint64(end))
	return sha256.Sum256(append(b, data[:]...))
}

// printer hashes what is written to it through a buffer.
type printer struct {
	hash   hash.Hash
	buffer []byte
}

const printerRoom = 4096

func newPrinter(name string) *printer {
	p := &printer{hash: sha256.New(), buffer: make([]byte, 0, printerRoom)}
	p.buffer = append(append(p.buffer, name...), '\n')
	return p
}

// room makes room for so many bytes.
func (p *printer) room(bytes int) {
	if len(p.buffer)+bytes > printerRoom {
		_, _ = p.hash.Write(p.buffer) // a hash never fails
		p.buffer = p.buffer[:0]
	}
}

func (p *printer) integer(v int64) { p.buffer = binary.LittleEndian.AppendUint64(p.buffer, uint64(v)) }

func (p *printer) decimal(d Decimal) {
	d = d.at(MaxScale)
	p.buffer = binary.LittleEndian.AppendUint64(p.buffer, d.lo)
	p.integer(d.hi)
}

func (p *printer) sum() (f Fingerprint) {
	p.room(printerRoom)
	p.hash.Sum(f[:0])
	return f
}
