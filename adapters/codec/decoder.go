package codec

import "github.com/gal-friday/marketdata/domain"

// cursor unpacks the groups of one column in order.
type cursor struct {
	b      []byte // the chunk
	anchor int    // offsets in b of the next group's anchor, meta and values
	meta   int
	values int
	zigzag bool
}

// cursor returns a cursor before the given group of a column.
func (c *Chunk) cursor(col column, group int) cursor {
	s := &c.sections[col]
	r := cursor{b: c.b, zigzag: s.zigzag, anchor: s.start + 8*group, meta: s.start}
	if col.hasAnchors() {
		r.meta += 8 * groupCount(c.packedBars)
	}
	r.values = r.meta + 2*groupCount(c.packedBars)
	for range group { // all groups but the last are full
		r.values += meta(u16(r.b, r.meta)).size(groupBars / octetValues)
		r.meta += 2
	}

	return r
}

// next unpacks a group into w and does not change words beyond its octets. It cannot fail, because indices are masked
// and a load beyond the values ends within the padding of the chunk.
func (r *cursor) next(w *words, octets int) {
	m := meta(u16(r.b, r.meta))
	r.meta += 2
	unpack(w, r.b[r.values:], m.width(), octets)
	r.values += octets * m.width()
	if exceptions := m.exceptions(); exceptions > 0 {
		width, highBytes := m.width(), m.highBytes()
		mask := ^uint64(0) >> (64 - 8*highBytes)
		for range exceptions {
			i := r.b[r.values] % groupBars
			w[i] |= int64(u64(r.b, r.values+1) & mask << width)
			r.values += 1 + highBytes
		}
	}

	if r.zigzag {
		for i, v := range w {
			w[i] = unzigzag(uint64(v))
		}
	}
}

// nextAnchor returns the anchor of the group that next unpacks next.
func (r *cursor) nextAnchor() int64 {
	v := int64(u64(r.b, r.anchor))
	r.anchor += 8
	return v
}

// nextIsZero reports whether all values of the next group are 0.
func (r *cursor) nextIsZero() bool { return u16(r.b, r.meta) == 0 }

// decoder decodes one column, group by group, together with the columns that its values refer to.
type decoder struct {
	column     column
	unit       int64
	packedBars int
	group      int // the next one
	cursors    [maxColumnCount]cursor
	open       words // scratch
	close      words
}

// seek initializes d, which must be zero, before the given group. The caller allocates d, so that it stays on the
// stack.
func (d *decoder) seek(c *Chunk, col column, group int) {
	d.column, d.unit, d.packedBars, d.group = col, int64(c.unit), c.packedBars, group
	d.cursors[col] = c.cursor(col, group)
	if col >= openColumn && col <= lowColumn {
		d.cursors[closeColumn] = c.cursor(closeColumn, group)
		d.cursors[openColumn] = c.cursor(openColumn, group)
	}
}

// decodeColumn fills dst with the values of c's first bars.
func (c *Chunk) decodeColumn(dst []int64, col column) {
	var d decoder
	d.seek(c, col, c.from/groupBars)
	skip := c.from % groupBars
	var scratch words
	for len(dst) > 0 {
		if skip == 0 && len(dst) >= groupBars {
			d.next((*words)(dst))
			dst = dst[groupBars:]
			continue
		}

		d.next(&scratch)
		dst = dst[copy(dst, scratch[skip:]):]
		skip = 0
	}
}

// next decodes the next group into w. Words beyond the last bar of the chunk are undefined.
func (d *decoder) next(w *words) {
	n := octetCount(d.packedBars, d.group)
	d.group++
	switch d.column {
	case timeColumn:
		d.decodeTimes(w, n)
	case closeColumn:
		d.decodeCloses(w, n)
	case openColumn:
		d.decodeCloses(&d.close, n)
		d.decodeOpens(w, &d.close, n)
	case highColumn:
		d.decodeCloses(&d.close, n)
		d.decodeOpens(&d.open, &d.close, n)
		d.decodeHighs(w, &d.open, &d.close, n)
	case lowColumn:
		d.decodeCloses(&d.close, n)
		d.decodeOpens(&d.open, &d.close, n)
		d.decodeLows(w, &d.open, &d.close, n)
	default:
		d.cursors[d.column].next(w, n)
	}
}

func (d *decoder) decodeTimes(w *words, octets int) {
	r := &d.cursors[timeColumn]
	t := r.nextAnchor()
	if r.nextIsZero() { // every step is one unit
		r.meta += 2
		for i := range w {
			w[i] = t
			t += d.unit
		}

		return
	}

	r.next(w, octets)
	w[0] = t
	for i := 1; i < len(w); i++ {
		t += (w[i] + 1) * d.unit
		w[i] = t
	}
}

func (d *decoder) decodeCloses(w *words, octets int) {
	r := &d.cursors[closeColumn]
	price := r.nextAnchor()
	r.next(w, octets)
	w[0] = price
	for i := 1; i < len(w); i++ {
		price += unzigzag(uint64(w[i]))
		w[i] = price
	}
}

func (d *decoder) decodeOpens(w, closes *words, octets int) {
	d.cursors[openColumn].next(w, octets)
	previous := closes[0]
	for i, v := range w {
		w[i] = previous + unzigzag(uint64(v))
		previous = closes[i]
	}
}

func (d *decoder) decodeHighs(w, opens, closes *words, octets int) {
	d.cursors[highColumn].next(w, octets)
	for i, v := range w {
		w[i] = max(opens[i], closes[i]) + v
	}
}

func (d *decoder) decodeLows(w, opens, closes *words, octets int) {
	d.cursors[lowColumn].next(w, octets)
	for i, v := range w {
		w[i] = min(opens[i], closes[i]) - v
	}
}

// decodeBars fills the low words of dst with all bars of c, beginning at dst's bar offset.
func (c *Chunk) decodeBars(dst *domain.Columns, offset int) {
	var d decoder
	d.unit, d.packedBars, d.group = int64(c.unit), c.packedBars, c.from/groupBars
	for col := range columnCount {
		d.cursors[col] = c.cursor(col, d.group)
	}
	skip := c.from % groupBars
	for end := offset + c.Len(); offset < end; {
		if skip == 0 && end-offset >= groupBars {
			d.nextGroup(&groupColumns{
				time: (*words)(dst.OpenMicros[offset:]), open: (*words)(dst.Open.Lo[offset:]),
				high: (*words)(dst.High.Lo[offset:]), low: (*words)(dst.Low.Lo[offset:]),
				close: (*words)(dst.Close.Lo[offset:]), volume: (*words)(dst.Volume.Lo[offset:]),
				trades: (*words)(dst.Trades[offset:]),
			})
			offset += groupBars

			continue
		}

		offset += d.copyGroup(dst, offset, end, skip)
		skip = 0
	}
}

// groupColumns is the destination of one group of all columns.
type groupColumns struct {
	time, open, high, low, close, volume, trades *words
}

// nextGroup decodes the next group of all columns.
func (d *decoder) nextGroup(g *groupColumns) {
	n := octetCount(d.packedBars, d.group)
	d.group++
	d.decodeTimes(g.time, n)
	d.decodePrices(g, n)
	d.cursors[volumeColumn].next(g.volume, n)
	d.cursors[tradesColumn].next(g.trades, n)
}

// decodePrices decodes closes, opens, highs and lows in one pass, because four passes would load opens and closes
// repeatedly.
func (d *decoder) decodePrices(g *groupColumns, octets int) {
	open, high, low, closes := g.open, g.high, g.low, g.close
	price := d.cursors[closeColumn].nextAnchor()
	d.cursors[closeColumn].next(closes, octets)
	d.cursors[openColumn].next(open, octets)
	d.cursors[highColumn].next(high, octets)
	d.cursors[lowColumn].next(low, octets)
	closes[0] = 0 // the first close is the anchor
	for i := range closes {
		o := price + unzigzag(uint64(open[i]))
		price += unzigzag(uint64(closes[i]))
		open[i], closes[i] = o, price
		high[i] += max(o, price)
		low[i] = min(o, price) - low[i]
	}
}

// copyGroup decodes the next group, copies it without its first skip bars into dst[offset:end], and returns the number
// of bars copied.
func (d *decoder) copyGroup(dst *domain.Columns, offset, end, skip int) int {
	var t, o, h, l, c, v, n words
	d.nextGroup(&groupColumns{time: &t, open: &o, high: &h, low: &l, close: &c, volume: &v, trades: &n})
	copy(dst.Open.Lo[offset:end], o[skip:])
	copy(dst.High.Lo[offset:end], h[skip:])
	copy(dst.Low.Lo[offset:end], l[skip:])
	copy(dst.Close.Lo[offset:end], c[skip:])
	copy(dst.Volume.Lo[offset:end], v[skip:])
	copy(dst.Trades[offset:end], n[skip:])

	return copy(dst.OpenMicros[offset:end], t[skip:])
}
