package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func ExampleOpen() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer func() { _ = os.RemoveAll(folder) }()
	store, closeStore, err := sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(folder, "market.db")})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer closeStore()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	start := time.Date(2018, time.April, 4, 0, 0, 0, 0, time.UTC)
	price := domain.MustDecimal("7424.91")
	bars, err := domain.NewSeries(key, domain.Bar{
		OpenTime: start, Open: price, High: price, Low: price, Close: price,
		Volume: domain.MustDecimal("7.14"), Trades: 3,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	covered := domain.Range{Start: start, End: start.AddDate(0, 0, 1)}
	report, err := ports.WriteBars(ctx, store, bars, covered, ports.ConflictReplace)
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println("inserted:", report.Inserted)
	for part, err := range store.ReadBars(ctx, ports.BarQuery{Key: key, Range: covered}).Rows() {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(part)
	}
	// Output:
	// inserted: 1
	// BTC/USD 1h: 1 bar [2018-04-04T00:00:00Z, 2018-04-04T01:00:00Z)
}
