package describe

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// must is for values that a test knows to be right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}

	return v
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	start := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	window := domain.Range{Start: start, End: start.Add(30 * 24 * time.Hour)}
	b := newStatistics(window, domain.Minute1.UTC())
	bars := must(domain.NewSeries(domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()},
		domain.Bar{OpenTime: start, High: domain.MustDecimal("5"), Low: domain.MustDecimal("3"), Volume: domain.MustDecimal("1.5")},
		domain.Bar{OpenTime: start.Add(time.Minute), High: domain.MustDecimal("7"), Low: domain.MustDecimal("4"), Volume: domain.MustDecimal("12345678901234567890")},
	))
	quotes := must(domain.NewTicks("BTC/USD",
		domain.Quote{Time: start, Bid: domain.MustDecimal("10"), Ask: domain.MustDecimal("10.1")},
		domain.Quote{Time: start, Seq: 1, Bid: domain.MustDecimal("10"), Ask: domain.MustDecimal("10.1")},
		domain.Quote{Time: start, Seq: 2, Bid: domain.MustDecimal("10"), Ask: domain.MustDecimal("10")},
	))
	for _, err := range []error{
		b.addBars(bars.Slice(0, 1)), b.addBars(bars.Slice(1, 2)), b.addQuotes(quotes.Slice(0, 2)), b.addQuotes(quotes.Slice(2, 3)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	got := b.total()
	for name, pair := range map[string][2]string{
		"min":    {got.MinPrice.String(), "3"},
		"max":    {got.MaxPrice.String(), "7"},
		"volume": {got.Volume.String(), "12345678901234567891.5"},
		"spread": {got.AverageSpread.String(), "0.066666666666666667"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %s, want %s", name, pair[0], pair[1])
		}
	}

	if got.Bars != 2 || got.Quotes != 3 || got.Window != window {
		t.Errorf("got %+v", got)
	}
}
