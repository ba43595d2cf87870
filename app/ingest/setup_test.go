package ingest_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

var minuteKey = domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()}

// minute returns the open time of the nth minute of a day.
func minute(n int) time.Time { return time.Date(2018, 4, 4, 0, n, 0, 0, time.UTC) }

// drawBars draws some bars among the first twenty minutes. They have few different numbers, so that two draws often
// agree.
func drawBars(t *rapid.T, label string) domain.Series {
	b := domain.NewSeriesBuilder(minuteKey, 0)
	for n := range 20 {
		if !rapid.Bool().Draw(t, label) {
			continue
		}

		number := func() domain.Decimal {
			return domain.MustDecimal(rapid.SampledFrom([]string{"5", "5.5", "7"}).Draw(t, label))
		}
		bar := domain.Bar{
			OpenTime: minute(n),
			Open:     number(), High: domain.MustDecimal("9"), Low: domain.MustDecimal("1"), Close: number(),
			Volume: number(), Trades: rapid.Int64Range(0, 2).Draw(t, label),
		}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	return seriesOf(t, b)
}

// fataler is a *testing.T or a *rapid.T.
type fataler interface{ Fatal(args ...any) }

func seriesOf(t fataler, b *domain.SeriesBuilder) domain.Series {
	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// newService returns the application over an empty store.
func newService(t fataler) *app.Service {
	md, err := backtest.New(memory.New(), clock.NewSimulated(minute(60)), app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	return md
}
