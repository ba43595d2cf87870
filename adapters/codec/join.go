package codec

import (
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// Join decodes the chunks, in order of time, into one Series of key. It refuses what Chunk.Series refuses. Chunks that spell their
// numbers alike, as those of one market mostly do, are decoded straight into place; others are copied once more.
func Join(key domain.SeriesKey, chunks ...Chunk) (domain.Series, error) {
	bars := 0
	alike := true
	for i := range chunks {
		bars += chunks[i].Len()
		alike = alike && chunks[i].spellsAs(&chunks[0])
	}
	if !alike {
		return joinRespelled(key, bars, chunks)
	}
	if bars == 0 {
		return domain.EmptySeries(key), nil
	}
	c := domain.Columns{
		Time: make([]int64, bars), Trades: make([]int64, bars),
		PriceScale: chunks[0].priceScale, VolumeScale: chunks[0].volumeScale,
	}
	for _, column := range decimals(&c) {
		column.Lo = make([]int64, bars)
	}
	at := 0
	for i := range chunks {
		chunks[i].decodeBars(&c, at)
		at += chunks[i].Len()
	}
	return domain.NewSeriesFromColumns(key, c)
}

// spellsAs reports whether both have the same scales and no column of more than 64 bits.
func (c *Chunk) spellsAs(o *Chunk) bool {
	if c.priceScale != o.priceScale || c.volumeScale != o.volumeScale {
		return false
	}
	for col := columnCount; col < planeCount; col++ {
		if c.sections[col].end != 0 || o.sections[col].end != 0 {
			return false
		}
	}
	return true
}

func joinRespelled(key domain.SeriesKey, bars int, chunks []Chunk) (domain.Series, error) {
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
