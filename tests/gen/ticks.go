package gen

import (
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// Trade is a trade of the time and sequence number, of any numbers that a trade can have.
func Trade(at time.Time, seq int64) *rapid.Generator[domain.Trade] {
	return rapid.Custom(func(t *rapid.T) domain.Trade {
		return domain.Trade{
			Time: at, Seq: seq, Price: Decimal().Draw(t, "price"), Size: size().Draw(t, "size"),
			Side: rapid.SampledFrom([]domain.Side{domain.SideUnknown, domain.SideBuy, domain.SideSell}).Draw(t, "side"),
		}
	})
}

// Quote is a quote of the time and sequence number, of any numbers that a quote can have: the bid may be above the ask.
func Quote(at time.Time, seq int64) *rapid.Generator[domain.Quote] {
	return rapid.Custom(func(t *rapid.T) domain.Quote {
		return domain.Quote{
			Time: at, Seq: seq, Bid: Decimal().Draw(t, "bid"), Ask: Decimal().Draw(t, "ask"),
			BidSize: size().Draw(t, "bid size"), AskSize: size().Draw(t, "ask size"),
		}
	})
}

// size is decimals that are not negative.
func size() *rapid.Generator[domain.Decimal] {
	return rapid.Map(Decimal(), func(d domain.Decimal) domain.Decimal {
		if d.Sign() < 0 {
			return d.Neg()
		}
		return d
	})
}

// moments is how many instants, a microsecond apart, the ranges that Moments draws are at most long.
const moments = 40

// Moments is ranges of a few microseconds, all near one instant, some of them empty.
func Moments() *rapid.Generator[domain.Range] {
	first := time.Date(2023, 10, 31, 23, 59, 59, 999_980_000, time.UTC) // a month ends among them
	return rapid.Custom(func(t *rapid.T) domain.Range {
		from := rapid.IntRange(0, moments).Draw(t, "from")
		to := rapid.IntRange(from, moments).Draw(t, "to")
		return domain.Range{Start: first.Add(time.Duration(from) * time.Microsecond), End: first.Add(time.Duration(to) * time.Microsecond)}
	})
}

// Ticks is up to most (at most 100) trades or quotes of the symbol within r, which tick makes, several at some instants
// and none at others.
func Ticks[T domain.Tick](
	symbol domain.Symbol, r domain.Range, most int, tick func(at time.Time, seq int64) *rapid.Generator[T],
) *rapid.Generator[domain.Ticks[T]] {
	return rapid.Custom(func(t *rapid.T) domain.Ticks[T] {
		b := domain.NewTicksBuilder[T](symbol)
		at, seq := r.Start, int64(0)
		for left := rapid.IntRange(0, most).Draw(t, "ticks"); left > 0 && at.Before(r.End); left-- {
			if err := b.Append(tick(at, seq).Draw(t, "tick")); err != nil {
				panic(err)
			}
			switch rapid.IntRange(0, 3).Draw(t, "next") {
			case 0:
				seq++
			case 1:
				seq += rapid.Int64Range(1, 1<<55).Draw(t, "sequence numbers further")
			default:
				at = at.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, "microseconds")) * time.Microsecond)
				seq = rapid.Int64Range(0, 2).Draw(t, "sequence number")
			}
		}

		return must(b.Ticks())
	})
}
