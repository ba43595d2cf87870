package codec

import (
	"fmt"
	"sort"

	"github.com/gal-friday/marketdata/domain"
)

// Chunk is the bars of a packed Series, or a part of them: a view of the bytes given to Open, which nobody may change as long as
// it is used. It is cheap to copy and to slice, and safe to share.
type Chunk struct {
	b           []byte
	sections    [planeCount]section
	unit        uint64
	packed      int // bars in b
	from, to    int // the part of them that this is
	priceScale  uint8
	volumeScale uint8
}

// section is where a column lies in the chunk.
type section struct {
	start, end int // no bytes where the chunk has no such column
	zigzag     bool
}

// Open checks all of b, its checksum included, and returns its bars, not decoded yet. An error wraps ErrCorrupt or ErrVersion.
// Whatever Open accepts decodes without an error and within its bounds; that the bars are a Series of the holder's key is for
// Chunk.Series to say.
func Open(b []byte) (Chunk, error) {
	if len(b) < headerSize || string(b[:3]) != magic {
		return Chunk{}, corrupt("%d bytes do not begin as a chunk does", len(b))
	}
	if b[3] != Version {
		return Chunk{}, fmt.Errorf("open chunk: version %d, but this program reads up to %d: %w", b[3], Version, ErrVersion)
	}

	c := Chunk{b: b, packed: int(u16(b, 4)), unit: u64(b, 8)}
	c.to = c.packed
	columns := int(b[6])
	if len(b) < headerSize+columns*columnSize+slackSize+sumSize {
		return Chunk{}, corrupt("%d bytes end within the header", len(b))
	}

	body := len(b) - sumSize
	if sum := checksum(b[:body]); sum != u32(b, body) {
		return Chunk{}, corrupt("checksum is %08x, should be %08x", u32(b, body), sum)
	}
	if c.packed < 1 || c.packed > MaxBars || c.unit == 0 || b[7] != 0 || u64(b, body-slackSize) != 0 {
		return Chunk{}, corrupt("header of %d bars with unit %d", c.packed, c.unit)
	}

	end := headerSize + columns*columnSize
	next := column(0) // the known columns come in their order, each once
	for line := headerSize; line < headerSize+columns*columnSize; line += columnSize {
		start := end
		end = int(u32(b, line+4))
		if end < start || end > body-slackSize {
			return Chunk{}, corrupt("column %d ends at byte %d of %d", b[line], end, len(b))
		}

		if col, ok := columnOf(b[line]); ok {
			if col < next {
				return Chunk{}, corrupt("column %d is there twice or out of order", b[line])
			}

			next = col + 1
			if err := c.addSection(col, section{start: start, end: end}, b[line+1:line+4]); err != nil {
				return Chunk{}, err
			}
		}
	}
	if end != body-slackSize {
		return Chunk{}, corrupt("columns end at byte %d of %d", end, len(b))
	}

	for col := range columnCount {
		if c.sections[col].end == 0 {
			return Chunk{}, corrupt("column %d is missing", col.id())
		}
	}

	return c, nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("open chunk: %s: %w", fmt.Sprintf(format, args...), ErrCorrupt)
}

// addSection checks a column against its line in the header: flags, scale and a zero.
func (c *Chunk) addSection(col column, s section, line []byte) error {
	flags, scale := line[0], line[1]
	s.zigzag = flags == zigzagFlag
	if flags > zigzagFlag || s.zigzag && !col.mayZigzag() || line[2] != 0 {
		return corrupt("column %d has unknown flags", col.id())
	}

	known := &c.priceScale
	switch {
	case col == closeColumn:
		c.priceScale = scale
	case col == volumeColumn:
		c.volumeScale, known = scale, &c.volumeScale
	case col.isVolume():
		known = &c.volumeScale
	case !col.isPrice():
		known = new(uint8)
	}
	if scale != *known || scale > domain.MaxScale {
		return corrupt("column %d has scale %d", col.id(), scale)
	}

	metas := s.start
	if col.anchored() {
		metas += 8 * blocks(c.packed)
	}
	at := metas + 2*blocks(c.packed)
	if at > s.end {
		return corrupt("column %d is too short for its blocks", col.id())
	}

	for block := range blocks(c.packed) {
		m := meta(u16(c.b, metas+2*block))
		if !m.valid() {
			return corrupt("column %d block %d has width %d", col.id(), block, m.width())
		}

		at += m.size(groups(c.packed, block))
	}
	if at != s.end {
		return corrupt("column %d takes %d bytes, its blocks %d", col.id(), s.end-s.start, at-s.start)
	}

	c.sections[col] = s
	return nil
}

// Len is the number of bars.
func (c Chunk) Len() int { return c.to - c.from }

// Slice is bars from to to; it panics where they are not in order within [0, Len()].
func (c Chunk) Slice(from, to int) Chunk {
	if from < 0 || from > to || to > c.Len() {
		panic(fmt.Sprintf("codec: slice [%d:%d] of a chunk of %d", from, to, c.Len()))
	}

	c.from, c.to = c.from+from, c.from+to
	return c
}

// Clip is the bars whose open time is in r.
func (c Chunk) Clip(r domain.Range) Chunk {
	start, end := r.Micros()
	from := c.search(start)
	return c.Slice(from, max(from, c.search(end)))
}

// search is the index of the first bar at or after the time in microseconds. It decodes one block.
func (c *Chunk) search(micros int64) int {
	anchors := c.sections[timeColumn].start
	block := sort.Search(blocks(c.packed), func(b int) bool { return int64(u64(c.b, anchors+8*b)) >= micros })
	if block > 0 {
		block-- // the block before the first that begins at or after it
	}
	var w words
	var d decoder
	d.begin(c, timeColumn, block)
	d.next(&w)
	n := min(blockBars, c.packed-block*blockBars)
	i := block*blockBars + sort.Search(n, func(i int) bool { return w[i] >= micros })

	return max(c.from, min(i, c.to)) - c.from
}

// Bounds is the open times of the first and the last bar, in microseconds since 1970; 0 and 0 where there is no bar.
func (c Chunk) Bounds() (first, last int64) {
	if c.Len() == 0 {
		return 0, 0
	}

	times := c.Slice(0, 1).Times(nil)
	first = times[0]
	return first, c.Slice(c.Len()-1, c.Len()).Times(times)[0]
}
