package domain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
)

// Fingerprint is a hash of data. Equal data has equal fingerprints, regardless of the store, the scales of its decimals
// and its division into pieces; different data has different ones. The definition is stable across versions of this
// module.
//
// It is the SHA-256 of the following bytes. Integers are little-endian with 64 bits. Decimals are multiplied by 10^18
// and are little-endian two's complement integers with 128 bits.
//
//   - Series: the text of its key and a line feed; for each bar its open time in microseconds since 1970, open, high,
//     low, close, volume, and trade count.
//   - Ticks: the symbol, a blank, "trades" or "quotes", and a line feed; for each tick its time in microseconds since
//     1970, its sequence number, price and size (a quote: bid, ask, bid size and ask size), and a byte for the side.
//   - Result: the start and the end of its range in microseconds since 1970, and the fingerprint of its data.
type Fingerprint [sha256.Size]byte

// String returns the fingerprint as 64 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// MarshalText returns String.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText parses the result of String.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(f) {
		return invalid("fingerprint", string(text), "it is %d hexadecimal digits", 2*len(f))
	}

	copy(f[:], b)
	return nil
}

// Fingerprinter computes the fingerprint of a Series piece by piece, and retains no piece. It is for one goroutine.
type Fingerprinter struct{ printer *printer }

// NewFingerprinter returns a Fingerprinter for a Series of the key that has no bars yet.
func NewFingerprinter(key SeriesKey) Fingerprinter { return Fingerprinter{newPrinter(key.String())} }

// Add adds the bars of the next piece. The caller must pass pieces of the key, in ascending order.
func (p Fingerprinter) Add(piece Series) {
	c := piece.Columns()
	for i, t := range c.OpenMicros {
		p.printer.reserve(2*8 + fieldCount*16)
		p.printer.integer(t)
		for f := range Field(fieldCount) {
			column, scale := c.Field(f)
			p.printer.decimal(column.value(i, scale))
		}

		p.printer.integer(c.Trades[i])
	}
}

// Sum returns the fingerprint of the Series of all pieces so far. More pieces may follow.
func (p Fingerprinter) Sum() Fingerprint { return p.printer.sum() }

// SumResult returns the fingerprint of a Result with the range and the Series of all pieces so far.
func (p Fingerprinter) SumResult(r Range) Fingerprint { return resultFingerprint(r, p.printer.sum()) }

// Fingerprint returns the fingerprint of the key and the bars.
func (s Series) Fingerprint() Fingerprint {
	p := NewFingerprinter(s.key)
	p.Add(s)
	return p.Sum()
}

// Fingerprint returns the fingerprint of the symbol and the ticks.
func (t Ticks[T]) Fingerprint() Fingerprint {
	var tick T
	kind, numbers := TickQuotes, tickNumbers
	if _, isTrade := any(tick).(Trade); isTrade {
		kind, numbers = TickTrades, 2
	}
	p := newPrinter(string(t.symbol) + " " + string(kind))
	for i := t.from; i < t.to; i++ {
		p.reserve(2*8 + tickNumbers*16 + 1)
		p.integer(t.block.timeMicros[i])
		p.integer(t.block.seq[i])
		for n := range numbers {
			p.decimal(t.block.numbers[n].value(i, t.block.scales[n]))
		}
		p.buffer = append(p.buffer, uint8(t.block.side[i]))
	}

	return p.sum()
}

// Fingerprint returns the fingerprint of Range and the bars. Provenance and the other fields do not affect it.
func (r Result) Fingerprint() Fingerprint { return resultFingerprint(r.Range, r.Series.Fingerprint()) }

// Fingerprint returns the fingerprint of Range and the ticks.
func (r TickResult[T]) Fingerprint() Fingerprint {
	return resultFingerprint(r.Range, r.Ticks.Fingerprint())
}

func resultFingerprint(r Range, data Fingerprint) Fingerprint {
	start, end := r.Micros()
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 64), uint64(start))
	b = binary.LittleEndian.AppendUint64(b, uint64(end))
	return sha256.Sum256(append(b, data[:]...))
}

// printer is a buffered SHA-256.
type printer struct {
	hash   hash.Hash
	buffer []byte
}

const printerBytes = 4096

func newPrinter(name string) *printer {
	p := &printer{hash: sha256.New(), buffer: make([]byte, 0, printerBytes)}
	p.buffer = append(append(p.buffer, name...), '\n')
	return p
}

// reserve flushes the buffer unless it can take the number of bytes.
func (p *printer) reserve(bytes int) {
	if len(p.buffer)+bytes > printerBytes {
		_, _ = p.hash.Write(p.buffer) // a hash never fails
		p.buffer = p.buffer[:0]
	}
}

func (p *printer) integer(v int64) { p.buffer = binary.LittleEndian.AppendUint64(p.buffer, uint64(v)) }

func (p *printer) decimal(d Decimal) {
	d = d.withScale(MaxScale)
	p.buffer = binary.LittleEndian.AppendUint64(p.buffer, d.lo)
	p.integer(d.hi)
}

func (p *printer) sum() (f Fingerprint) {
	p.reserve(printerBytes)
	p.hash.Sum(f[:0])
	return f
}
