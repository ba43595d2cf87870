package domain

import (
	"fmt"
)

// SeriesBuilder builds a Series from bars or pieces. A method that returns an error does not change the builder. A
// SeriesBuilder is for one goroutine.
type SeriesBuilder struct {
	key     SeriesKey
	columns Columns
	keyErr  error
}

// NewSeriesBuilder returns an empty builder with memory for capacity bars. If the key is invalid, every method that
// returns an error returns the error of the key.
func NewSeriesBuilder(key SeriesKey, capacity int) *SeriesBuilder {
	b := &SeriesBuilder{key: key, keyErr: key.Validate()}
	block := make([]int64, (fieldCount+2)*capacity) // one allocation for all columns, because the allocator rounds each up
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

// Len returns the number of bars that were appended since the last call of Series.
func (b *SeriesBuilder) Len() int { return len(b.columns.OpenMicros) }

// Append adds the next bar. It returns a *RuleError if the bar is not after the last one, its open time is not on the
// grid or not in the years 1 to 9999, or its trade count is negative.
func (b *SeriesBuilder) Append(bar Bar) error {
	if b.keyErr != nil {
		return b.keyErr
	}

	t := MicrosFloor(bar.OpenTime)
	if !t.Time().Equal(bar.OpenTime) || !b.key.Grid.Aligned(bar.OpenTime) {
		return gridError(b.key, bar.OpenTime.UTC())
	}
	if !isWithinYears(t) {
		return yearError(b.key, t)
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
		if values[f].scale > *scale { // trailing zeros must not increase the scale of the column
			values[f] = values[f].trimZeros()
			*scale = max(*scale, values[f].scale)
		}
	}

	b.raiseScales(price, volume)
	c.OpenMicros = append(c.OpenMicros, int64(t))
	for f, d := range values {
		_, scale := c.Field(Field(f))
		c.column(Field(f)).append(d.withScale(scale))
	}

	c.Trades = append(c.Trades, bar.Trades)

	return nil
}

// AppendSeries adds the bars of the next piece. It returns an error that wraps ErrInvalid if the key of the piece
// differs, and a *RuleError if the piece does not begin after the last bar.
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

// checkAfterLast returns a *RuleError if t is not after the open time of the last bar.
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

// raiseScales converts the columns to the scales if these are larger.
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

// Series returns the bars. The builder is empty afterwards and may be used for the next piece of the same key.
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
