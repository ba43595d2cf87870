package domain

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Column is one decimal a bar, all at one scale kept beside it: value i is Lo[i] / 10^scale. Where some value needs
// more than 64 bits, Hi is not nil, and value i is the 128-bit two's complement number Hi[i]<<64 | uint64(Lo[i]), over
// 10^scale.
type Column struct {
	Lo []int64
	Hi []int64
}

// Columns is the content of a Series by column, every column of the same length. Time is the open time in microseconds
// since 1970-01-01 UTC. The four prices share PriceScale. Trades is the trade count, 0 where unknown.
type Columns struct {
	OpenMicros             []int64
	Open, High, Low, Close Column
	Volume                 Column
	Trades                 []int64
	PriceScale             uint8
	VolumeScale            uint8
}

// Field names a column of decimals.
type Field uint8

// The fields of a bar that are decimals.
const (
	FieldOpen Field = iota
	FieldHigh
	FieldLow
	FieldClose
	FieldVolume

	fieldCount = 5
)

var fieldNames = [fieldCount]string{"open", "high", "low", "close", "volume"}

// String is the field's name: open, high, low, close, volume.
func (f Field) String() string {
	if f < fieldCount {
		return fieldNames[f]
	}
	return "field " + strconv.Itoa(int(f))
}

// Field returns the column named and its scale.
func (c *Columns) Field(f Field) (column Column, scale uint8) {
	p := c.column(f)
	if f == FieldVolume {
		return *p, c.VolumeScale
	}

	return *p, c.PriceScale
}

func (c *Columns) column(f Field) *Column {
	return [fieldCount]*Column{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume}[f]
}

// read sets b to bar i: in place, since a Bar is large and a loop over millions should copy it once.
func (c *Columns) read(i int, b *Bar) {
	b.OpenTime = Micros(c.OpenMicros[i]).Time()
	b.Open = c.Open.at(i, c.PriceScale)
	b.High = c.High.at(i, c.PriceScale)
	b.Low = c.Low.at(i, c.PriceScale)
	b.Close = c.Close.at(i, c.PriceScale)
	b.Volume = c.Volume.at(i, c.VolumeScale)
	b.Trades = c.Trades[i]
}

// at is value i as a Decimal.
func (c *Column) at(i int, scale uint8) Decimal {
	lo := c.Lo[i]
	if c.Hi == nil {
		return narrow(lo, scale)
	}

	return Decimal{hi: c.Hi[i], lo: uint64(lo), scale: scale}
}

// append adds d, which the column's scale can spell.
func (c *Column) append(d Decimal) {
	if c.Hi == nil && !d.isNarrow() {
		c.widen()
	}
	c.Lo = append(c.Lo, int64(d.lo))
	if c.Hi != nil {
		c.Hi = append(c.Hi, d.hi)
	}
}

// widen gives the column its high words.
func (c *Column) widen() {
	c.Hi = make([]int64, len(c.Lo), cap(c.Lo))
	for i, lo := range c.Lo {
		c.Hi[i] = lo >> 63
	}
}

// rescale spells every value with more digits after the point.
func (c *Column) rescale(from, to uint8) {
	factor := int64(pow10[to-from])
	if c.Hi == nil {
		limit := math.MaxInt64 / factor
		for i, v := range c.Lo {
			if v > limit || v < -limit {
				for j := range i { // undo, and take the wide way
					c.Lo[j] /= factor
				}
				c.widen()
				break
			}
			c.Lo[i] = v * factor
		}
		if c.Hi == nil {
			return
		}
	}

	for i := range c.Lo {
		d := Decimal{hi: c.Hi[i], lo: uint64(c.Lo[i]), scale: from}.at(to)
		c.Hi[i], c.Lo[i] = d.hi, int64(d.lo)
	}
}

// appendColumn adds the values [from, to) of o, spelled with extra more digits after the point.
func (c *Column) appendColumn(o Column, from, to int, scale, target uint8) {
	start := len(c.Lo)
	if c.Hi == nil && o.Hi != nil {
		c.widen()
	}
	c.Lo = append(c.Lo, o.Lo[from:to]...)
	if c.Hi != nil {
		if o.Hi != nil {
			c.Hi = append(c.Hi, o.Hi[from:to]...)
		} else {
			for _, lo := range o.Lo[from:to] {
				c.Hi = append(c.Hi, lo>>63)
			}
		}
	}
	if scale == target {
		return
	}

	tail := Column{Lo: c.Lo[start:]}
	if c.Hi != nil {
		tail.Hi = c.Hi[start:]
	}
	tail.rescale(scale, target)
	if tail.Hi != nil && c.Hi == nil {
		c.widen()
		copy(c.Hi[start:], tail.Hi)
	}
}

// magnitudes refuses a wide value of more than 20 digits before the point, which no Decimal holds.
func (c *Column) magnitudes(scale uint8) error {
	if c.Hi == nil {
		return nil
	}

	limitHi, limitLo := wideLimit(scale)
	for i := range c.Lo {
		d := Decimal{hi: c.Hi[i], lo: uint64(c.Lo[i])}
		if hi, lo := d.magnitude(); hi > limitHi || hi == limitHi && lo >= limitLo {
			return fmt.Errorf("value %d: more than %d digits before the point: %w: %w", i, MaxIntegerDigits, ErrOverflow, ErrInvalid)
		}
	}

	return nil
}

func (c Column) slice(from, to int) Column {
	s := Column{Lo: slices.Clip(c.Lo[from:to])}
	if c.Hi != nil {
		s.Hi = slices.Clip(c.Hi[from:to])
	}
	return s
}

// slice is a view of bars from to to.
func (c *Columns) slice(from, to int) Columns {
	return Columns{
		OpenMicros:  slices.Clip(c.OpenMicros[from:to]),
		Open:        c.Open.slice(from, to),
		High:        c.High.slice(from, to),
		Low:         c.Low.slice(from, to),
		Close:       c.Close.slice(from, to),
		Volume:      c.Volume.slice(from, to),
		Trades:      slices.Clip(c.Trades[from:to]),
		PriceScale:  c.PriceScale,
		VolumeScale: c.VolumeScale,
	}
}
