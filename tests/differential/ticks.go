package differential

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/gen"
)

// RunTicks is Run for trades and quotes: both kinds of the same symbols, by turns.
func RunTicks(t *testing.T, a, b contract.Open, steps int) {
	t.Helper()
	run(t, a, b, steps, tickOperations(), compareTicks)
}

// compareTicks applies the operations to both stores, and compares at last all that the two hold.
func compareTicks(ctx context.Context, a, b contract.Store, program []operation) error {
	last := []operation{tickExtents(nil), symbols(ports.SymbolQuery{})}
	for _, symbol := range gen.Symbols() {
		q := ports.TickQuery{Symbol: symbol, Range: everything}
		last = append(last, trades.read(q), quotes.read(q))
	}

	return apply(ctx, a, b, slices.Concat(program, last))
}

// tickKind is the calls of a store for one kind of ticks.
type tickKind[T domain.Tick] struct {
	name           string
	tick           func(at time.Time, seq int64) *rapid.Generator[T]
	stream         func(ports.TickStore, context.Context, ports.TickQuery) iter.Seq2[domain.Ticks[T], error]
	write, replace func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
}

var (
	trades = tickKind[domain.Trade]{"trades", gen.Trade,
		ports.TickStore.ReadTrades, ports.TickStore.WriteTrades, ports.TickStore.ReplaceTrades}
	quotes = tickKind[domain.Quote]{"quotes", gen.Quote,
		ports.TickStore.ReadQuotes, ports.TickStore.WriteQuotes, ports.TickStore.ReplaceQuotes}
)

// mostTicks is how many ticks one operation writes at most.
const mostTicks = 30

// tickOperations is every kind of call, reads first, to which rapid simplifies.
func tickOperations() *rapid.Generator[operation] {
	coverage := rapid.Custom(func(t *rapid.T) operation { return tickExtents(someSymbols().Draw(t, "symbols")) })
	return rapid.OneOf(trades.reads(), quotes.reads(), trades.writes(), quotes.writes(),
		trades.replacements(), quotes.replacements(), coverage, lookups())
}

func (k tickKind[T]) reads() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		q := ports.TickQuery{Symbol: rapid.SampledFrom(gen.Symbols()).Draw(t, "symbol"), Range: gen.Moments().Draw(t, "range")}
		switch rapid.IntRange(0, 3).Draw(t, "limit") {
		case 1:
			q.First = rapid.IntRange(1, 2*mostTicks).Draw(t, "first")
		case 2:
			q.Last = rapid.IntRange(1, 2*mostTicks).Draw(t, "last")
		}

		return k.read(q)
	})
}

func (k tickKind[T]) read(q ports.TickQuery) operation {
	return operation{
		text: fmt.Sprintf("read %s of %s %s first %d last %d", k.name, q.Symbol, q.Range, q.First, q.Last),
		apply: func(ctx context.Context, s contract.Store) string {
			var list strings.Builder
			for piece, err := range k.stream(s.Ticks, ctx, q) {
				if err != nil {
					return failure(err)
				}
				for _, tick := range piece.All() {
					fmt.Fprintf(&list, "\n  %s", tick)
				}
			}

			return list.String()
		},
	}
}

func (k tickKind[T]) writes() *rapid.Generator[operation] { return k.changes("write", k.write) }

// replacements by no ticks, which changes draws often enough, are deletions.
func (k tickKind[T]) replacements() *rapid.Generator[operation] {
	return k.changes("replace by", k.replace)
}

// changes is mostly as a store is used, and now and then with a range that does not cover the ticks.
func (k tickKind[T]) changes(
	verb string, change func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error),
) *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		r := gen.Moments().Draw(t, "range")
		most := mostTicks
		if rapid.IntRange(0, 2).Draw(t, "none") == 2 {
			most = 0
		}
		ticks := gen.Ticks(rapid.SampledFrom(gen.Symbols()).Draw(t, "symbol"), r, most, k.tick).Draw(t, "ticks")
		if rapid.IntRange(0, 9).Draw(t, "another range") == 9 {
			r = gen.Moments().Draw(t, "its range")
		}

		return operation{
			text: fmt.Sprintf("%s %s %s in %s", verb, k.name, ticks, r),
			apply: func(ctx context.Context, s contract.Store) string {
				report, err := change(s.Ticks, ctx, ticks, r)
				return fmt.Sprintf("%+v %s", report, failure(err))
			},
		}
	})
}

func tickExtents(of []domain.Symbol) operation {
	return operation{
		text: fmt.Sprintf("extents of trades and quotes of %v", of),
		apply: func(ctx context.Context, s contract.Store) string {
			held, err := s.Ticks.TickExtents(ctx, of...)
			var list strings.Builder
			for _, e := range held {
				fmt.Fprintf(&list, "\n  %s %s %s", e.Symbol, e.Kind, e.Range)
			}

			return list.String() + failure(err)
		},
	}
}
