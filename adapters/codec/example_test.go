package codec_test

import (
	"fmt"
	"log"
	"time"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
)

func Example() {
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	openTime := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	b := domain.NewSeriesBuilder(key, 1000)
	for i := range int64(1000) {
		price, err := domain.NewDecimal(742_491+i%7, 2)
		if err != nil {
			log.Fatal(err)
		}

		bar := domain.Bar{
			OpenTime: openTime, Open: price, High: price, Low: price, Close: price, Volume: domain.MustDecimal("1.5"),
		}
		if err := b.Append(bar); err != nil {
			log.Fatal(err)
		}

		openTime = openTime.Add(time.Minute)
	}

	series, err := b.Series()
	if err != nil {
		log.Fatal(err)
	}

	packed, err := codec.Append(nil, series)
	if err != nil {
		log.Fatal(err)
	}

	chunk, err := codec.Open(packed) // verifies the whole chunk
	if err != nil {
		log.Fatal(err)
	}

	part, err := chunk.Slice(500, 502).Series(key) // decodes one group of 128 bars
	if err != nil {
		log.Fatal(err)
	}

	closes, scale := chunk.Field(domain.FieldClose, domain.Column{}) // decodes one column

	fmt.Println(chunk.Len(), "bars,", len(packed) < 3000)
	fmt.Println(part)
	fmt.Println(closes.Lo[:3], "scale", scale)
	// Output:
	// 1000 bars, true
	// BTC/USD 1m: 2 bars [2018-04-04T08:20:00Z, 2018-04-04T08:22:00Z)
	// [742491 742492 742493] scale 2
}
