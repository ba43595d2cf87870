// Package gen generates random market data for property tests with rapid: decimals, keys, bars, ticks and ranges. The
// data is valid and often extreme; it does not look like a market. Walk and the tapes do.
package gen

import (
	"fmt"
	"math"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// NarrowDecimal generates decimals whose coefficient fits into 64 bits: mostly like prices, some with any digits.
func NarrowDecimal() *rapid.Generator[domain.Decimal] {
	return rapid.Custom(func(t *rapid.T) domain.Decimal {
		limit, scale := int64(10_000_000), uint8(8)
		if rapid.IntRange(0, 3).Draw(t, "any digits") == 3 {
			limit, scale = math.MaxInt64, domain.MaxScale
		}
		coefficient := rapid.Int64Range(-limit, limit).Draw(t, "coefficient")

		return must(domain.NewDecimal(coefficient, rapid.Uint8Max(scale).Draw(t, "scale")))
	})
}

// WideDecimal generates decimals with up to 20 digits before and 18 digits after the point.
func WideDecimal() *rapid.Generator[domain.Decimal] {
	return rapid.Custom(func(t *rapid.T) domain.Decimal {
		const fraction = 1_000_000_000_000_000_000
		text := fmt.Sprintf("%d.%018d",
			rapid.Uint64().Draw(t, "integer"), rapid.Uint64Max(fraction-1).Draw(t, "fraction"))
		d := must(domain.ParseDecimal(text))
		if rapid.Bool().Draw(t, "negative") {
			return d.Neg()
		}

		return d
	})
}

// Decimal generates narrow decimals and now and then a wide one.
func Decimal() *rapid.Generator[domain.Decimal] {
	return rapid.OneOf(NarrowDecimal(), NarrowDecimal(), NarrowDecimal(), WideDecimal())
}

// Bar generates bars with the open time and any numbers.
func Bar(open time.Time) *rapid.Generator[domain.Bar] {
	return rapid.Custom(func(t *rapid.T) domain.Bar {
		number := NarrowDecimal()
		if rapid.IntRange(0, 4).Draw(t, "any width") == 4 {
			number = Decimal()
		}

		return domain.Bar{
			OpenTime: open,
			Open:     number.Draw(t, "open"), High: number.Draw(t, "high"),
			Low: number.Draw(t, "low"), Close: number.Draw(t, "close"),
			Volume: number.Draw(t, "volume"), Trades: rapid.Int64Range(0, math.MaxInt64).Draw(t, "trades"),
		}
	})
}

// Symbols returns the few symbols of Key.
func Symbols() []domain.Symbol {
	return []domain.Symbol{"BTC/USD", "COINBASE:BTC/USD", "BTC/USDT", "ES=F"}
}

// Key generates keys of few symbols on grids of every kind, so that two draws are often equal.
func Key() *rapid.Generator[domain.SeriesKey] {
	return rapid.Custom(func(t *rapid.T) domain.SeriesKey {
		return domain.SeriesKey{
			Symbol:    rapid.SampledFrom(Symbols()).Draw(t, "symbol"),
			Grid:      must(domain.ParseGrid(rapid.SampledFrom([]string{"1m", "1M", "1d@America/New_York"}).Draw(t, "grid"))),
			PriceType: rapid.SampledFrom([]domain.PriceType{domain.PriceTrade, domain.PriceBid}).Draw(t, "kind"),
		}
	})
}

// Slots is the length of the longest ranges of Range, in bars.
const Slots = 120

// edges returns the first Slots+1 edges of the grid after August 2023. In many zones a day of 25 hours is among them.
func edges(g domain.Grid) []time.Time {
	at := g.Ceil(time.Date(2023, 9, 1, 0, 0, 0, 0, time.UTC))
	list := make([]time.Time, 0, Slots+1)
	for range Slots + 1 {
		list = append(list, at)
		at = g.Next(at)
	}

	return list
}

// Range generates ranges on the grid's edges, all within the same Slots bars, some of them empty.
func Range(g domain.Grid) *rapid.Generator[domain.Range] {
	list := edges(g)
	return rapid.Custom(func(t *rapid.T) domain.Range {
		from := rapid.IntRange(0, Slots).Draw(t, "from")
		to := rapid.IntRange(from, Slots).Draw(t, "to")
		return domain.Range{Start: list[from], End: list[to]}
	})
}

// Bars generates series of up to most bars of the key within r, with gaps.
func Bars(key domain.SeriesKey, r domain.Range, most int) *rapid.Generator[domain.Series] {
	return rapid.Custom(func(t *rapid.T) domain.Series {
		b := domain.NewSeriesBuilder(key, most)
		left := rapid.IntRange(0, most).Draw(t, "bars")
		for at := key.Grid.Ceil(r.Start); left > 0 && at.Before(r.End); at = key.Grid.Next(at) {
			if rapid.IntRange(0, 4).Draw(t, "gap") == 4 {
				continue
			}
			if err := b.Append(Bar(at).Draw(t, "bar")); err != nil {
				panic(err)
			}

			left--
		}

		return must(b.Series())
	})
}

// must panics on an error, which would be a fault of this package.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("gen: %v", err))
	}
	return v
}
