package backtest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

// A strategy sees a bar once the clock that the backtest drives has passed its end.
func ExampleNew() {
	ctx := context.Background()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	store, history, err := storeOf(ctx, key, "67000.5", "67120")
	if err != nil {
		fmt.Println(err)
		return
	}

	simulated := clock.NewSimulated(history.Start)
	md, err := backtest.New(store, simulated, app.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	for range 3 {
		result, err := md.Fetch(ctx, domain.DataRequest{Key: key, Last: 10})
		if err != nil {
			fmt.Println(err)
			return
		}

		fmt.Println(simulated.Now().Format(time.TimeOnly), result.Series)
		if err := simulated.Advance(time.Hour); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// 09:00:00 BTC/USD 1h: no bars
	// 10:00:00 BTC/USD 1h: 1 bar [2024-03-04T09:00:00Z, 2024-03-04T10:00:00Z)
	// 11:00:00 BTC/USD 1h: 2 bars [2024-03-04T09:00:00Z, 2024-03-04T11:00:00Z)
}

// storeOf returns a store with an hourly bar of each price, and their range.
func storeOf(ctx context.Context, key domain.SeriesKey, prices ...string) (*memory.Store, domain.Range, error) {
	bars := domain.NewSeriesBuilder(key, len(prices))
	for i, price := range prices {
		p := domain.MustDecimal(price)
		open := time.Date(2024, 3, 4, 9+i, 0, 0, 0, time.UTC)
		bar := domain.Bar{OpenTime: open, Open: p, High: p, Low: p, Close: p, Volume: domain.MustDecimal("1")}
		if err := bars.Append(bar); err != nil {
			return nil, domain.Range{}, err
		}
	}

	history, err := bars.Series()
	if err != nil {
		return nil, domain.Range{}, err
	}

	store := memory.New()
	_, err = ports.WriteBars(ctx, store, history, history.Range(), ports.ConflictReplace)

	return store, history.Range(), err
}
