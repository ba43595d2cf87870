package parquet_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/file/parquet"
	"github.com/gal-friday/marketdata/domain"
)

func Example() {
	key := domain.SeriesKey{Symbol: "COINBASE:BTC/USD", Grid: domain.Minute1.UTC()}
	price := domain.MustDecimal("7424.91")
	bars, err := domain.NewSeries(key, domain.Bar{
		OpenTime: time.Date(2018, time.April, 4, 0, 0, 0, 0, time.UTC),
		Open:     price, High: price, Low: price, Close: price,
		Volume: domain.MustDecimal("7.14"), Trades: 3,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	var content bytes.Buffer // or a file
	w, err := parquet.NewBarWriter(&content, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Until 00:05 nothing else traded. Without coverage, use Write.
	covered := domain.Range{Start: bars.OpenTime(0), End: bars.OpenTime(0).Add(5 * time.Minute)}
	if err := w.WriteCovered(bars, covered); err != nil {
		fmt.Println(err)
		return
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return
	}

	r := bytes.NewReader(content.Bytes())
	for batch, err := range parquet.ReadBars(r, r.Size(), parquet.Config{Name: "bars.parquet"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if batch.Bars.Len() > 0 {
			fmt.Println(batch.Bars.At(0))
		}
		fmt.Println("covered:", batch.Range) // to store it: md.Ingest(ctx, batch.Bars, batch.Range)
	}
	// Output:
	// 2018-04-04T00:00:00Z o=7424.91 h=7424.91 l=7424.91 c=7424.91 v=7.14 n=3
	// covered: [2018-04-04T00:00:00Z, 2018-04-04T00:01:00Z)
	// covered: [2018-04-04T00:01:00Z, 2018-04-04T00:05:00Z)
}
