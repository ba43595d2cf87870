package checkpoint

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Encode returns the checkpoint as a page token carries it: the position, the start of the range, the hash of the
// uncovered ranges, and the series: for each the store, its grid or tick kind, its range, the version, three hashes,
// and the version of the block that is cut. Times are microseconds since 1970, integers little-endian with 64 bits,
// texts have their length before them in two bytes.
func (c *Checkpoint) Encode() domain.Checkpoint {
	start, _ := c.Range.Micros()
	b := appendIntegers(nil, uint64(domain.MicrosCeil(c.Range.End)), uint64(start), c.Uncovered)
	for _, s := range c.Series {
		rows := string(s.Ticks)
		if s.Ticks == "" {
			rows = s.Grid.String()
		}
		b = appendText(appendText(b, string(s.Store)), rows)
		start, end := s.Range.Micros()
		b = appendIntegers(b, uint64(start), uint64(end), uint64(s.Version.Revision), s.Version.Nonce,
			s.Coverage, s.Blocks, s.Last, uint64(s.Cut.Revision), s.Cut.Nonce)
	}

	return domain.Checkpoint(b)
}

func appendText(b []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint16(b, uint16(len(text))), text...)
}

func appendIntegers(b []byte, values ...uint64) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v)
	}

	return b
}

// Decode returns the checkpoint that Encode encoded, and nil for none. It returns an error that wraps domain.ErrInvalid
// for any other text.
func Decode(text domain.Checkpoint) (*Checkpoint, error) {
	if text == "" {
		return nil, nil
	}

	p := parser{rest: []byte(text)}
	end := p.time()
	c := &Checkpoint{Range: domain.Range{Start: p.time(), End: end}, Uncovered: p.integer()}
	for len(p.rest) > 0 && !p.failed {
		s := p.series()
		p.failed = p.failed || s.Range.End.After(end)
		c.Series = append(c.Series, s)
	}
	if _, err := domain.NewRange(c.Range.Start, c.Range.End); err != nil || p.failed {
		return nil, &domain.InvalidError{
			What: "checkpoint", Value: fmt.Sprintf("%.40x", string(text)),
			Reason: "not one of a result; give that of the page before",
		}
	}

	return c, nil
}

// parser takes values from the front of rest. Once one is missing or invalid it has failed, and takes zeros.
type parser struct {
	rest   []byte
	failed bool
}

func (p *parser) take(n int) []byte {
	if p.failed || n > len(p.rest) {
		p.failed = true
		return make([]byte, n)
	}

	b := p.rest[:n]
	p.rest = p.rest[n:]

	return b
}

func (p *parser) integer() uint64 { return binary.LittleEndian.Uint64(p.take(8)) }

func (p *parser) time() time.Time { return domain.Micros(p.integer()).Time() }

func (p *parser) text() string { return string(p.take(int(binary.LittleEndian.Uint16(p.take(2))))) }

func (p *parser) series() Series {
	s := Series{Store: domain.StoreName(p.text())}
	switch rows := p.text(); rows {
	case string(domain.TickTrades), string(domain.TickQuotes):
		s.Ticks = domain.TickKind(rows)
	default:
		var err error
		s.Grid, err = domain.ParseGrid(rows)
		p.failed = p.failed || err != nil || s.Grid.String() != rows
	}

	s.Range.Start, s.Range.End = p.time(), p.time()
	_, err := domain.NewRange(s.Range.Start, s.Range.End)
	p.failed = p.failed || err != nil || s.Range.Empty()
	s.Version = domain.Version{Revision: int64(p.integer()), Nonce: p.integer()}
	s.Coverage, s.Blocks, s.Last = p.integer(), p.integer(), p.integer()
	s.Cut = domain.Version{Revision: int64(p.integer()), Nonce: p.integer()}

	return s
}
