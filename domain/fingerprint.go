package domain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"slices"
)

// Fingerprint tells whether two answers say the same: equal data has equal fingerprints, whatever store it lies in and however its
// numbers are spelled, and unequal data has different ones. It stays the same from one version of this module to the next.
//
// It is the SHA-256 of the following, every integer little-endian and of 64 bits, unless said otherwise. Of a Series: the text of
// its key and a line feed; the number of bars; the open times in microseconds since 1970; open, high, low, close and volume; the
// trade counts. Of Ticks: the symbol, a blank, "trades" or "quotes" and a line feed; the number of ticks; times; sequence numbers;
// price and size, or bid, ask, bid size and ask size; one byte a side. A column of decimals is a byte for the scale, the fewest
// digits after the point that spell all its values; a byte for the width, 8, or 16 where some value needs it at that scale; and the
// values as two's complement numbers of that width. Of a Result: start and end of its range in microseconds since 1970, and the
// fingerprint of its data.
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

// Fingerprint is that of the key and the bars.
func (s Series) Fingerprint() Fingerprint {
	p := newPrinter(s.key.String(), s.Len())
	c := s.Columns()
	p.integers(c.Time)
	for f := range Field(fieldCount) {
		p.decimals(c.Field(f))
	}
	p.integers(c.Trades)
	return p.sum()
}

// Fingerprint is that of the symbol and the ticks.
func (t Ticks[T]) Fingerprint() Fingerprint {
	var tick T
	kind, numbers := TickQuotes, tickNumbers
	if _, isTrade := any(tick).(Trade); isTrade {
		kind, numbers = TickTrades, 2
	}
	p := newPrinter(string(t.symbol)+" "+string(kind), t.Len())
	if t.Len() == 0 {
		return p.sum()
	}
	p.integers(t.block.time[t.from:t.to])
	p.integers(t.block.seq[t.from:t.to])
	for n := range numbers {
		p.decimals(t.block.numbers[n].slice(t.from, t.to), t.block.scales[n])
	}
	for _, side := range t.block.side[t.from:t.to] {
		p.byte(uint8(side))
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

func newPrinter(name string, count int) *printer {
	p := &printer{hash: sha256.New(), buffer: make([]byte, 0, printerRoom)}
	p.buffer = append(append(p.buffer, name...), '\n')
	p.integer(uint64(count))
	return p
}

func (p *printer) room(bytes int) {
	if len(p.buffer)+bytes > printerRoom {
		_, _ = p.hash.Write(p.buffer) // a hash never fails
		p.buffer = p.buffer[:0]
	}
}

func (p *printer) byte(b byte) {
	p.room(1)
	p.buffer = append(p.buffer, b)
}

func (p *printer) integer(v uint64) {
	p.room(8)
	p.buffer = binary.LittleEndian.AppendUint64(p.buffer, v)
}

func (p *printer) integers(values []int64) {
	for run := range slices.Chunk(values, printerRoom/8) {
		p.room(8 * len(run))
		for _, v := range run {
			p.buffer = binary.LittleEndian.AppendUint64(p.buffer, uint64(v))
		}
	}
}

func (p *printer) decimals(c Column, scale uint8) {
	c, scale = c.canonical(scale)
	p.byte(scale)
	if c.Hi == nil {
		p.byte(8)
		p.integers(c.Lo)
		return
	}
	p.byte(16)
	for i, lo := range c.Lo {
		p.integer(uint64(lo))
		p.integer(uint64(c.Hi[i]))
	}
}

func (p *printer) sum() (f Fingerprint) {
	_, _ = p.hash.Write(p.buffer)
	p.hash.Sum(f[:0])
	return f
}

// canonical is the column at the smallest scale that spells its values, with high words only where one is needed. Columns of equal
// values have one canonical form. c is not changed.
func (c Column) canonical(scale uint8) (Column, uint8) {
	if c.Hi != nil {
		return c.canonicalWide(scale)
	}
	spare := scale // digits that no value uses
	for i := 0; i < len(c.Lo) && spare > 0; i++ {
		for c.Lo[i]%int64(pow10[spare]) != 0 {
			spare--
		}
	}
	if spare == 0 {
		return c, scale
	}
	less := make([]int64, len(c.Lo))
	for i, v := range c.Lo {
		less[i] = v / int64(pow10[spare])
	}
	return Column{Lo: less}, scale - spare
}

func (c Column) canonicalWide(scale uint8) (Column, uint8) {
	var needed uint8
	for i := range c.Lo {
		needed = max(needed, c.at(i, scale).reduced().scale)
	}
	made := Column{Lo: make([]int64, 0, len(c.Lo))}
	for i := range c.Lo {
		made.append(c.at(i, scale).reduced().at(needed))
	}
	return made, needed
}
