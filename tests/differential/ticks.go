package differential

import (
	"context"
	"fmt"
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

// RunTicks is Run for trades and quotes of the same symbols, in turns.
func RunTicks(t *testing.T, a, b contract.Open) {
	t.Helper()
	comparison{tickOperations(), applyAndReadTicks}.run(t, a, b)
}

// applyAndReadTicks applies the operations to both stores, and compares all ticks and symbols that they store
// afterwards.
func applyAndReadTicks(ctx context.Context, a, b contract.Store, program []operation) error {
	last := []operation{tickExtents(nil), symbols(ports.SymbolQuery{})}
	for _, symbol := range gen.Symbols() {
		q := ports.TickQuery{Symbol: symbol, Range: everything}
		last = append(last, trades.read(q), quotes.read(q))
	}

	return apply(ctx, a, b, slices.Concat(program, last))
}

// tickKind is trades or quotes: how they are made, and a store's methods for them.
type tickKind[T domain.Tick] struct {
	name    string
	tick    func(at time.Time, seq int64) *rapid.Generator[T]
	reader  func(ports.TickStore) func(context.Context, ports.TickQuery) ports.Sequence[domain.Ticks[T]]
	write   tickWrite[T]
	replace func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
	remove  func(ports.TickStore, context.Context, domain.Symbol, domain.Range) (ports.WriteReport, error)
}

// tickWrite is a method that writes ticks.
type tickWrite[T domain.Tick] = func(
	ports.TickStore, context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy,
) (ports.WriteReport, error)

var (
	trades = tickKind[domain.Trade]{
		name: "trades", tick: gen.Trade,
		reader: func(s ports.TickStore) func(context.Context, ports.TickQuery) ports.Sequence[domain.Trades] {
			return s.ReadTrades
		},
		write:   ports.TickStore.WriteTrades,
		replace: ports.TickStore.ReplaceTrades,
		remove:  ports.TickStore.DeleteTrades,
	}
	quotes = tickKind[domain.Quote]{
		name: "quotes", tick: gen.Quote,
		reader: func(s ports.TickStore) func(context.Context, ports.TickQuery) ports.Sequence[domain.Quotes] {
			return s.ReadQuotes
		},
		write:   ports.TickStore.WriteQuotes,
		replace: ports.TickStore.ReplaceQuotes,
		remove:  ports.TickStore.DeleteQuotes,
	}
)

// maxTicks is the largest number of ticks that one operation writes.
const maxTicks = 30

// tickOperations generates every kind of call, reads first.
func tickOperations() *rapid.Generator[operation] {
	coverage := rapid.Custom(func(t *rapid.T) operation { return tickExtents(someSymbols().Draw(t, "symbols")) })
	return rapid.OneOf(trades.reads(), quotes.reads(), trades.writes(), quotes.writes(),
		trades.replacements(), quotes.replacements(), coverage, lookups(), tickRetentions())
}

func (k tickKind[T]) reads() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		q := ports.TickQuery{
			Symbol: rapid.SampledFrom(gen.Symbols()).Draw(t, "symbol"),
			Range:  gen.TickRange().Draw(t, "range"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "limit") {
		case 1:
			q.First = rapid.IntRange(1, 2*maxTicks).Draw(t, "first")
		case 2:
			q.Last = rapid.IntRange(1, 2*maxTicks).Draw(t, "last")
		}

		return k.read(q)
	})
}

func (k tickKind[T]) read(q ports.TickQuery) operation {
	return operation{
		text: fmt.Sprintf("read %s of %s %s first %d last %d", k.name, q.Symbol, q.Range, q.First, q.Last),
		apply: func(ctx context.Context, s contract.Store) string {
			var list strings.Builder
			for piece, err := range k.reader(s.Ticks)(ctx, q).Rows() {
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

func (k tickKind[T]) writes() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		policy := drawPolicy(t)
		return k.change(t, fmt.Sprintf("write under policy %d", policy), func(
			s ports.TickStore, ctx context.Context, ticks domain.Ticks[T], r domain.Range,
		) (ports.WriteReport, error) {
			return k.write(s, ctx, ticks, r, policy)
		})
	})
}

// replacements generates replacements, many of them by no ticks, which are deletions.
func (k tickKind[T]) replacements() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return k.change(t, "replace by", func(
			s ports.TickStore, ctx context.Context, ticks domain.Ticks[T], r domain.Range,
		) (ports.WriteReport, error) {
			if ticks.Len() == 0 {
				return k.remove(s, ctx, ticks.Symbol(), r)
			}
			return k.replace(s, ctx, ticks, r)
		})
	})
}

// change returns a call of the method, one of ten with a range that need not contain the ticks.
func (k tickKind[T]) change(
	t *rapid.T, verb string,
	method func(ports.TickStore, context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error),
) operation {
	r := gen.TickRange().Draw(t, "range")
	limit := maxTicks
	if rapid.IntRange(0, 2).Draw(t, "none") == 2 {
		limit = 0
	}
	ticks := gen.Ticks(rapid.SampledFrom(gen.Symbols()).Draw(t, "symbol"), r, limit, k.tick).Draw(t, "ticks")
	if rapid.IntRange(0, 9).Draw(t, "another range") == 9 {
		r = gen.TickRange().Draw(t, "its range")
	}

	return operation{
		text: fmt.Sprintf("%s %s %s in %s", verb, k.name, ticks, r),
		apply: func(ctx context.Context, s contract.Store) string {
			report, err := method(s.Ticks, ctx, ticks, r)
			return fmt.Sprintf("%+v %s", report, failure(err))
		},
	}
}

func tickExtents(of []domain.Symbol) operation {
	return operation{
		text: fmt.Sprintf("extents of trades and quotes of %v", of),
		apply: func(ctx context.Context, s contract.Store) string {
			found, err := ports.Collect(s.Ticks.TickExtents(ctx, ports.ExtentQuery{Symbols: of}))
			var list strings.Builder
			for _, e := range found {
				fmt.Fprintf(&list, "\n  %s %s %s", e.Symbol, e.Kind, e.Range)
			}

			return list.String() + failure(err)
		},
	}
}
