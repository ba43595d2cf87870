// Package gen makes random market data for property tests with rapid: decimals narrow and wide, keys, bars and ranges.
// What it makes is valid and often extreme; it is not a market.
package gen

import (
	"fmt"
	"math"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// Narrow is decimals that 64 bits hold: mostly such as prices are, some of any digits.
func Narrow() *rapid.Generator[domain.Decimal] {
	return rapid.Custom(func(t *rapid.T) domain.Decimal {
		limit, scale := int64(10_000_000), uint8(8)
		if rapid.IntRange(0, 3).Draw(t, "any digits") == 3 {
			limit, scale = math.MaxInt64, domain.MaxScale
		}
		d, err := domain.NewDecimal(rapid.Int64Range(-limit, limit).Draw(t, "coefficient"), rapid.Uint8Max(scale).Draw(t, "scale"))

		return must(d, err)
	})
}

// Wide is decimals of up to 20 digits before and 18 after the point.
func Wide() *rapid.Generator[domain.Decimal] {
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

// Decimal is narrow decimals, and now and then a wide one.
func Decimal() *rapid.Generator[domain.Decimal] {
	return rapid.OneOf(Narrow(), Narrow(), Narrow(), Wide())
}

// Bar is a bar of the open time, of any numbers.
func Bar(open time.Time) *rapid.Generator[domain.Bar] {
	return rapid.Custom(func(t *rapid.T) domain.Bar {
		number := Narrow()
		if rapid.IntRange(0, 4).Draw(t, "any width") == 4 {
			number = Decimal()
		}
		return domain.Bar{
			OpenTime: open,
			Open:     number.Draw(t, "open"), High: number.Draw(t, "high"), Low: number.Draw(t, "low"), Close: number.Draw(t, "close"),
			Volume: number.Draw(t, "volume"), Trades: rapid.Int64Range(0, math.MaxInt64).Draw(t, "trades"),
		}
	})
}

// Symbols is the few symbols of Key.
func Symbols() []domain.Symbol { return []domain.Symbol{"BTC/USD", "COINBASE:BTC/USD", "BTC/USDT"} }

// Key is series of few symbols on grids of every kind, so that drawing twice often draws the same.
func Key() *rapid.Generator[domain.SeriesKey] {
	return rapid.Custom(func(t *rapid.T) domain.SeriesKey {
		return domain.SeriesKey{
			Symbol:    rapid.SampledFrom(Symbols()).Draw(t, "symbol"),
			Grid:      must(domain.ParseGrid(rapid.SampledFrom([]string{"1m", "1M", "1d@America/New_York"}).Draw(t, "grid"))),
			PriceType: rapid.SampledFrom([]domain.PriceType{domain.PriceTrade, domain.PriceBid}).Draw(t, "kind"),
		}
	})
}

// Slots is how many bars the ranges that Range draws are at most long.
const Slots = 120

// edges is the first Slots+1 edges of the grid in 2023, which ends in most zones with a day of an hour more.
func edges(g domain.Grid) []time.Time {
	at := g.Ceil(time.Date(2023, 9, 1, 0, 0, 0, 0, time.UTC))
	list := make([]time.Time, 0, Slots+1)
	for range Slots + 1 {
		list = append(list, at)
		at = g.Next(at)
	}

	return list
}

// Range is ranges on the grid's edges, all within the same Slots bars, some of them empty.
func Range(g domain.Grid) *rapid.Generator[domain.Range] {
	list := edges(g)
	return rapid.Custom(func(t *rapid.T) domain.Range {
		from := rapid.IntRange(0, Slots).Draw(t, "from")
		to := rapid.IntRange(from, Slots).Draw(t, "to")
		return domain.Range{Start: list[from], End: list[to]}
	})
}

// Bars is up to most bars of the key within r, with gaps.
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

// must is for what this package itself makes.
func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("gen: %v", err))
	}
	return v
}
