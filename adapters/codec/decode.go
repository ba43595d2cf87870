package codec

import "github.com/gal-friday/marketdata/domain"

// Series returns the bars as those of key. An error says that they are not: an open time off the key's grid, out of order, or
// twice, a negative trade count, a number that no Decimal is. A chunk that Append made of a Series of that key has none of these.
func (c Chunk) Series(key domain.SeriesKey) (domain.Series, error) {
	if c.Len() == 0 {
		return domain.EmptySeries(key), nil
	}
	return domain.NewSeriesFromColumns(key, c.Columns(domain.Columns{}))
}

// Columns decodes the bars by column. It overwrites and returns dst, whose memory it uses where that suffices. A column has high
// words where some value of the whole chunk needs more than 64 bits.
func (c Chunk) Columns(dst domain.Columns) domain.Columns {
	n := c.Len()
	dst.PriceScale, dst.VolumeScale = c.priceScale, c.volumeScale
	dst.OpenMicros, dst.Trades = resize(dst.OpenMicros, n), resize(dst.Trades, n)
	for f, column := range decimals(&dst) {
		column.Lo = resize(column.Lo, n)
		column.Hi = c.highWords(domain.Field(f), column.Hi)
	}

	c.decodeBars(&dst, 0)
	return dst
}

// Field decodes one column of decimals and says its scale, as domain.Columns.Field does. It overwrites and returns dst, whose
// memory it uses where that suffices.
func (c Chunk) Field(f domain.Field, dst domain.Column) (column domain.Column, scale uint8) {
	column.Lo = resize(dst.Lo, c.Len())
	c.decode(column.Lo, columnOfField(f))
	column.Hi = c.highWords(f, dst.Hi)
	if f == domain.FieldVolume {
		return column, c.volumeScale
	}

	return column, c.priceScale
}

// Times decodes the open times, in microseconds since 1970. It overwrites and returns dst, whose memory it uses where that
// suffices.
func (c Chunk) Times(dst []int64) []int64 {
	dst = resize(dst, c.Len())
	c.decode(dst, timeColumn)
	return dst
}

// Trades decodes the trade counts. It overwrites and returns dst, whose memory it uses where that suffices.
func (c Chunk) Trades(dst []int64) []int64 {
	dst = resize(dst, c.Len())
	c.decode(dst, tradesColumn)
	return dst
}

// decimals is the five columns of decimals by field.
func decimals(c *domain.Columns) [5]*domain.Column {
	return [...]*domain.Column{
		domain.FieldOpen: &c.Open, domain.FieldHigh: &c.High, domain.FieldLow: &c.Low, domain.FieldClose: &c.Close,
		domain.FieldVolume: &c.Volume,
	}
}

// highWords decodes a field's high words; nil where it has none.
func (c *Chunk) highWords(f domain.Field, dst []int64) []int64 {
	col := columnOfField(f) + highWords
	if c.sections[col].end == 0 {
		return nil
	}

	dst = resize(dst, c.Len())
	c.decode(dst, col)
	return dst
}

// resize is a slice of n words, never nil, in the memory of dst where it suffices.
func resize(dst []int64, n int) []int64 {
	if dst == nil || cap(dst) < n {
		return make([]int64, n)
	}
	return dst[:n]
}
