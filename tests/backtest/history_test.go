package backtest_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// historyStart is the start of all histories: the day before New York sets its clocks.
var historyStart = time.Date(2024, 3, 9, 22, 0, 0, 0, time.UTC)

const (
	historyLength = 40 * time.Hour
	symbols       = 2
)

// history is all data that is written to a store.
type history struct {
	bars   []dataset[domain.Series]
	trades []dataset[domain.Trades]
	quotes []dataset[domain.Quotes]
}

// dataset is data and its coverage.
type dataset[D any] struct {
	data     D
	coverage domain.Range
}

func symbol(i int) domain.Symbol { return domain.Symbol(fmt.Sprintf("COIN%d/USD", i)) }

// drawHistory draws a few independent series, so that a result shows which of them it was made from.
func drawHistory(t *rapid.T) *history {
	h := &history{}
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	for i := range symbols {
		names := rapid.SampledFrom([]string{"7s", "1m", "5m", "1h", "1d", "1d@America/New_York"})
		for _, grid := range rapid.SliceOfNDistinct(names, 0, 4, rapid.ID).Draw(t, "grids") {
			key := domain.SeriesKey{Symbol: symbol(i), Grid: must(domain.ParseGrid(grid))}
			h.bars = append(h.bars, drawBars(t, key, rng))
		}

		if rapid.Bool().Draw(t, "trades") {
			r := drawCoverage(t)
			var trades []domain.Trade
			for at := range instants(r, rng) {
				price, size := number(1+rng.Int64N(1000), 2), number(rng.Int64N(9), 0)
				trades = append(trades, domain.Trade{Time: at, Price: price, Size: size})
			}
			h.trades = append(h.trades, dataset[domain.Trades]{must(domain.NewTicks(symbol(i), trades...)), r})
		}

		if rapid.Bool().Draw(t, "quotes") {
			r := drawCoverage(t)
			var quotes []domain.Quote
			for at := range instants(r, rng) {
				bid := 1 + rng.Int64N(1000)
				quotes = append(quotes, domain.Quote{Time: at, Bid: number(bid, 2), Ask: number(bid+rng.Int64N(9), 2)})
			}

			h.quotes = append(h.quotes, dataset[domain.Quotes]{must(domain.NewTicks(symbol(i), quotes...)), r})
		}
	}

	return h
}

// drawCoverage draws a part of the history, often all of it.
func drawCoverage(t *rapid.T) domain.Range {
	from := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 5 * 60, 600}).Draw(t, "coverage from")) * time.Minute
	to := time.Duration(rapid.SampledFrom([]int{0, 0, 30, 20 * 60}).Draw(t, "coverage before the end")) * time.Minute
	return domain.Range{Start: historyStart.Add(from), End: historyStart.Add(historyLength - to)}
}

// drawBars draws up to a few hundred bars with some gaps and some bars that break a quality rule.
func drawBars(t *rapid.T, key domain.SeriesKey, rng *rand.Rand) dataset[domain.Series] {
	coverage := key.Grid.Align(drawCoverage(t))
	b := domain.NewSeriesBuilder(key, 0)
	skipped := time.Duration(rng.Int64N(int64(historyLength)))
	for at := key.Grid.Ceil(coverage.Start); at.Before(coverage.End) && b.Len() < 300; at = key.Grid.Next(at) {
		if key.Grid.Frequency().Nominal() < time.Hour && at.Before(coverage.Start.Add(skipped)) || rng.IntN(9) == 0 {
			continue
		}

		low, spread := 1+rng.Int64N(1000), rng.Int64N(50)
		bar := domain.Bar{
			OpenTime: at, Open: number(low, 2), High: number(low+spread, 2), Low: number(low, 2), Close: number(low+spread, 2),
			Volume: number(1+rng.Int64N(1000), 3), Trades: rng.Int64N(9),
		}
		if rng.IntN(100) == 0 {
			bar.High = number(0, 0)
		}
		check(b.Append(bar))
	}

	return dataset[domain.Series]{must(b.Series()), coverage}
}

// instants returns up to a hundred instants in the range, some of them whole seconds.
func instants(r domain.Range, rng *rand.Rand) func(yield func(time.Time) bool) {
	return func(yield func(time.Time) bool) {
		at := r.Start.Add(time.Duration(rng.Int64N(int64(r.End.Sub(r.Start)))))
		for range 100 {
			at = at.Add(time.Duration(1+rng.Int64N(40_000_000)) * time.Microsecond).Truncate(time.Microsecond)
			if rng.IntN(2) == 0 {
				at = at.Truncate(time.Second).Add(time.Second) // where a bar may end
			}
			if !at.Before(r.End) || !yield(at) {
				return
			}
		}
	}
}

func number(coefficient int64, scale uint8) domain.Decimal {
	return must(domain.NewDecimal(coefficient, scale))
}

// until returns the part of the history that is known at now.
func (h *history) until(now time.Time) *history {
	before := domain.Range{End: now}
	known := &history{}
	for _, s := range h.bars {
		grid := s.data.Key().Grid
		closed := domain.Range{End: grid.Floor(now)} // bars that open before the one that is forming
		known.bars = append(known.bars, dataset[domain.Series]{s.data.Clip(closed), s.coverage.Intersect(closed)})
	}

	for _, s := range h.trades {
		known.trades = append(known.trades, dataset[domain.Trades]{s.data.Clip(before), s.coverage.Intersect(before)})
	}
	for _, s := range h.quotes {
		known.quotes = append(known.quotes, dataset[domain.Quotes]{s.data.Clip(before), s.coverage.Intersect(before)})
	}

	return known
}

// store is a store that a history can be written to.
type store interface {
	ports.Store
	ports.TickStore
	ports.SymbolCatalog
	ports.SymbolWriter
	ports.TradeAggregator
}

// write writes the history, and all symbols, to the store.
func (h *history) write(t *rapid.T, s store) store {
	ctx := t.Context()
	for i := range symbols {
		check(s.PutSymbols(ctx, domain.NewSymbolMeta(symbol(i))))
	}
	for _, x := range h.bars {
		if !x.coverage.Empty() {
			must(ports.WriteBars(ctx, s, x.data, x.coverage, ports.ConflictReplace))
		}
	}

	for _, x := range h.trades {
		if !x.coverage.Empty() {
			must(s.WriteTrades(ctx, x.data, x.coverage, ports.ConflictReplace))
		}
	}

	for _, x := range h.quotes {
		if !x.coverage.Empty() {
			must(s.WriteQuotes(ctx, x.data, x.coverage, ports.ConflictReplace))
		}
	}

	return s
}
