package codec

import (
	"fmt"
	"math"

	"github.com/gal-friday/marketdata/domain"
)

// Join decodes the chunks, in order of time, into one Series of key. It refuses what Chunk.Series refuses. Bars go straight into
// place, and those of a chunk of a smaller scale are spelled anew there; only numbers of more than 64 bits take a slower way.
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
	for col := columnCount; col < planeCount; col++ {
		if c.sections[col].end != 0 {
			return false
		}
	}
	return true
}

// joinNarrow decodes chunks without high words into dst, at its scales; false where a number does not fit 64 bits at those.
func joinNarrow(dst *domain.Columns, bars int, chunks []Chunk) bool {
	dst.OpenMicros, dst.Trades = make([]int64, bars), make([]int64, bars)
	decimals := decimals(dst)
	for _, column := range decimals {
		column.Lo = make([]int64, bars)
	}
	at := 0
	for i := range chunks {
		c := &chunks[i]
		c.decodeBars(dst, at)
		end := at + c.Len()
		for f, column := range decimals {
			missing := dst.PriceScale - c.priceScale
			if domain.Field(f) == domain.FieldVolume {
				missing = dst.VolumeScale - c.volumeScale
			}
			if at < end && missing > 0 && !multiply(column.Lo[at:end], int64(powerOfTen(missing))) {
				return false
			}
		}

		at = end
	}

	return true
}

// multiply multiplies all values; false where a product does not fit.
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
