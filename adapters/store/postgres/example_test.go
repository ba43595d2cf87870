package postgres_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Open a database, apply the migrations, and read the last five hourly bars before an instant. The example needs a server
// and is compiled only.
// It is compiled and not run, because it needs a server.
func ExampleOpen() { //nolint:testableexamples // it needs a server
	ctx := context.Background()
	store, closeStore, err := postgres.Open(ctx, postgres.Config{
		DSN:           secret.New("postgres://reader@localhost/marketdata?sslmode=verify-full"),
		MigrateOnOpen: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer closeStore()
	end := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	q := ports.BarQuery{
		Key:   domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()},
		Range: domain.Range{Start: end.AddDate(0, 0, -7), End: end},
		Last:  5,
	}
	for bars, err := range store.ReadBars(ctx, q).Rows() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(bars)
	}
}
