package record_test

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var noon = time.Date(2024, 3, 9, 12, 0, 0, 0, time.UTC) // the day before New York sets its clocks

func key(symbol domain.Symbol, grid string) domain.SeriesKey {
	g, err := domain.ParseGrid(grid)
	if err != nil {
		panic(err)
	}

	return domain.SeriesKey{Symbol: symbol, Grid: g}
}

// bar returns a valid bar at the given price.
func bar(open time.Time, price int64) domain.Bar {
	d, err := domain.NewDecimal(price, 0)
	if err != nil {
		panic(err)
	}

	return domain.Bar{OpenTime: open, Open: d, High: d, Low: d, Close: d, Volume: d, Trades: 1}
}

// write stores the bars, at least one, and declares coverage from the first to the last.
func write(t testing.TB, store *memory.Store, k domain.SeriesKey, bars ...domain.Bar) {
	t.Helper()
	s, err := domain.NewSeries(k, bars...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ports.WriteBars(t.Context(), store, s, s.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
}

// barsOf returns n consecutive bars from the first edge at noon or later.
func barsOf(k domain.SeriesKey, n int) []domain.Bar {
	bars := make([]domain.Bar, 0, n)
	for at := k.Grid.Ceil(noon); len(bars) < n; at = k.Grid.Next(at) {
		bars = append(bars, bar(at, int64(100+len(bars))))
	}

	return bars
}

// threeSeries returns a store with three series of one-minute bars, their keys and their range.
func threeSeries(t testing.TB, bars int) (*memory.Store, []domain.SeriesKey, domain.Range) {
	t.Helper()
	store := memory.New()
	var keys []domain.SeriesKey
	for _, symbol := range []domain.Symbol{"CCC/USD", "AAA/USD", "BBB/USD"} {
		k := key(symbol, "1m")
		write(t, store, k, barsOf(k, bars)...)
		keys = append(keys, k)
	}

	return store, keys, domain.Range{Start: noon, End: noon.Add(time.Duration(bars) * time.Minute)}
}
