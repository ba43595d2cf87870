package replay_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/replay"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

// A strategy sees each bar when it closes. A request over the same clock returns what was known at that instant.
func ExampleNew() {
	ctx := context.Background()
	nine := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	b := domain.NewSeriesBuilder(key, 0)
	for i, text := range []string{"67000", "67010", "67005"} {
		price := domain.MustDecimal(text)
		if err := b.Append(domain.Bar{
			OpenTime: nine.Add(time.Duration(i) * time.Minute),
			Open:     price, High: price, Low: price, Close: price, Volume: domain.MustDecimal("1"),
		}); err != nil {
			fmt.Println(err)
			return
		}
	}

	history, err := b.Series()
	if err != nil {
		fmt.Println(err)
		return
	}

	store, simulated := memory.New(), clock.NewSimulated(nine)
	if _, err := ports.WriteBars(ctx, store, history, history.Range(), ports.ConflictReplace); err != nil {
		fmt.Println(err)
		return
	}

	md, err := backtest.New(store, simulated, app.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	play, err := replay.New(store, simulated, []domain.SeriesKey{key}, history.Range(), replay.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}

	for event, err := range play.Events(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}

		known, err := md.Fetch(ctx, domain.DataRequest{Key: key})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(event.At.Format(time.TimeOnly), event.Bar.Close, "known bars:", known.Series.Len())
	}
	// Output:
	// 09:01:00 67000 known bars: 1
	// 09:02:00 67010 known bars: 2
	// 09:03:00 67005 known bars: 3
}
