package plan_test

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// twoServers hold a year of BTC/USD: days that were imported up to March, hours and minutes up to now, a gap in May, trades of
// the last days.
func twoServers() []plan.Source {
	const symbol = "BTC/USD"
	extent := func(grid, start, end string) domain.Extent {
		return domain.Extent{
			Key:   domain.SeriesKey{Symbol: symbol, Grid: must(domain.ParseGrid(grid))},
			Range: must(domain.NewRange(utc(start), utc(end))),
		}
	}
	assumed := extent("1m", "2023-06-15T12:00:00Z", "2023-12-28T00:00:00Z")
	assumed.Inferred = true

	return []plan.Source{
		{
			Name: "postgres", Priority: 1,
			Bars: []domain.Extent{extent("1d", "2023-01-01T00:00:00Z", "2023-03-01T00:00:00Z"), extent("1m", "2023-03-01T00:00:00Z", "2023-05-01T00:00:00Z")},
			Ticks: []domain.TickExtent{{
				Symbol: symbol, Kind: domain.TickTrades,
				Range: must(domain.NewRange(utc("2023-12-27T00:00:00Z"), utc("2024-01-01T00:00:00Z"))),
			}},
			Rate: plan.Rate{PerQuery: 500 * time.Microsecond, RowsPerSecond: 1e6},
		},
		{
			Name: "influx", Priority: 0,
			Bars: []domain.Extent{extent("1m", "2023-04-15T08:30:00Z", "2023-05-10T00:00:00Z"), extent("1m", "2023-05-20T00:00:00Z", "2023-06-15T12:00:00Z"), assumed},
			Rate: plan.Rate{PerQuery: 2 * time.Millisecond, RowsPerSecond: 400_000},
		},
	}
}

func dayRequest() plan.Request {
	return plan.Request{
		Key:   domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Day1.UTC()},
		Range: must(domain.NewRange(utc("2023-01-01T00:00:00Z"), utc("2024-01-02T00:00:00Z"))),
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	p, err := plan.New(dayRequest(), twoServers(), plan.Limits{Reads: 3, Slots: 1000, Bars: 300})
	var limit *plan.LimitError
	if !errors.As(err, &limit) || !errors.Is(err, ports.ErrTooLarge) || limit.Limit != "max_reads" || limit.Need != 4 {
		t.Errorf("four reads with a limit of three: %v", err)
	}

	shown := must(p.Explain(func(domain.Grid, domain.Range, domain.StoreName) ([]domain.Range, *ports.ReadPlan, error) {
		return nil, nil, nil
	}))
	golden(t, "explain.txt", []byte(shown.String()))
	golden(t, "explain.json", append(must(json.MarshalIndent(shown, "", "  ")), '\n'))
}

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	if want := must(os.ReadFile(path)); string(got) != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func utc(s string) time.Time { return must(time.Parse(time.RFC3339Nano, s)) }
