package record_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/record"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

// A correction of the history shows in the report of the next run.
func Example() {
	ctx := context.Background()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	nine := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	store := memory.New()
	run := func(price string) (record.Report, error) {
		p := domain.MustDecimal(price)
		bar, err := domain.NewSeries(key, domain.Bar{OpenTime: nine, Open: p, High: p, Low: p, Close: p, Volume: p})
		if err != nil {
			return record.Report{}, err
		}
		if _, err := ports.WriteBars(ctx, store, bar, bar.Range(), ports.ConflictReplace); err != nil {
			return record.Report{}, err
		}

		md, err := backtest.New(store, clock.NewSimulated(nine.Add(time.Hour)), app.Config{})
		if err != nil {
			return record.Report{}, err
		}

		market := record.New(md)
		_, err = market.Fetch(ctx, domain.DataRequest{Key: key, Last: 1})

		return market.Report(), err
	}

	earlier, err := run("67000")
	if err != nil {
		fmt.Println(err)
		return
	}

	later, err := run("67100")
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, change := range later.Diff(earlier) {
		fmt.Println(change.Change, change.Request, change.Fields[0].Name)
	}
	// Output: changed bars BTC/USD 1h [first bar, now) last 1, quality fail fingerprint
}
