package contract

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TickStore tests a store of trades and quotes against every law of ports.TickStore, and against the laws on the
// symbols that a write registers. Trades and quotes have the same laws, with names that begin with trades/ and quotes/.
func TickStore(t *testing.T, open Open, p Profile) {
	t.Helper()
	tickSuite.run(t, open, p)
}

// tickLaws is every law of ports.TickStore.
var tickLaws = slices.Concat(
	tickLawsOf(tradeForm, quoteForm),
	tickLawsOf(quoteForm, tradeForm),
)

// tickLawsOf returns the laws of one kind of ticks; other is the other kind.
func tickLawsOf[T, O domain.Tick](f tickForm[T], other tickForm[O]) []law[Store] {
	return f.named(
		tickRangeLaws(f.form),
		f.orderLaws(),
		tickLimitLaws(f.form),
		tickStreamLaws(f.form),
		tickContextLaws(f.form),
		tickWriteLaws(f.form),
		tickConflictLaws(f.form),
		tickReplaceLaws(f.form),
		tickExtentLaws(f.form),
		tickDecimalLaws(f.form),
		tickSymbolLaws(f.form),
		f.timeLaws(),
		tickHistoryLaws(f),
		tickConcurrentLaws(f.form),
		stateLaws(tickStates(f.form)),
		tickTailLaws(f),
		apartLaws(f, other),
	)
}

// tickForm returns the form of one kind of ticks.
type tickForm[T domain.Tick] struct {
	form[domain.Ticks[T]]

	tick func(at time.Time, seq int64, n [4]domain.Decimal, side domain.Side) T
}

// instant is the number of ticks of the fixtures at each instant.
const instant = 3

var tradeForm = newTickForm(domain.TickTrades, "a trade", 3,
	func(at time.Time, seq int64, n [4]domain.Decimal, side domain.Side) domain.Trade {
		return domain.Trade{Time: at, Seq: seq, Price: n[0], Size: magnitude(n[1]), Side: side}
	},
	ports.TickStore.ReadTrades, ports.TickStore.WriteTrades, ports.TickStore.ReplaceTrades, ports.TickStore.DeleteTrades)

var quoteForm = newTickForm(domain.TickQuotes, "a quote", 4,
	func(at time.Time, seq int64, n [4]domain.Decimal, _ domain.Side) domain.Quote {
		return domain.Quote{Time: at, Seq: seq, Bid: n[0], Ask: n[1], BidSize: magnitude(n[2]), AskSize: magnitude(n[3])}
	},
	ports.TickStore.ReadQuotes, ports.TickStore.WriteQuotes, ports.TickStore.ReplaceQuotes, ports.TickStore.DeleteQuotes)

// seeded returns numbers and a side that differ from those of other seeds.
func seeded(seed int) ([4]domain.Decimal, domain.Side) {
	p := 10_000 + 7*seed
	return [4]domain.Decimal{number(p), number(p + 3), number(p + 4), number(p + 5)}, domain.Side(seed % 3)
}

// seqOf returns the sequence number of tick i. The numbers restart at every instant, and their order differs from that
// of their texts.
func seqOf(i int) int64 { return [instant]int64{0, 9, 10}[i%instant] }

// mustDo panics on an error.
func mustDo(err error) { must(struct{}{}, err) }

// magnitude returns d without its sign, because sizes are not negative.
func magnitude(d domain.Decimal) domain.Decimal {
	if d.Sign() < 0 {
		return d.Neg()
	}
	return d
}

func newTickForm[T domain.Tick](
	kind domain.TickKind, one string, fields int,
	tick func(at time.Time, seq int64, n [4]domain.Decimal, side domain.Side) T,
	read func(ports.TickStore, context.Context, ports.TickQuery) ports.Sequence[domain.Ticks[T]],
	write func(
		ports.TickStore, context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy,
	) (ports.WriteReport, error),
	replace func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error),
	remove func(ports.TickStore, context.Context, domain.Symbol, domain.Range) (ports.WriteReport, error),
) tickForm[T] {
	type D = domain.Ticks[T]
	under := func(onConflict ports.ConflictPolicy) rangeWrite[D] {
		return func(ctx context.Context, s Store, d D, coverage domain.Range) (ports.WriteReport, error) {
			return write(s.Ticks, ctx, d, coverage, onConflict)
		}
	}
	f := tickForm[T]{tick: tick}
	f.form = form[D]{
		prefix: string(kind) + "/", one: one, many: string(kind), aMinute: instant, fields: fields,
		of:  func(d D) string { return string(d.Symbol()) },
		row: func(d D, i int) fmt.Stringer { return d.At(i) },
		rows: func(symbol domain.Symbol, from, to, seed int) D {
			b := domain.NewTicksBuilder[T](symbol)
			for i := range (to - from) * instant {
				n, side := seeded(seed + i)
				mustDo(b.Append(tick(minutes(from+i/instant), seqOf(i), n, side)))
			}

			return must(b.Ticks())
		},
		numbers: func(symbol domain.Symbol, list []domain.Decimal) D {
			b := domain.NewTicksBuilder[T](symbol)
			for i := range list {
				at := func(k int) domain.Decimal { return list[(i+k)%len(list)] }
				mustDo(b.Append(tick(minutes(i), int64(i), [4]domain.Decimal{at(0), at(1), at(2), at(3)}, domain.Side(i%3))))
			}

			return must(b.Ticks())
		},
		field: func(i int) D {
			n, side := seeded(1)
			m, otherSide := seeded(51)
			n[i] = m[i]
			if i == fields-1 { // of a trade, which has no more numbers than that
				side = otherSide
			}

			return must(domain.NewTicks(key.Symbol, tick(start, 0, n, side)))
		},
		zero: func() D {
			return must(domain.NewTicks(key.Symbol, tick(start, 0, [4]domain.Decimal{}, domain.SideUnknown)))
		},
		spelled: func(scale uint8) D {
			var n [4]domain.Decimal
			for i := range n {
				n[i] = must(domain.NewDecimal(int64(i+1)*int64(math.Pow10(int(scale))), scale))
			}

			return must(domain.NewTicks(key.Symbol, tick(start, 0, n, domain.SideBuy)))
		},
		join: func(symbol domain.Symbol, pieces iter.Seq2[int, D]) (D, error) {
			b := domain.NewTicksBuilder[T](symbol)
			for _, p := range pieces {
				if err := b.AppendTicks(p); err != nil {
					return D{}, err
				}
			}

			return b.Ticks()
		},
		stream: func(ctx context.Context, s Store, q ports.TickQuery) ports.Sequence[D] {
			return read(s.Ticks, ctx, q)
		},
		put:     under(ports.ConflictReplace),
		putNew:  under(ports.ConflictFail),
		putKept: under(ports.ConflictKeep),
		putBad:  under(unknownPolicy),
		replace: func(ctx context.Context, s Store, d D, r domain.Range) (ports.WriteReport, error) {
			return replace(s.Ticks, ctx, d, r)
		},
		remove: func(ctx context.Context, s Store, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
			return remove(s.Ticks, ctx, symbol, r)
		},
		extents: func(ctx context.Context, s Store, q ports.ExtentQuery) ([]extent, error) {
			stored, err := ports.Collect(s.Ticks.TickExtents(ctx, q))
			var ofKind []extent
			for _, e := range stored {
				if e.Kind == kind {
					ofKind = append(ofKind, extent{e.Symbol, e.Range})
				}
			}

			return ofKind, err
		},
	}

	return f
}
