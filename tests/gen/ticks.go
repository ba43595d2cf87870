package gen

import (
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// Trade generates trades with the time, the sequence number and any numbers that a trade can have.
func Trade(at time.Time, seq int64) *rapid.Generator[domain.Trade] {
	return rapid.Custom(func(t *rapid.T) domain.Trade {
		return domain.Trade{
			Time: at, Seq: seq, Price: Decimal().Draw(t, "price"), Size: size().Draw(t, "size"),
			Side: rapid.SampledFrom([]domain.Side{domain.SideUnknown, domain.SideBuy, domain.SideSell}).Draw(t, "side"),
		}
	})
}

// Quote generates quotes with the time, the sequence number and any numbers that a quote can have: the bid may be above
// the ask.
func Quote(at time.Time, seq int64) *rapid.Generator[domain.Quote] {
	return rapid.Custom(func(t *rapid.T) domain.Quote {
		return domain.Quote{
			Time: at, Seq: seq, Bid: Decimal().Draw(t, "bid"), Ask: Decimal().Draw(t, "ask"),
			BidSize: size().Draw(t, "bid size"), AskSize: size().Draw(t, "ask size"),
		}
	})
}

// size generates decimals that are not negative.
func size() *rapid.Generator[domain.Decimal] {
	return rapid.Map(Decimal(), func(d domain.Decimal) domain.Decimal {
		if d.Sign() < 0 {
			return d.Neg()
		}
		return d
	})
}

// tickRangeMicros is the length of the longest ranges of TickRange, in microseconds.
const tickRangeMicros = 40

// TickRange generates ranges of a few microseconds, all near one instant, some of them empty.
func TickRange() *rapid.Generator[domain.Range] {
	first := time.Date(2023, 10, 31, 23, 59, 59, 999_980_000, time.UTC) // a month ends among them
	return rapid.Custom(func(t *rapid.T) domain.Range {
		from := rapid.IntRange(0, tickRangeMicros).Draw(t, "from")
		to := rapid.IntRange(from, tickRangeMicros).Draw(t, "to")
		return domain.Range{
			Start: first.Add(time.Duration(from) * time.Microsecond), End: first.Add(time.Duration(to) * time.Microsecond),
		}
	})
}

// Ticks generates up to most trades or quotes of the symbol within r, several at some instants and none at others. tick
// generates one of them.
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
