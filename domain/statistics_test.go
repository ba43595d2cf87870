package domain

import (
	"testing"
	"time"
)

func TestStatistics(t *testing.T) {
	t.Parallel()
	start := utc("2018-04-04T00:00:00Z")
	window := Range{Start: start, End: start.Add(30 * 24 * time.Hour)}
	b := NewStatisticsBuilder(window, Minute1.UTC())
	bars := must(NewSeries(minuteKey(),
		Bar{OpenTime: start, High: MustDecimal("5"), Low: MustDecimal("3"), Volume: MustDecimal("1.5")},
		Bar{OpenTime: start.Add(time.Minute), High: MustDecimal("7"), Low: MustDecimal("4"), Volume: MustDecimal("12345678901234567890")},
	))
	quotes := must(NewTicks("BTC/USD",
		Quote{Time: start, Bid: MustDecimal("10"), Ask: MustDecimal("10.1")},
		Quote{Time: start, Seq: 1, Bid: MustDecimal("10"), Ask: MustDecimal("10.1")},
		Quote{Time: start, Seq: 2, Bid: MustDecimal("10"), Ask: MustDecimal("10")},
	))
	for _, err := range []error{
		b.AddBars(bars.Slice(0, 1)), b.AddBars(bars.Slice(1, 2)), b.AddQuotes(quotes.Slice(0, 2)), b.AddQuotes(quotes.Slice(2, 3)),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	got := b.Statistics()
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
