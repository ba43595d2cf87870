package embedded_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
)

// Bars are stored in one SQLite file, and read back with the ranges that are not covered.
func ExampleOpen() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "marketdata")
	if err != nil {
		fmt.Println(err)
		return
	}

	defer os.RemoveAll(folder)

	// wiring.Load reads a file and the environment; a program may also set the fields.
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(folder, "bars.db")}}
	md, closeStore, err := embedded.Open(ctx, cfg, embedded.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer closeStore()

	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Day1.UTC()}
	day := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	bars, err := domain.NewSeries(key, domain.Bar{
		OpenTime: day,
		Open:     domain.MustDecimal("7424.91"), High: domain.MustDecimal("7430"), Low: domain.MustDecimal("6701.5"),
		Close: domain.MustDecimal("6815"), Volume: domain.MustDecimal("17643.00148"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	report, err := md.Ingest(ctx, bars, domain.Range{}, ports.ConflictReplace)
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Println(report.Inserted, "inserted")

	result, err := md.Fetch(ctx, domain.DataRequest{Key: key, Start: day, End: day.AddDate(0, 0, 2)})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, bar := range result.Series.All() {
		fmt.Println(bar)
	}
	fmt.Println("not covered:", result.Uncovered)
	// Output:
	// 1 inserted
	// 2018-04-04T00:00:00Z o=7424.91 h=7430 l=6701.5 c=6815 v=17643.00148
	// not covered: [[2018-04-05T00:00:00Z, 2018-04-06T00:00:00Z)]
}
