package codec

import (
	"encoding/binary"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// Append appends the bars of s as one chunk to dst. A Series without a bar or of more than MaxBars is refused with an error that
// wraps domain.ErrInvalid. Equal bars make equal chunks, whatever the scale at which the Series spells them.
func Append(dst []byte, s domain.Series) ([]byte, error) {
	n := s.Len()
	if n == 0 || n > MaxBars {
		return dst, fmt.Errorf("pack %s: a chunk holds 1 to %d bars: %w", s, MaxBars, domain.ErrInvalid)
	}

	e := newEncoder(s.Columns())
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, Version)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
	dst = append(dst, byte(len(e.columns)), 0)
	dst = binary.LittleEndian.AppendUint64(dst, e.unit)
	lines := len(dst)
	dst = append(dst, make([]byte, columnSize*len(e.columns))...)
	for i, c := range e.columns {
		var flags byte
		if e.zigzagged(c) {
			flags = zigzagFlag
		}
		dst = e.appendSection(dst, c, flags != 0)
		line := dst[lines+i*columnSize:]
		line[0], line[1], line[2] = c.id(), flags, e.scale(c)
		binary.LittleEndian.PutUint32(line[4:], uint32(len(dst)-start))
	}

	dst = append(dst, make([]byte, slackSize)...)
	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:])), nil
}

// encoder holds the words of the bars' columns before they are made small.
type encoder struct {
	columns     []column // those that the chunk gets, in order
	words       [planeCount][]int64
	priceScale  uint8
	volumeScale uint8
	unit        uint64
}

func newEncoder(c domain.Columns) *encoder {
	e := &encoder{unit: unitOf(c.OpenMicros)}
	prices := [...]domain.Column{c.Close, c.Open, c.High, c.Low}
	volume := [...]domain.Column{c.Volume}
	e.priceScale = Shrink(prices[:], c.PriceScale)
	e.volumeScale = Shrink(volume[:], c.VolumeScale)

	e.words[timeColumn], e.words[tradesColumn] = c.OpenMicros, c.Trades
	for i, p := range append(prices[:], volume[:]...) {
		at := closeColumn + column(i)
		e.words[at], e.words[at+highWords] = p.Lo, p.Hi
	}

	for at, words := range e.words {
		if words != nil {
			e.columns = append(e.columns, column(at))
		}
	}

	return e
}

func (e *encoder) scale(c column) uint8 {
	switch {
	case c.isPrice():
		return e.priceScale
	case c.isVolume():
		return e.volumeScale
	}
	return 0
}

// unitOf is the greatest common divisor of all steps, 1 where there is none.
func unitOf(times []int64) uint64 {
	var unit uint64
	for i := 1; i < len(times); i++ {
		step := uint64(times[i]) - uint64(times[i-1])
		if step == unit {
			continue
		}

		for step != 0 {
			unit, step = step, unit%step
		}
	}

	return max(unit, 1)
}

// zigzagged reports whether the column gets the zigzag flag.
func (e *encoder) zigzagged(c column) bool {
	if !c.mayZigzag() {
		return false
	}

	var w words
	for b := range blocks(len(e.words[c])) {
		e.transform(&w, c, b)
		for _, v := range w {
			if v < 0 {
				return true
			}
		}
	}

	return false
}

func (e *encoder) appendSection(dst []byte, c column, zigzags bool) []byte {
	all := e.words[c]
	n := len(all)
	if c.anchored() {
		for first := 0; first < n; first += blockBars {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(all[first]))
		}
	}

	metas := len(dst)
	dst = append(dst, make([]byte, 2*blocks(n))...)
	var w words
	for b := range blocks(n) {
		e.transform(&w, c, b)
		if zigzags {
			for i, v := range w {
				w[i] = int64(zigzag(v))
			}
		}

		var m meta
		dst, m = packBlock(dst, &w, groups(n, b))
		binary.LittleEndian.PutUint16(dst[metas+2*b:], uint16(m))
	}

	return dst
}

// transform makes the words of one block small: w is what the block's values are, zeros after the last.
func (e *encoder) transform(w *words, c column, block int) {
	from := block * blockBars
	to := min(from+blockBars, len(e.words[c]))
	x := e.words[c][from:to]
	clear(w[len(x):])
	open, closes := e.words[openColumn][from:to], e.words[closeColumn][from:to]
	switch c {
	case timeColumn:
		e.steps(w, x)
	case closeColumn:
		w[0] = 0
		for i := 1; i < len(x); i++ {
			w[i] = int64(zigzag(x[i] - x[i-1]))
		}
	case openColumn:
		before := closes[0]
		for i, v := range x {
			w[i] = int64(zigzag(v - before))
			before = closes[i]
		}
	case highColumn:
		for i, v := range x {
			w[i] = v - max(open[i], closes[i])
		}
	case lowColumn:
		for i, v := range x {
			w[i] = min(open[i], closes[i]) - v
		}
	default:
		copy(w[:], x)
	}
}

func (e *encoder) steps(w *words, times []int64) {
	w[0] = 0
	for i := 1; i < len(times); i++ {
		step := uint64(times[i]) - uint64(times[i-1])
		if step == e.unit {
			w[i] = 0
		} else {
			w[i] = int64(step/e.unit) - 1
		}
	}
}
