package codec

import "github.com/gal-friday/marketdata/domain"

// cursor reads the blocks of one column in order.
type cursor struct {
	b      []byte // the chunk
	anchor int    // where the next block's anchor, meta and values are
	meta   int
	values int
	zigzag bool
}

func (c *Chunk) cursor(col column, block int) cursor {
	s := &c.sections[col]
	r := cursor{b: c.b, zigzag: s.zigzag, anchor: s.start + 8*block, meta: s.start}
	if col.anchored() {
		r.meta += 8 * blocks(c.packed)
	}
	r.values = r.meta + 2*blocks(c.packed)
	for range block { // all blocks but the last are full
		r.values += meta(u16(r.b, r.meta)).size(blockBars / groupBars)
		r.meta += 2
	}

	return r
}

// next unpacks a block into w and leaves alone what is beyond its groups. Nothing in it can fail: indices are masked, and a load
// beyond the values reaches into the slack at the chunk's end.
func (r *cursor) next(w *words, groups int) {
	m := meta(u16(r.b, r.meta))
	r.meta += 2
	unpack(w, r.b[r.values:], m.width(), groups)
	r.values += groups * m.width()
	if exceptions := m.exceptions(); exceptions > 0 {
		width, high := m.width(), m.high()
		mask := ^uint64(0) >> (64 - 8*high)
		for range exceptions {
			i := r.b[r.values] % blockBars
			w[i] |= int64(u64(r.b, r.values+1) & mask << width)
			r.values += 1 + high
		}
	}

	if r.zigzag {
		for i, v := range w {
			w[i] = unzigzag(uint64(v))
		}
	}
}

// nextAnchor is the anchor of the block that next unpacks next.
func (r *cursor) nextAnchor() int64 {
	v := int64(u64(r.b, r.anchor))
	r.anchor += 8
	return v
}

// empty reports whether all values of the next block are 0.
func (r *cursor) empty() bool { return u16(r.b, r.meta) == 0 }

// decoder reads, block by block, one column and those that it builds on.
type decoder struct {
	column  column
	unit    int64
	packed  int
	block   int // the next one
	cursors [planeCount]cursor
	open    words // scratch
	close   words
}

// begin sets d, which is zero, before the given block. The caller holds d, so that it stays on the stack.
func (d *decoder) begin(c *Chunk, col column, block int) {
	d.column, d.unit, d.packed, d.block = col, int64(c.unit), c.packed, block
	d.cursors[col] = c.cursor(col, block)
	if col >= openColumn && col <= lowColumn {
		d.cursors[closeColumn] = c.cursor(closeColumn, block)
		d.cursors[openColumn] = c.cursor(openColumn, block)
	}
}

// decode fills dst with the column of c's first bars.
func (c *Chunk) decode(dst []int64, col column) {
	var d decoder
	d.begin(c, col, c.from/blockBars)
	skip := c.from % blockBars
	var scratch words
	for len(dst) > 0 {
		if skip == 0 && len(dst) >= blockBars {
			d.next((*words)(dst))
			dst = dst[blockBars:]
			continue
		}

		d.next(&scratch)
		dst = dst[copy(dst, scratch[skip:]):]
		skip = 0
	}
}

// next decodes the next block into w. What is in w beyond the chunk's last bar means nothing.
func (d *decoder) next(w *words) {
	n := groups(d.packed, d.block)
	d.block++
	switch d.column {
	case timeColumn:
		d.times(w, n)
	case closeColumn:
		d.closes(w, n)
	case openColumn:
		d.closes(&d.close, n)
		d.opens(w, &d.close, n)
	case highColumn:
		d.closes(&d.close, n)
		d.opens(&d.open, &d.close, n)
		d.highs(w, &d.open, &d.close, n)
	case lowColumn:
		d.closes(&d.close, n)
		d.opens(&d.open, &d.close, n)
		d.lows(w, &d.open, &d.close, n)
	default:
		d.cursors[d.column].next(w, n)
	}
}

func (d *decoder) times(w *words, groups int) {
	r := &d.cursors[timeColumn]
	t := r.nextAnchor()
	if r.empty() {
		r.meta += 2
		for i := range w {
			w[i] = t
			t += d.unit
		}

		return
	}

	r.next(w, groups)
	w[0] = t
	for i := 1; i < len(w); i++ {
		t += (w[i] + 1) * d.unit
		w[i] = t
	}
}

func (d *decoder) closes(w *words, groups int) {
	r := &d.cursors[closeColumn]
	price := r.nextAnchor()
	r.next(w, groups)
	w[0] = price
	for i := 1; i < len(w); i++ {
		price += unzigzag(uint64(w[i]))
		w[i] = price
	}
}

func (d *decoder) opens(w, closes *words, groups int) {
	d.cursors[openColumn].next(w, groups)
	before := closes[0]
	for i, v := range w {
		w[i] = before + unzigzag(uint64(v))
		before = closes[i]
	}
}

func (d *decoder) highs(w, opens, closes *words, groups int) {
	d.cursors[highColumn].next(w, groups)
	for i, v := range w {
		w[i] = max(opens[i], closes[i]) + v
	}
}

func (d *decoder) lows(w, opens, closes *words, groups int) {
	d.cursors[lowColumn].next(w, groups)
	for i, v := range w {
		w[i] = min(opens[i], closes[i]) - v
	}
}

// decodeBars fills the low words of dst from its bar at on with all of c.
func (c *Chunk) decodeBars(dst *domain.Columns, at int) {
	var d decoder
	d.unit, d.packed, d.block = int64(c.unit), c.packed, c.from/blockBars
	for col := range columnCount {
		d.cursors[col] = c.cursor(col, d.block)
	}
	skip := c.from % blockBars
	for end := at + c.Len(); at < end; {
		if skip == 0 && end-at >= blockBars {
			d.nextBars(&bars{
				(*words)(dst.OpenMicros[at:]), (*words)(dst.Open.Lo[at:]), (*words)(dst.High.Lo[at:]), (*words)(dst.Low.Lo[at:]),
				(*words)(dst.Close.Lo[at:]), (*words)(dst.Volume.Lo[at:]), (*words)(dst.Trades[at:]),
			})
			at += blockBars
			continue
		}

		at += d.partOfBars(dst, at, end, skip)
		skip = 0
	}
}

// bars is one block of all columns.
type bars struct {
	time, open, high, low, close, volume, trades *words
}

// nextBars decodes the next block of all columns.
func (d *decoder) nextBars(b *bars) {
	n := groups(d.packed, d.block)
	d.block++
	d.times(b.time, n)
	d.prices(b, n)
	d.cursors[volumeColumn].next(b.volume, n)
	d.cursors[tradesColumn].next(b.trades, n)
}

// prices is closes, opens, highs and lows in one pass: four would load opens and closes again and again.
func (d *decoder) prices(b *bars, groups int) {
	open, high, low, closes := b.open, b.high, b.low, b.close
	price := d.cursors[closeColumn].nextAnchor()
	d.cursors[closeColumn].next(closes, groups)
	d.cursors[openColumn].next(open, groups)
	d.cursors[highColumn].next(high, groups)
	d.cursors[lowColumn].next(low, groups)
	closes[0] = 0 // as the anchor says it
	for i := range closes {
		o := price + unzigzag(uint64(open[i]))
		price += unzigzag(uint64(closes[i]))
		open[i], closes[i] = o, price
		high[i] += max(o, price)
		low[i] = min(o, price) - low[i]
	}
}

// partOfBars decodes the next block without its first skip bars into dst[at:end] and returns how many bars that were.
func (d *decoder) partOfBars(dst *domain.Columns, at, end, skip int) int {
	var t, o, h, l, c, v, n words
	d.nextBars(&bars{&t, &o, &h, &l, &c, &v, &n})
	copy(dst.Open.Lo[at:end], o[skip:])
	copy(dst.High.Lo[at:end], h[skip:])
	copy(dst.Low.Lo[at:end], l[skip:])
	copy(dst.Close.Lo[at:end], c[skip:])
	copy(dst.Volume.Lo[at:end], v[skip:])
	copy(dst.Trades[at:end], n[skip:])

	return copy(dst.OpenMicros[at:end], t[skip:])
}
