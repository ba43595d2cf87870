package gen

import (
	"math/rand/v2"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// WalkStart is the open time of the first bar of Walk.
var WalkStart = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// MinuteKey returns the key of the symbol's one-minute bars of trades.
func MinuteKey(symbol domain.Symbol) domain.SeriesKey {
	return domain.SeriesKey{Symbol: symbol, Grid: domain.Minute1.UTC()}
}

// Walk returns n one-minute bars of a random walk, the same at every call: prices near 30,000 with two digits after the
// point, volumes with eight, trades in every minute. It looks like a liquid market, for benchmarks and for tests that
// need some bars.
func Walk(symbol domain.Symbol, n int) domain.Series {
	rng := rand.New(rand.NewPCG(1, 2))
	c := domain.Columns{PriceScale: 2, VolumeScale: 8}
	last := int64(3_000_000)
	for i := range n {
		open := last + rng.Int64N(21) - 10
		last = max(100_000, open+rng.Int64N(401)-200)
		c.OpenMicros = append(c.OpenMicros, WalkStart.UnixMicro()+int64(i)*time.Minute.Microseconds())
		c.Open.Lo = append(c.Open.Lo, open)
		c.High.Lo = append(c.High.Lo, max(open, last)+rng.Int64N(50))
		c.Low.Lo = append(c.Low.Lo, min(open, last)-rng.Int64N(50))
		c.Close.Lo = append(c.Close.Lo, last)
		c.Volume.Lo = append(c.Volume.Lo, 1+rng.Int64N(5_000_000_000))
		c.Trades = append(c.Trades, 1+rng.Int64N(500))
	}

	return must(domain.NewSeriesFromColumns(MinuteKey(symbol), c))
}
