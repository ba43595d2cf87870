package backtest_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// opening is when all histories begin: the day before New York sets its clocks.
var opening = time.Date(2024, 3, 9, 22, 0, 0, 0, time.UTC)

const (
	lasting = 40 * time.Hour
	symbols = 2
)

// history is what a store holds in the end.
type history struct {
	bars   []held[domain.Series]
	trades []held[domain.Trades]
	quotes []held[domain.Quotes]
}

// held is data and the claim on it.
type held[D any] struct {
	data  D
	claim domain.Range
}

func symbol(i int) domain.Symbol { return domain.Symbol(fmt.Sprintf("COIN%d/USD", i)) }

// drawHistory is a few series that know nothing of each other: which one an answer is made from shows in it.
func drawHistory(t *rapid.T) *history {
	h := &history{}
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	for i := range symbols {
		for _, grid := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"7s", "1m", "5m", "1h", "1d", "1d@America/New_York"}), 0, 4, rapid.ID).Draw(t, "grids") {
			key := domain.SeriesKey{Symbol: symbol(i), Grid: must(domain.ParseGrid(grid))}
			h.bars = append(h.bars, drawBars(t, key, rng))
		}

		if rapid.Bool().Draw(t, "trades") {
			r := drawClaim(t)
			var trades []domain.Trade
			for at := range moments(r, rng) {
				trades = append(trades, domain.Trade{Time: at, Price: number(1+rng.Int64N(1000), 2), Size: number(rng.Int64N(9), 0)})
			}
			h.trades = append(h.trades, held[domain.Trades]{must(domain.NewTicks(symbol(i), trades...)), r})
		}

		if rapid.Bool().Draw(t, "quotes") {
			r := drawClaim(t)
			var quotes []domain.Quote
			for at := range moments(r, rng) {
				bid := 1 + rng.Int64N(1000)
				quotes = append(quotes, domain.Quote{Time: at, Bid: number(bid, 2), Ask: number(bid+rng.Int64N(9), 2)})
			}

			h.quotes = append(h.quotes, held[domain.Quotes]{must(domain.NewTicks(symbol(i), quotes...)), r})
		}
	}

	return h
}

// drawClaim is a part of the history, often all of it.
func drawClaim(t *rapid.T) domain.Range {
	from := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 5 * 60, 600}).Draw(t, "claim from")) * time.Minute
	to := time.Duration(rapid.SampledFrom([]int{0, 0, 30, 20 * 60}).Draw(t, "claim before the end")) * time.Minute
	return domain.Range{Start: opening.Add(from), End: opening.Add(lasting - to)}
}

// drawBars is up to a few hundred bars in a row, now and then without one, and now and then with a bad one.
func drawBars(t *rapid.T, key domain.SeriesKey, rng *rand.Rand) held[domain.Series] {
	claim := key.Grid.Align(drawClaim(t))
	b := domain.NewSeriesBuilder(key, 0)
	skipped := time.Duration(rng.Int64N(int64(lasting)))
	for at := key.Grid.Ceil(claim.Start); at.Before(claim.End) && b.Len() < 300; at = key.Grid.Next(at) {
		if key.Grid.Frequency().Nominal() < time.Hour && at.Before(claim.Start.Add(skipped)) || rng.IntN(9) == 0 {
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

	return held[domain.Series]{must(b.Series()), claim}
}

// moments is up to a hundred instants in the range, some of them whole seconds.
func moments(r domain.Range, rng *rand.Rand) func(yield func(time.Time) bool) {
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

// until is what had closed at now.
func (h *history) until(now time.Time) *history {
	before := domain.Range{End: now}
	known := &history{}
	for _, s := range h.bars {
		grid := s.data.Key().Grid
		closed := domain.Range{End: grid.Floor(now)} // bars that open before the one that is forming
		known.bars = append(known.bars, held[domain.Series]{s.data.Clip(closed), s.claim.Intersect(closed)})
	}

	for _, s := range h.trades {
		known.trades = append(known.trades, held[domain.Trades]{s.data.Clip(before), s.claim.Intersect(before)})
	}
	for _, s := range h.quotes {
		known.quotes = append(known.quotes, held[domain.Quotes]{s.data.Clip(before), s.claim.Intersect(before)})
	}

	return known
}

// store is what a history is written to.
type store interface {
	ports.Store
	ports.TickStore
	ports.SymbolCatalog
	ports.SymbolWriter
	ports.TradeAggregator
}

// write puts the history into the store. The symbols are known from the beginning.
func (h *history) write(t *rapid.T, s store) store {
	ctx := t.Context()
	for i := range symbols {
		check(s.PutSymbols(ctx, domain.NewSymbolMeta(symbol(i))))
	}
	for _, x := range h.bars {
		if !x.claim.Empty() {
			must(s.WriteBars(ctx, x.data, x.claim))
		}
	}

	for _, x := range h.trades {
		if !x.claim.Empty() {
			must(s.WriteTrades(ctx, x.data, x.claim))
		}
	}

	for _, x := range h.quotes {
		if !x.claim.Empty() {
			must(s.WriteQuotes(ctx, x.data, x.claim))
		}
	}

	return s
}
