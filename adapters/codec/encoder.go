package codec

import (
	"encoding/binary"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// Append packs the bars of s and appends the chunk to dst. A Series without bars or with more than MaxBars is rejected
// with an error that wraps domain.ErrInvalid. Equal bars produce equal chunks, whatever the scales of the Series.
func Append(dst []byte, s domain.Series) ([]byte, error) {
	n := s.Len()
	if n == 0 || n > MaxBars {
		return dst, fmt.Errorf("pack %s: a chunk must contain 1 to %d bars: %w", s, MaxBars, domain.ErrInvalid)
	}

	e := newEncoder(s.Columns())
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, Version)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(n))
	dst = append(dst, byte(len(e.columns)), 0)
	dst = binary.LittleEndian.AppendUint64(dst, e.unit)

	directory := len(dst)
	dst = append(dst, make([]byte, directorySize*len(e.columns))...)
	for i, c := range e.columns {
		var flags byte
		if e.needsZigzag(c) {
			flags = zigzagFlag
		}
		dst = e.appendSection(dst, c, flags != 0)

		entry := dst[directory+i*directorySize:]
		entry[0], entry[1], entry[2] = c.id(), flags, e.scale(c)
		binary.LittleEndian.PutUint32(entry[4:], uint32(len(dst)-start))
	}

	dst = append(dst, make([]byte, paddingSize)...)

	return binary.LittleEndian.AppendUint32(dst, checksum(dst[start:])), nil
}

// encoder packs the columns of one chunk.
type encoder struct {
	columns     []column // the columns of the chunk, in order
	words       [maxColumnCount][]int64
	priceScale  uint8
	volumeScale uint8
	unit        uint64
}

func newEncoder(c domain.Columns) *encoder {
	e := &encoder{unit: stepDivisor(c.OpenMicros)}
	prices := [...]domain.Column{c.Close, c.Open, c.High, c.Low}
	volume := [...]domain.Column{c.Volume}
	e.priceScale = Shrink(prices[:], c.PriceScale)
	e.volumeScale = Shrink(volume[:], c.VolumeScale)

	e.words[timeColumn], e.words[tradesColumn] = c.OpenMicros, c.Trades
	for i, d := range append(prices[:], volume[:]...) {
		col := closeColumn + column(i)
		e.words[col], e.words[col+highWordsOffset] = d.Lo, d.Hi
	}

	for col, words := range e.words {
		if words != nil {
			e.columns = append(e.columns, column(col))
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

// stepDivisor returns the greatest common divisor of all steps between the times, or 1 if there are no steps.
func stepDivisor(times []int64) uint64 {
	var divisor uint64
	for i := 1; i < len(times); i++ {
		step := uint64(times[i]) - uint64(times[i-1])
		if step == divisor {
			continue
		}

		for step != 0 {
			divisor, step = step, divisor%step
		}
	}

	return max(divisor, 1)
}

// needsZigzag reports whether the column gets the zigzag flag, because one of its values is negative.
func (e *encoder) needsZigzag(c column) bool {
	if !c.mayZigzag() {
		return false
	}

	var w words
	for group := range groupCount(len(e.words[c])) {
		e.reduce(&w, c, group)
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
	if c.hasAnchors() {
		for first := 0; first < n; first += groupBars {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(all[first]))
		}
	}

	metas := len(dst)
	dst = append(dst, make([]byte, 2*groupCount(n))...)
	var w words
	for group := range groupCount(n) {
		e.reduce(&w, c, group)
		if zigzags {
			for i, v := range w {
				w[i] = int64(zigzag(v))
			}
		}

		var m meta
		dst, m = packGroup(dst, &w, octetCount(n, group))
		binary.LittleEndian.PutUint16(dst[metas+2*group:], uint16(m))
	}

	return dst
}

// reduce sets w to the values of one group, as the package comment lists them for each column, and to zeros beyond the
// last.
func (e *encoder) reduce(w *words, c column, group int) {
	from := group * groupBars
	to := min(from+groupBars, len(e.words[c]))
	x := e.words[c][from:to]
	clear(w[len(x):])
	open, closes := e.words[openColumn][from:to], e.words[closeColumn][from:to]
	switch c {
	case timeColumn:
		e.reduceTimes(w, x)
	case closeColumn:
		w[0] = 0
		for i := 1; i < len(x); i++ {
			w[i] = int64(zigzag(x[i] - x[i-1]))
		}
	case openColumn:
		previous := closes[0]
		for i, v := range x {
			w[i] = int64(zigzag(v - previous))
			previous = closes[i]
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

func (e *encoder) reduceTimes(w *words, times []int64) {
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
