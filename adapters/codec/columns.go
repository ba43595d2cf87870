package codec

import "github.com/gal-friday/marketdata/domain"

// Series returns the bars as a Series of key. It returns an error if they are not one: an open time is off the key's
// grid, out of order or repeated, a trade count is negative, or a number is not a valid Decimal. Append never writes
// such a chunk from a Series of that key.
func (c Chunk) Series(key domain.SeriesKey) (domain.Series, error) {
	if c.Len() == 0 {
		return domain.EmptySeries(key), nil
	}
	return domain.NewSeriesFromColumns(key, c.Columns(domain.Columns{}))
}

// Columns decodes all columns. It overwrites dst, reuses its memory where the capacity suffices, and returns it. A
// column has high words if any value of the whole chunk needs more than 64 bits.
func (c Chunk) Columns(dst domain.Columns) domain.Columns {
	n := c.Len()
	dst.PriceScale, dst.VolumeScale = c.priceScale, c.volumeScale
	dst.OpenMicros, dst.Trades = resize(dst.OpenMicros, n), resize(dst.Trades, n)
	for f, column := range decimalColumns(&dst) {
		column.Lo = resize(column.Lo, n)
		column.Hi = c.highWords(domain.Field(f), column.Hi)
	}

	c.decodeBars(&dst, 0)

	return dst
}

// Field decodes one decimal column and returns it with its scale, as domain.Columns.Field does. It overwrites dst and
// reuses its memory where the capacity suffices.
func (c Chunk) Field(f domain.Field, dst domain.Column) (column domain.Column, scale uint8) {
	column.Lo = resize(dst.Lo, c.Len())
	c.decodeColumn(column.Lo, columnOfField(f))
	column.Hi = c.highWords(f, dst.Hi)
	if f == domain.FieldVolume {
		return column, c.volumeScale
	}

	return column, c.priceScale
}

// Times decodes the open times, in microseconds since 1970. It overwrites dst, reuses its memory where the capacity
// suffices, and returns it.
func (c Chunk) Times(dst []int64) []int64 {
	dst = resize(dst, c.Len())
	c.decodeColumn(dst, timeColumn)
	return dst
}

// Trades decodes the trade counts. It overwrites dst, reuses its memory where the capacity suffices, and returns it.
func (c Chunk) Trades(dst []int64) []int64 {
	dst = resize(dst, c.Len())
	c.decodeColumn(dst, tradesColumn)
	return dst
}

// decimalColumns returns the five decimal columns, indexed by domain.Field.
func decimalColumns(c *domain.Columns) [5]*domain.Column {
	return [...]*domain.Column{
		domain.FieldOpen: &c.Open, domain.FieldHigh: &c.High, domain.FieldLow: &c.Low, domain.FieldClose: &c.Close,
		domain.FieldVolume: &c.Volume,
	}
}

// highWords decodes the high words of a field. It returns nil if the chunk does not contain them.
func (c *Chunk) highWords(f domain.Field, dst []int64) []int64 {
	col := columnOfField(f) + highWordsOffset
	if c.sections[col].end == 0 {
		return nil
	}

	dst = resize(dst, c.Len())
	c.decodeColumn(dst, col)

	return dst
}

// resize returns a slice of n words, never nil, in the memory of dst if its capacity suffices.
func resize(dst []int64, n int) []int64 {
	if dst == nil || cap(dst) < n {
		return make([]int64, n)
	}
	return dst[:n]
}
