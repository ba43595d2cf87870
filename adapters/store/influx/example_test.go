package influx_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// It is compiled and not run, because it needs a server.
func ExampleOpen() { //nolint:testableexamples // it needs a server
	ctx := context.Background()
	store, closeStore, err := influx.Open(ctx, influx.Config{
		URL:   "http://127.0.0.1:8086",
		Token: secret.New("marketdata:secret"), // user:password on 1.8, a token on 2.x
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer closeStore()
	q := ports.BarQuery{
		Key: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()},
		Range: domain.Range{
			Start: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC),
			End:   time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC),
		},
	}
	for bars, err := range store.ReadBars(ctx, q).Rows() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(bars.Len())
	}
}
