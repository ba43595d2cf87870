package file_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/domain"
)

func ExampleReadBars() {
	csv := `Open Time,Open,High,Low,Close,Volume
1522800000000,7424.91,7424.91,7422,7422,7.14319709
1522800060000,7420,7422,7405,7405,13.35069752
`
	key := domain.SeriesKey{Symbol: "COINBASE:BTC/USD", Grid: domain.Minute1.UTC()}
	cfg := file.Config{Key: key, Format: file.Format{Name: "btc.csv"}}
	for batch, err := range file.ReadBars(strings.NewReader(csv), cfg) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.Bars) // to store it: md.Ingest(ctx, batch.Bars, batch.Range)
	}
	// Output: COINBASE:BTC/USD 1m: 2 bars [2018-04-04T00:00:00Z, 2018-04-04T00:02:00Z)
}

func ExampleBarWriter() {
	key := domain.SeriesKey{Symbol: "ACME", Grid: domain.Day1.UTC()}
	one := domain.MustDecimal("1.50")
	bars, err := domain.NewSeries(key, domain.Bar{
		OpenTime: time.Date(2018, time.April, 4, 0, 0, 0, 0, time.UTC), Open: one, High: one, Low: one, Close: one,
		Volume: domain.MustDecimal("12"), Trades: 3,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	w := file.NewBarWriter(os.Stdout)
	if err := w.Write(bars); err != nil {
		fmt.Println(err)
	}
	if err := w.Flush(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// time,open,high,low,close,volume,trades
	// 2018-04-04T00:00:00Z,1.5,1.5,1.5,1.5,12,3
}

// The coverage of a file is in a file beside it. An empty minute is known to be empty then, and not unknown.
func ExampleCoverage() {
	csv := `time,open,high,low,close,volume
2018-04-04T00:00:00Z,7424.91,7424.91,7422,7422,7.14319709
`
	key := domain.SeriesKey{Symbol: "COINBASE:BTC/USD", Grid: domain.Minute1.UTC()}
	start := time.Date(2018, time.April, 4, 0, 0, 0, 0, time.UTC)
	ranges := []domain.Range{{Start: start, End: start.Add(5 * time.Minute)}}
	coverage, err := file.NewCoverage(strings.NewReader(csv), file.KindBars, key.String(), ranges)
	if err != nil {
		fmt.Println(err)
		return
	}

	var beside strings.Builder // or the file "btc.csv" + file.CoverageSuffix
	if err := coverage.Write(&beside); err != nil {
		fmt.Println(err)
		return
	}

	read, err := file.ReadCoverage(strings.NewReader(beside.String()))
	if err == nil {
		err = read.Verify(strings.NewReader(csv))
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	cfg := file.Config{Key: key, Format: file.Format{Name: "btc.csv", Coverage: read.Ranges}}
	for batch, err := range file.ReadBars(strings.NewReader(csv), cfg) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(batch.Bars.Len(), "bars in", batch.Range) // to store them: md.Ingest(ctx, batch.Bars, batch.Range)
	}
	// Output:
	// 1 bars in [2018-04-04T00:00:00Z, 2018-04-04T00:01:00Z)
	// 0 bars in [2018-04-04T00:01:00Z, 2018-04-04T00:05:00Z)
}

func ExampleReadTrades() {
	csv := `time,trade_id,side,price,size
2019-10-11T00:00:11.620Z,13519807,sell,0.00141342,23
2019-10-11T00:00:11.620Z,13519808,sell,0.00141266,54
`
	for batch, err := range file.ReadTrades(strings.NewReader(csv), file.TickConfig{Symbol: "XRP/ETH"}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, trade := range batch.Ticks.All() { // to store them: md.IngestTrades(ctx, batch.Ticks, batch.Range)
			fmt.Println(trade)
		}
	}
	// Output:
	// 2019-10-11T00:00:11.62Z #13519807 sell 23 @ 0.00141342
	// 2019-10-11T00:00:11.62Z #13519808 sell 54 @ 0.00141266
}
