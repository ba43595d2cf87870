package plan_test

import (
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Two hours are stored as such; the third is resampled from the minutes of another store, and the fourth is not covered.
func ExampleNew() {
	hours := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}
	minutes := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	from := func(first, last int) domain.Range {
		return domain.Range{Start: start.Add(time.Duration(first) * time.Hour), End: start.Add(time.Duration(last) * time.Hour)}
	}
	sources := []plan.Source{
		{Name: "postgres", Bars: []domain.Extent{{Key: hours, Range: from(0, 2)}}},
		{Name: "influx", Priority: 1, Bars: []domain.Extent{{Key: minutes, Range: from(1, 3)}}},
	}
	p, err := plan.New(plan.Request{Key: hours, Range: from(0, 4)}, sources, plan.Limits{Reads: 1000})
	if err != nil {
		fmt.Println(err)
		return
	}

	shown, err := p.Explain(func(domain.Grid, domain.Range, domain.StoreName) ([]domain.Range, *ports.ReadPlan, error) {
		return nil, nil, nil // no cache, and a server without query plans
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	fmt.Print(shown)
	// Output:
	// BTC/USD 1h [2024-01-01T00:00:00Z, 2024-01-01T04:00:00Z): at most 3 bars in 2 reads, at most 62 rows, 3.5 kB
	// ├─ stored 1h [2024-01-01T00:00:00Z, 2024-01-01T02:00:00Z): at most 2 bars
	// │  └─ postgres: at most 2 rows, 112 B
	// ├─ resampled from 1m [2024-01-01T02:00:00Z, 2024-01-01T03:00:00Z): at most 1 bar
	// │  └─ influx: at most 60 rows, 3.4 kB
	// └─ not covered [2024-01-01T03:00:00Z, 2024-01-01T04:00:00Z): no data for 1 bar
}
