package main

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
)

// TestDemoDaysAreTheSumOfTheirMinutes sums the minutes with Decimal arithmetic.
func TestDemoDaysAreTheSumOfTheirMinutes(t *testing.T) {
	t.Parallel()
	for symbol := range demoMarket {
		minutes, days, err := demoBars(symbol, 7, minute(0))
		if err != nil {
			t.Fatal(err)
		}

		if days.Len() != demoDays {
			t.Errorf("%s; want %d days", days, demoDays)
		}
		if v := quality.NewValidator(minutes.Range(), minutes.Range().End).Check(minutes); v.Err(minutes.Key()) != nil {
			t.Errorf("%s: %v", minutes, v.Findings)
		}
		for _, day := range days.All() {
			within := domain.Range{Start: day.OpenTime, End: day.OpenTime.AddDate(0, 0, 1)}
			if got := sum(t, minutes.Clip(within)); !got.Equal(day) {
				t.Errorf("%s: the minutes add up to %v; the day is %v", minutes.Key().Symbol, got, day)
			}
		}
	}
}

func sum(t *testing.T, minutes domain.Series) domain.Bar {
	t.Helper()
	first, last := minutes.At(0), minutes.At(minutes.Len()-1)
	total := domain.Bar{
		OpenTime: first.OpenTime.Truncate(24 * time.Hour),
		Open:     first.Open, High: first.High, Low: first.Low, Close: last.Close,
	}
	for _, b := range minutes.All() {
		if b.High.Cmp(total.High) > 0 {
			total.High = b.High
		}
		if b.Low.Cmp(total.Low) < 0 {
			total.Low = b.Low
		}
		var err error
		if total.Volume, err = total.Volume.Add(b.Volume); err != nil {
			t.Fatal(err)
		}

		total.Trades += b.Trades
	}

	return total
}
