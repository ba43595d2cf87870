package codec

import (
	"fmt"
	"sort"

	"github.com/gal-friday/marketdata/domain"
)

// Chunk is the bars of a packed Series, or a contiguous part of them. It is a view of the bytes given to Open, which
// must not change while the Chunk is in use. A Chunk is cheap to copy and to slice, and safe for concurrent use.
type Chunk struct {
	b           []byte
	sections    [maxColumnCount]section
	unit        uint64
	packedBars  int // bars in b
	from, to    int // the part of them that this Chunk contains
	priceScale  uint8
	volumeScale uint8
}

// section is the position of a column in the chunk.
type section struct {
	start, end int // end is 0 if the chunk does not contain the column
	zigzag     bool
}

// Open verifies all of b, including its checksum, and returns the bars without decoding them. An error wraps ErrCorrupt
// or ErrVersion. INVARIANT: a chunk that Open accepts decodes without an error and without access outside b. Open does
// not know the key of the series, so Chunk.Series verifies that the bars are on its grid and in order.
func Open(b []byte) (Chunk, error) {
	c := Chunk{b: b}
	if err := c.readHeader(); err != nil {
		return Chunk{}, err
	}
	if err := c.readDirectory(); err != nil {
		return Chunk{}, err
	}

	for col := range columnCount {
		if c.sections[col].end == 0 {
			return Chunk{}, corrupt("column %d is missing", col.id())
		}
	}

	return c, nil
}

// readHeader verifies the header and the checksum.
func (c *Chunk) readHeader() error {
	b := c.b
	if len(b) < headerSize || string(b[:3]) != magic {
		return corrupt("%d bytes without the header of a chunk", len(b))
	}
	if b[3] != Version {
		return fmt.Errorf("open chunk: version %d, but this program reads versions up to %d: %w",
			b[3], Version, ErrVersion)
	}
	if len(b) < c.directoryEnd()+paddingSize+checksumSize {
		return corrupt("%d bytes end within the column directory", len(b))
	}

	body := len(b) - checksumSize
	if sum := checksum(b[:body]); sum != u32(b, body) {
		return corrupt("checksum is %08x, want %08x", u32(b, body), sum)
	}

	c.packedBars, c.unit = int(u16(b, 4)), u64(b, 8)
	c.to = c.packedBars
	if c.packedBars < 1 || c.packedBars > MaxBars || c.unit == 0 || b[7] != 0 || u64(b, body-paddingSize) != 0 {
		return corrupt("header of %d bars with unit %d", c.packedBars, c.unit)
	}

	return nil
}

// directoryEnd returns the offset of the first section.
func (c *Chunk) directoryEnd() int { return headerSize + int(c.b[6])*directorySize }

// readDirectory verifies the sections of all known columns, which must be in order and must not repeat.
func (c *Chunk) readDirectory() error {
	sectionsEnd := len(c.b) - checksumSize - paddingSize
	end := c.directoryEnd()
	next := column(0)
	for entry := headerSize; entry < c.directoryEnd(); entry += directorySize {
		start := end
		end = int(u32(c.b, entry+4))
		if end < start || end > sectionsEnd {
			return corrupt("column %d ends at byte %d of %d", c.b[entry], end, len(c.b))
		}

		col, ok := columnFromID(c.b[entry])
		if !ok {
			continue
		}
		if col < next {
			return corrupt("column %d is repeated or out of order", c.b[entry])
		}

		next = col + 1
		if err := c.addSection(col, section{start: start, end: end}, c.b[entry+1:entry+4]); err != nil {
			return err
		}
	}

	if end != sectionsEnd {
		return corrupt("columns end at byte %d of %d", end, len(c.b))
	}

	return nil
}

func corrupt(format string, args ...any) error {
	return fmt.Errorf("open chunk: %s: %w", fmt.Sprintf(format, args...), ErrCorrupt)
}

// addSection verifies a section against its directory entry, which consists of flags, scale and a zero, and adds it to
// c.
func (c *Chunk) addSection(col column, s section, entry []byte) error {
	flags, scale := entry[0], entry[1]
	s.zigzag = flags == zigzagFlag
	if flags > zigzagFlag || s.zigzag && !col.mayZigzag() || entry[2] != 0 {
		return corrupt("column %d has unknown flags", col.id())
	}
	if scale > domain.MaxScale || !c.acceptScale(col, scale) {
		return corrupt("column %d has scale %d", col.id(), scale)
	}
	if err := c.verifyGroups(col, s); err != nil {
		return err
	}

	c.sections[col] = s

	return nil
}

// acceptScale reports whether the column may have the scale. Close, the first price, sets the scale of all prices, and
// volume that of its high words.
func (c *Chunk) acceptScale(col column, scale uint8) bool {
	switch {
	case col == closeColumn:
		c.priceScale = scale
		return true
	case col == volumeColumn:
		c.volumeScale = scale
		return true
	case col.isPrice():
		return scale == c.priceScale
	case col.isVolume():
		return scale == c.volumeScale
	}

	return scale == 0
}

// verifyGroups verifies that the groups of a section are well formed and fill the section exactly.
func (c *Chunk) verifyGroups(col column, s section) error {
	groups := groupCount(c.packedBars)
	metas := s.start
	if col.hasAnchors() {
		metas += 8 * groups
	}
	end := metas + 2*groups
	if end > s.end {
		return corrupt("column %d is too short for its groups", col.id())
	}

	for group := range groups {
		m := meta(u16(c.b, metas+2*group))
		if !m.isValid() {
			return corrupt("column %d group %d has width %d", col.id(), group, m.width())
		}

		end += m.size(octetCount(c.packedBars, group))
	}

	if end != s.end {
		return corrupt("column %d has %d bytes, but its groups have %d", col.id(), s.end-s.start, end-s.start)
	}

	return nil
}

// Len returns the number of bars.
func (c Chunk) Len() int { return c.to - c.from }

// Slice returns the bars [from, to). It panics unless 0 <= from <= to <= Len().
func (c Chunk) Slice(from, to int) Chunk {
	if from < 0 || from > to || to > c.Len() {
		panic(fmt.Sprintf("codec: slice [%d:%d] of a chunk of %d bars", from, to, c.Len()))
	}

	c.from, c.to = c.from+from, c.from+to

	return c
}

// Clip returns the bars whose open time is in r.
func (c Chunk) Clip(r domain.Range) Chunk {
	start, end := r.Micros()
	from := c.searchTime(start)
	return c.Slice(from, max(from, c.searchTime(end)))
}

// searchTime returns the index of the first bar that opens at or after t. It decodes one group.
func (c *Chunk) searchTime(t domain.Micros) int {
	groups := groupCount(c.packedBars)
	anchors := c.sections[timeColumn].start
	group := sort.Search(groups, func(g int) bool { return domain.Micros(u64(c.b, anchors+8*g)) >= t })
	if group > 0 {
		group-- // the bar is in this group or is the first of the next, because the next begins at or after the time
	}

	var w words
	var d decoder
	d.seek(c, timeColumn, group)
	d.next(&w)
	n := min(groupBars, c.packedBars-group*groupBars)
	i := group*groupBars + sort.Search(n, func(i int) bool { return w[i] >= int64(t) })

	return max(c.from, min(i, c.to)) - c.from
}

// Bounds returns the open times of the first and the last bar, or 0 and 0 if there are no bars.
func (c Chunk) Bounds() (first, last domain.Micros) {
	if c.Len() == 0 {
		return 0, 0
	}

	times := c.Slice(0, 1).Times(nil)
	first = domain.Micros(times[0])

	return first, domain.Micros(c.Slice(c.Len()-1, c.Len()).Times(times)[0])
}
