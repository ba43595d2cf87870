package gen

import (
	"math/rand/v2"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// TradeTape returns n trades of a random walk, the same at every call: prices near 30,000 with two digits after the
// point, sizes with eight, a few trades per instant, 100 ms between instants on average.
func TradeTape(symbol domain.Symbol, n int) domain.Trades {
	rng := rand.New(rand.NewPCG(3, 4))
	price := int64(3_000_000)
	return tape(rng, symbol, n, func(at time.Time, seq int64) domain.Trade {
		price = max(100_000, price+rng.Int64N(21)-10)
		return domain.Trade{
			Time: at, Seq: seq,
			Price: must(domain.NewDecimal(price, 2)), Size: must(domain.NewDecimal(1+rng.Int64N(500_000_000), 8)),
			Side: domain.SideBuy + domain.Side(rng.IntN(2)),
		}
	})
}

// QuoteTape returns n quotes like TradeTape.
func QuoteTape(symbol domain.Symbol, n int) domain.Quotes {
	rng := rand.New(rand.NewPCG(5, 6))
	bid := int64(3_000_000)
	return tape(rng, symbol, n, func(at time.Time, seq int64) domain.Quote {
		bid = max(100_000, bid+rng.Int64N(21)-10)
		return domain.Quote{
			Time: at, Seq: seq,
			Bid: must(domain.NewDecimal(bid, 2)), Ask: must(domain.NewDecimal(bid+1+rng.Int64N(20), 2)),
			BidSize: must(domain.NewDecimal(1+rng.Int64N(500_000_000), 8)),
			AskSize: must(domain.NewDecimal(1+rng.Int64N(500_000_000), 8)),
		}
	})
}

// tape returns n ticks with ascending sequence numbers.
func tape[T domain.Tick](rng *rand.Rand, symbol domain.Symbol, n int, tick func(at time.Time, seq int64) T) domain.Ticks[T] {
	b := domain.NewTicksBuilder[T](symbol)
	at := WalkStart
	for i := range n {
		if err := b.Append(tick(at, int64(i))); err != nil {
			panic(err)
		}
		if rng.IntN(3) > 0 {
			at = at.Add(time.Duration(1+rng.IntN(300_000)) * time.Microsecond)
		}
	}

	return must(b.Ticks())
}
