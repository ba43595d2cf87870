package domain

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Column holds one decimal field of many bars as integers. The scale, which is stored beside the column, is the number
// of digits after the point: value i is Lo[i] / 10^scale. If some value needs more than 64 bits, Hi has the same length
// as Lo, and value i is the 128-bit two's complement number Hi[i]<<64 | uint64(Lo[i]) over 10^scale. Otherwise Hi is
// nil.
type Column struct {
	Lo []int64
	Hi []int64
}

// Columns holds the bars of a Series by column. All columns have the same length. OpenMicros are the open times as
// Micros. The four prices share PriceScale, the volume has VolumeScale. Trades are the trade counts, under the rules of
// Bar.Trades.
type Columns struct {
	OpenMicros             []int64
	Open, High, Low, Close Column
	Volume                 Column
	Trades                 []int64
	PriceScale             uint8
	VolumeScale            uint8
}

// Field identifies a decimal field of a bar.
type Field uint8

// The decimal fields of a bar.
const (
	FieldOpen Field = iota
	FieldHigh
	FieldLow
	FieldClose
	FieldVolume

	fieldCount = 5
)

var fieldNames = [fieldCount]string{"open", "high", "low", "close", "volume"}

// String returns the name of the field: open, high, low, close or volume.
func (f Field) String() string {
	if f < fieldCount {
		return fieldNames[f]
	}
	return "field " + strconv.Itoa(int(f))
}

// Field returns the column of the field and its scale. It panics if f is none of the constants.
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

// HasTradeCount reports whether the number of trades of bar i is known.
func (c *Columns) HasTradeCount(i int) bool {
	return !hasUnknownTrades(c.Trades[i], c.Volume.value(i, c.VolumeScale).IsZero())
}

// fill sets b to bar i. It works in place because a Bar is large, and a loop over millions of bars should copy each
// only once.
func (c *Columns) fill(i int, b *Bar) {
	b.OpenTime = Micros(c.OpenMicros[i]).Time()
	b.Open = c.Open.value(i, c.PriceScale)
	b.High = c.High.value(i, c.PriceScale)
	b.Low = c.Low.value(i, c.PriceScale)
	b.Close = c.Close.value(i, c.PriceScale)
	b.Volume = c.Volume.value(i, c.VolumeScale)
	b.Trades = c.Trades[i]
}

// isNarrow reports whether all numbers fit 64 bits.
func isNarrow(c *Columns) bool {
	for f := range Field(fieldCount) {
		if c.column(f).Hi != nil {
			return false
		}
	}

	return true
}

// value returns value i as a Decimal.
func (c *Column) value(i int, scale uint8) Decimal {
	lo := c.Lo[i]
	if c.Hi == nil {
		return fromInt64(lo, scale)
	}

	return Decimal{hi: c.Hi[i], lo: uint64(lo), scale: scale}
}

// append adds d, whose scale must be that of the column.
func (c *Column) append(d Decimal) {
	if c.Hi == nil && !d.isNarrow() {
		c.widen()
	}
	c.Lo = append(c.Lo, int64(d.lo))
	if c.Hi != nil {
		c.Hi = append(c.Hi, d.hi)
	}
}

// widen adds the high words of all values.
func (c *Column) widen() {
	c.Hi = make([]int64, len(c.Lo), cap(c.Lo))
	for i, lo := range c.Lo {
		c.Hi[i] = lo >> 63
	}
}

// rescale converts all values from one scale to a larger one.
func (c *Column) rescale(from, to uint8) {
	factor := int64(pow10[to-from])
	if c.Hi == nil {
		limit := math.MaxInt64 / factor
		for i, v := range c.Lo {
			if v > limit || v < -limit {
				for j := range i { // undo, and continue with 128 bits
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
		d := Decimal{hi: c.Hi[i], lo: uint64(c.Lo[i]), scale: from}.withScale(to)
		c.Hi[i], c.Lo[i] = d.hi, int64(d.lo)
	}
}

// appendColumn adds the values [from, to) of o, converted from its scale to the scale target of c, which must not be
// smaller.
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

// checkMagnitudes returns an error that wraps ErrOverflow and ErrInvalid if a value has more than 20 digits before the
// point, because no Decimal can hold it.
func (c *Column) checkMagnitudes(scale uint8) error {
	if c.Hi == nil {
		return nil
	}

	limitHi, limitLo := wideLimit(scale)
	for i := range c.Lo {
		d := Decimal{hi: c.Hi[i], lo: uint64(c.Lo[i])}
		if !d.isBelow(limitHi, limitLo) {
			return fmt.Errorf("value %d: more than %d digits before the point: %w: %w",
				i, MaxIntegerDigits, ErrOverflow, ErrInvalid)
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

// slice returns a view of the bars [from, to).
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
