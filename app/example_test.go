package app_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
)

// Two stores share the frequencies at one hour: who asks does not see it, but in the provenance.
func ExampleNew() {
	ctx := context.Background()
	noon := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	low, high := memory.New(), memory.New()
	md, err := app.New([]app.Source{
		{Name: "low", Bars: low, Catalog: low, Takes: app.Frequencies{From: domain.Hour1}},
		{Name: "high", Bars: high, Catalog: high, Takes: app.Frequencies{Below: domain.Hour1}},
	}, clock.NewSimulated(noon), nil, app.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	price := domain.MustDecimal("67000.5")
	for _, f := range []domain.Frequency{domain.Minute1, domain.Day1} {
		k := domain.SeriesKey{Symbol: "BTC/USD", Grid: f.UTC()}
		bars, err := domain.NewSeries(k, domain.Bar{
			OpenTime: k.Grid.Floor(noon.AddDate(0, 0, -1)), Open: price, High: price, Low: price, Close: price, Volume: domain.MustDecimal("2"),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := md.Ingest(ctx, bars, domain.Range{}); err != nil {
			fmt.Println(err)
			return
		}
		result, err := md.Fetch(ctx, domain.DataRequest{Key: k, Last: 1})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.Series, "from", result.Provenance[0].Store)
	}
	fmt.Println(md.ValidateSymbol(ctx, "KRAKEN:BTC/USD"))
	d, err := md.Describe(ctx, "BTC/USD")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Base, "traded", d.Statistics.Volume, "up to", d.Statistics.MaxPrice)
	health, err := md.Diagnose(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(health.State(), len(health.Stores), "stores")
	// Output:
	// BTC/USD 1m: 1 bar [2024-03-03T12:00:00Z, 2024-03-03T12:01:00Z) from high
	// BTC/USD 1d: 1 bar [2024-03-03T00:00:00Z, 2024-03-04T00:00:00Z) from low
	// validate symbol KRAKEN:BTC/USD: not found: symbol "KRAKEN:BTC/USD" is not known; did you mean BTC/USD?
	// BTC traded 2 up to 67000.5
	// healthy 2 stores
}
