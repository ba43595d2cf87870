package production_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// The configuration comes from a file and the environment (MARKETDATA_POSTGRES_DSN, MARKETDATA_INFLUX_URL and
// MARKETDATA_INFLUX_TOKEN). The same call then reads minutes from InfluxDB and days from PostgreSQL.
func ExampleOpen() { //nolint:testableexamples // it needs servers, and so is compiled only
	cfg, err := wiring.Load("", nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	opts := production.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	md, closeAll, err := production.Open(ctx, cfg, opts)
	if err != nil {
		fmt.Println(err)
		return
	}

	defer closeAll()

	for _, grid := range []domain.Grid{domain.Minute1.UTC(), domain.Day1.UTC()} {
		result, err := md.Fetch(ctx, domain.DataRequest{
			Key:   domain.SeriesKey{Symbol: "COINBASE:BTC/USD", Grid: grid},
			Start: time.Date(2024, 3, 4, 0, 0, 0, 0, time.UTC),
		})
		if err != nil {
			fmt.Println(err)
			return
		}

		fmt.Println(result.Series)
	}
}
