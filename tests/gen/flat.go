package gen

import (
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// FlatBars returns n equal bars of the key in a row, from start on, which must be an edge of its grid.
func FlatBars(key domain.SeriesKey, start time.Time, n int) domain.Series {
	one := domain.MustDecimal("1")
	b := domain.NewSeriesBuilder(key, n)
	for range n {
		bar := domain.Bar{OpenTime: start, Open: one, High: one, Low: one, Close: one, Volume: one}
		if err := b.Append(bar); err != nil {
			panic(err) // only for a start between two edges
		}

		start = key.Grid.Next(start)
	}

	bars, err := b.Series()
	if err != nil {
		panic(err)
	}

	return bars
}
