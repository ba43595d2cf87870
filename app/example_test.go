package app_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Two stores share the frequencies at one hour: who asks does not see it, but in the provenance.
func ExampleNew() {
	ctx := context.Background()
	noon := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	low, high := memory.New(), memory.New()
	md, err := app.New([]app.Source{
		{Name: "low", Bars: low, Catalog: low, Takes: domain.FrequencyRange{From: domain.Hour1}},
		{Name: "high", Bars: high, Catalog: high, Takes: domain.FrequencyRange{Below: domain.Hour1}},
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
		if _, err := md.Ingest(ctx, bars, domain.Range{}, ports.ConflictReplace); err != nil {
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
	// validate symbol KRAKEN:BTC/USD: symbol "KRAKEN:BTC/USD" not found; did you mean BTC/USD?
	// BTC traded 2 up to 67000.5
	// healthy 2 stores
}

// minutes is an application whose store holds an hour of one-minute bars, of which every tenth did not trade.
func minutes(ctx context.Context) (*app.Service, domain.SeriesKey, error) {
	noon := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	store := memory.New()
	k := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	b := domain.NewSeriesBuilder(k, 0)
	price := domain.MustDecimal("67000.5")
	for m := range 60 {
		bar := domain.Bar{
			OpenTime: noon.Add(time.Duration(m) * time.Minute), Open: price, High: price, Low: price, Close: price, Volume: domain.MustDecimal("2"),
		}
		if m%10 == 9 {
			continue
		}
		if err := b.Append(bar); err != nil {
			return nil, k, err
		}
	}

	bars, err := b.Series()
	if err != nil {
		return nil, k, err
	}
	if _, err := ports.WriteBars(ctx, store, bars, domain.Range{Start: noon, End: noon.Add(time.Hour)}, ports.ConflictReplace); err != nil {
		return nil, k, err
	}

	md, err := app.New([]app.Source{{Name: "memory", Bars: store, Catalog: store}}, clock.NewSimulated(noon.Add(time.Hour)), nil, app.Config{})

	return md, k, err
}

// A stream is an answer of any length, piece by piece; what Fetch says beside its bars comes at the end.
func ExampleService_Stream() {
	ctx := context.Background()
	md, k, err := minutes(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	pieces, result := md.Stream(ctx, domain.DataRequest{Key: k, Fill: domain.FillPrevious})
	bars := 0
	for piece, err := range pieces {
		if err != nil {
			fmt.Println(err)
			return
		}
		bars += piece.Len()
	}

	fmt.Println(bars, "bars in", result().Range, "of which", len(result().Filled), "filled")
	// Output:
	// 60 bars in [2024-03-04T12:00:00Z, 2024-03-04T13:00:00Z) of which 6 filled
}

// Bars of a grid that is not stored are made of finer ones. The plan says so before anything is read.
func ExampleService_Explain() {
	ctx := context.Background()
	md, k, err := minutes(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	k.Grid = domain.Minute15.UTC()
	p, err := md.Explain(ctx, domain.DataRequest{Key: k})
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Print(p)
	// Output:
	// BTC/USD 15m [2024-03-04T12:00:00Z, 2024-03-04T13:00:00Z): at most 4 bars in 1 read, at most 60 rows, 3.4 kB
	// └─ resampled from 1m [2024-03-04T12:00:00Z, 2024-03-04T13:00:00Z): at most 4 bars
	//    └─ memory: at most 60 rows, 3.4 kB
}

// Requests that are made together share one look at the catalogs and at what the stores hold.
func ExampleService_FetchMany() {
	ctx := context.Background()
	md, k, err := minutes(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	unknown := domain.SeriesKey{Symbol: "ETH/USD", Grid: k.Grid}
	for _, a := range md.FetchMany(ctx, []domain.DataRequest{{Key: k, Last: 5}, {Key: unknown}}) {
		fmt.Println(a.Result.Series.Len(), a.Err)
	}
	// Output:
	// 5 <nil>
	// 0 fetch ETH/USD 1m: symbol "ETH/USD" not found, nor a similar one; import its data first
}
