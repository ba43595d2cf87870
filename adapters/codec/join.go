package codec

import (
	"fmt"
	"math"

	"github.com/gal-friday/marketdata/domain"
)

// Join decodes the chunks, which must be in order of time, into one Series of key. It returns the errors that
// Chunk.Series returns. Bars are decoded into place and converted there to the largest scale of the chunks, except if a
// number needs more than 64 bits: then Join takes a slower path.
func Join(key domain.SeriesKey, chunks ...Chunk) (domain.Series, error) {
	bars := 0
	narrow := true
	var columns domain.Columns
	for i := range chunks {
		c := &chunks[i]
		if c.Len() == 0 {
			continue
		}

		bars += c.Len()
		narrow = narrow && c.isNarrow()
		columns.PriceScale = max(columns.PriceScale, c.priceScale)
		columns.VolumeScale = max(columns.VolumeScale, c.volumeScale)
	}

	if bars == 0 {
		return domain.EmptySeries(key), nil
	}
	if narrow && joinNarrow(&columns, bars, chunks) {
		return domain.NewSeriesFromColumns(key, columns)
	}

	return joinWide(key, bars, chunks)
}

// isNarrow reports whether no column has high words.
func (c *Chunk) isNarrow() bool {
	for col := columnCount; col < maxColumnCount; col++ {
		if c.sections[col].end != 0 {
			return false
		}
	}

	return true
}

// joinNarrow decodes chunks without high words into dst and converts them to its scales. It returns false if a
// converted number does not fit 64 bits.
func joinNarrow(dst *domain.Columns, bars int, chunks []Chunk) bool {
	dst.OpenMicros, dst.Trades = make([]int64, bars), make([]int64, bars)
	decimals := decimalColumns(dst)
	for _, column := range decimals {
		column.Lo = make([]int64, bars)
	}

	offset := 0
	for i := range chunks {
		c := &chunks[i]
		c.decodeBars(dst, offset)
		end := offset + c.Len()
		for f, column := range decimals {
			missingDigits := dst.PriceScale - c.priceScale
			if domain.Field(f) == domain.FieldVolume {
				missingDigits = dst.VolumeScale - c.volumeScale
			}
			if offset < end && missingDigits > 0 && !multiply(column.Lo[offset:end], int64(powerOfTen(missingDigits))) {
				return false
			}
		}

		offset = end
	}

	return true
}

// multiply multiplies all values in place. It returns false if a product does not fit 64 bits.
func multiply(values []int64, factor int64) bool {
	limit := math.MaxInt64 / factor
	for i, v := range values {
		if v > limit || v < -limit {
			return false
		}
		values[i] = v * factor
	}

	return true
}

// joinWide copies the bars of each chunk, whatever the width of their numbers.
func joinWide(key domain.SeriesKey, bars int, chunks []Chunk) (domain.Series, error) {
	b := domain.NewSeriesBuilder(key, bars)
	for i := range chunks {
		s, err := chunks[i].Series(key)
		if err != nil {
			return domain.Series{}, err
		}
		if err := b.AppendSeries(s); err != nil {
			return domain.Series{}, fmt.Errorf("join chunk %d: %w", i, err)
		}
	}

	return b.Series()
}
