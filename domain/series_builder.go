package domain

import (
	"fmt"
)

// SeriesBuilder makes a Series bar by bar or piece by piece. It is for one goroutine. After a refusal it holds what it
// held.
type SeriesBuilder struct {
	key     SeriesKey
	columns Columns
	keyErr  error
}

// NewSeriesBuilder returns an empty builder with room for capacity bars. A key that is not valid is reported by every
// method.
func NewSeriesBuilder(key SeriesKey, capacity int) *SeriesBuilder {
	b := &SeriesBuilder{key: key, keyErr: key.Validate()}
	block := make([]int64, (fieldCount+2)*capacity) // one for all columns: the allocator rounds up once
	cut := func() []int64 {
		column := block[:0:capacity]
		block = block[capacity:]
		return column
	}
	b.columns.OpenMicros, b.columns.Trades = cut(), cut()
	for f := range Field(fieldCount) {
		b.columns.column(f).Lo = cut()
	}

	return b
}

// Len is how many bars were appended.
func (b *SeriesBuilder) Len() int { return len(b.columns.OpenMicros) }

// Append adds the next bar and refuses, with a *RuleError, one that is not after the last, off the grid, finer than a
// microsecond, or of a negative trade count.
func (b *SeriesBuilder) Append(bar Bar) error {
	if b.keyErr != nil {
		return b.keyErr
	}

	t := MicrosFloor(bar.OpenTime)
	if !t.Time().Equal(bar.OpenTime) || !b.key.Grid.Aligned(bar.OpenTime) {
		return gridError(b.key, bar.OpenTime.UTC())
	}
	if err := b.checkAfterLast(t); err != nil {
		return err
	}
	if bar.Trades < 0 {
		return negativeTrades(b.key, t)
	}

	c := &b.columns
	values := [fieldCount]Decimal{bar.Open, bar.High, bar.Low, bar.Close, bar.Volume}
	price, volume := c.PriceScale, c.VolumeScale
	for f := range values {
		scale := &price
		if Field(f) == FieldVolume {
			scale = &volume
		}
		if values[f].scale > *scale { // a spelling with trailing zeros needs no wider column
			values[f] = values[f].reduced()
			*scale = max(*scale, values[f].scale)
		}
	}

	b.raiseScales(price, volume)
	c.OpenMicros = append(c.OpenMicros, int64(t))
	for f, d := range values {
		_, scale := c.Field(Field(f))
		c.column(Field(f)).append(d.at(scale))
	}

	c.Trades = append(c.Trades, bar.Trades)
	return nil
}

// AppendSeries adds all bars of the next piece, which must be of the same key and begin after the last bar.
func (b *SeriesBuilder) AppendSeries(s Series) error {
	if b.keyErr != nil {
		return b.keyErr
	}
	if s.Len() == 0 {
		return nil
	}
	if s.key != b.key {
		return fmt.Errorf("a piece of %s for a series of %s: %w", s.key, b.key, ErrInvalid)
	}

	o := s.block
	if err := b.checkAfterLast(Micros(o.OpenMicros[s.from])); err != nil {
		return err
	}

	c := &b.columns
	b.raiseScales(o.PriceScale, o.VolumeScale)
	c.OpenMicros = append(c.OpenMicros, o.OpenMicros[s.from:s.to]...)
	for f := range Field(fieldCount) {
		column, scale := o.Field(f)
		_, target := c.Field(f)
		c.column(f).appendColumn(column, s.from, s.to, scale, target)
	}

	c.Trades = append(c.Trades, o.Trades[s.from:s.to]...)
	return nil
}

// checkAfterLast refuses a bar that does not open after the last one.
func (b *SeriesBuilder) checkAfterLast(t Micros) error {
	n := len(b.columns.OpenMicros)
	if n == 0 {
		return nil
	}
	if last := Micros(b.columns.OpenMicros[n-1]); t <= last {
		return orderError(b.key, last, t)
	}

	return nil
}

func (b *SeriesBuilder) raiseScales(price, volume uint8) {
	c := &b.columns
	if price > c.PriceScale {
		for f := range FieldVolume {
			c.column(f).rescale(c.PriceScale, price)
		}
		c.PriceScale = price
	}

	if volume > c.VolumeScale {
		c.Volume.rescale(c.VolumeScale, volume)
		c.VolumeScale = volume
	}
}

// Series returns the bars and leaves the builder empty, ready for the next piece of the same key.
func (b *SeriesBuilder) Series() (Series, error) {
	if b.keyErr != nil {
		return Series{}, b.keyErr
	}

	c := b.columns
	b.columns = Columns{}
	if len(c.OpenMicros) == 0 {
		return EmptySeries(b.key), nil
	}

	return Series{key: b.key, block: &c, to: len(c.OpenMicros)}, nil
}
