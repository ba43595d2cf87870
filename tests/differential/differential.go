// Package differential holds one store against another: random operations on both, and every answer equal to the digit.
// The contract says what a store promises; this finds what nobody thought to write down.
package differential

import (
	"context"
	"errors"
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

// checks is how often rapid begins anew with two empty stores, unless -rapid.checks says otherwise.
const checks = 100

// Run applies about so many random operations to stores of the two kinds, and fails at the first answer that differs.
func Run(t *testing.T, a, b contract.Open, steps int) {
	t.Helper()
	run(t, a, b, steps, operations(), compare)
}

func run(
	t *testing.T, a, b contract.Open, steps int, kinds *rapid.Generator[operation],
	compare func(ctx context.Context, a, b contract.Store, program []operation) error,
) {
	t.Helper()
	program := rapid.SliceOfN(kinds, max(1, steps/checks), max(1, steps/checks))
	rapid.Check(t, func(rt *rapid.T) {
		s := &scope{TB: t}
		defer s.close()
		if err := compare(t.Context(), a(s), b(s), program.Draw(rt, "program")); err != nil {
			rt.Fatal(err)
		}
	})
}

// scope is a testing.TB whose cleanups run at the end of one of rapid's checks.
type scope struct {
	testing.TB
	cleanups []func()
}

// Cleanup keeps f for close.
func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) close() {
	for i := len(s.cleanups) - 1; i >= 0; i-- {
		s.cleanups[i]()
	}
}

// operation is one call of a store and its answer as a text in which equal answers, and only they, are equal.
type operation struct {
	text  string
	apply func(ctx context.Context, s contract.Store) string
}

// String is what the operation asks, for rapid to print.
func (o operation) String() string { return o.text }

// compare applies the operations to both stores, and compares at last all that the two hold.
func compare(ctx context.Context, a, b contract.Store, program []operation) error {
	if err := apply(ctx, a, b, slices.Concat(program, []operation{extents(nil), symbols(ports.SymbolQuery{})})); err != nil {
		return err
	}

	keys := map[domain.SeriesKey]bool{}
	held, err := a.Bars.Extents(ctx)
	if err != nil {
		return err
	}

	for _, e := range held {
		if keys[e.Key] {
			continue
		}

		keys[e.Key] = true
		if err := apply(ctx, a, b, []operation{read(ports.BarQuery{Key: e.Key, Range: everything})}); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}

	return nil
}

// apply applies the operations to both stores, up to the first on which they differ.
func apply(ctx context.Context, a, b contract.Store, program []operation) error {
	for i, o := range program {
		if x, y := o.apply(ctx, a), o.apply(ctx, b); x != y {
			return fmt.Errorf("operation %d, %s:\none store: %s\nthe other: %s", i, o, x, y)
		}
	}
	return nil
}

// operations is every kind of call, reads first, to which rapid simplifies.
func operations() *rapid.Generator[operation] {
	return rapid.OneOf(reads(), writes(), writes(), reads(), replacements(), coverage(), lookups(), puts())
}

func reads() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		key := gen.Key().Draw(t, "key")
		q := ports.BarQuery{Key: key, Range: gen.Range(key.Grid).Draw(t, "range")}
		switch rapid.IntRange(0, 3).Draw(t, "limit") {
		case 1:
			q.First = rapid.IntRange(1, gen.Slots).Draw(t, "first")
		case 2:
			q.Last = rapid.IntRange(1, gen.Slots).Draw(t, "last")
		}

		return read(q)
	})
}

func read(q ports.BarQuery) operation {
	return operation{
		text: fmt.Sprintf("read %s %s first %d last %d", q.Key, q.Range, q.First, q.Last),
		apply: func(ctx context.Context, s contract.Store) string {
			var bars strings.Builder
			for piece, err := range s.Bars.ReadBars(ctx, q) {
				if err != nil {
					return failure(err)
				}
				for _, b := range piece.All() {
					fmt.Fprintf(&bars, "\n  %s", b)
				}
			}

			return bars.String()
		},
	}
}

// writes is mostly as a store is used, and now and then with a claim that does not cover the bars.
func writes() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		key := gen.Key().Draw(t, "key")
		r := gen.Range(key.Grid).Draw(t, "range")
		bars := gen.Bars(key, r, 30).Draw(t, "bars")
		claim := r
		if rapid.IntRange(0, 9).Draw(t, "another claim") == 9 {
			claim = gen.Range(key.Grid).Draw(t, "claim")
		}

		return operation{
			text: fmt.Sprintf("write %s, claim %s", bars, claim),
			apply: func(ctx context.Context, s contract.Store) string {
				report, err := s.Bars.WriteBars(ctx, bars, claim)
				return fmt.Sprintf("%+v %s", report, failure(err))
			},
		}
	})
}

func replacements() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		key := gen.Key().Draw(t, "key")
		r := gen.Range(key.Grid).Draw(t, "range")
		bars := domain.EmptySeries(key)
		if rapid.Bool().Draw(t, "with bars") {
			bars = gen.Bars(key, r, 30).Draw(t, "bars")
		}
		if rapid.IntRange(0, 9).Draw(t, "another range") == 9 {
			r = gen.Range(key.Grid).Draw(t, "range replaced")
		}

		return operation{
			text: fmt.Sprintf("replace %s by %s", r, bars),
			apply: func(ctx context.Context, s contract.Store) string {
				report, err := s.Bars.ReplaceBars(ctx, bars, r)
				return fmt.Sprintf("%+v %s", report, failure(err))
			},
		}
	})
}

func coverage() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation { return extents(someSymbols().Draw(t, "symbols")) })
}

func extents(of []domain.Symbol) operation {
	return operation{
		text: fmt.Sprintf("extents of %v", of),
		apply: func(ctx context.Context, s contract.Store) string {
			held, err := s.Bars.Extents(ctx, of...)
			var list strings.Builder
			for _, e := range held {
				fmt.Fprintf(&list, "\n  %s %s %t", e.Key, e.Range, e.Inferred)
			}

			return list.String() + failure(err)
		},
	}
}

func lookups() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return symbols(ports.SymbolQuery{
			Symbols: someSymbols().Draw(t, "symbols"),
			Pattern: rapid.SampledFrom([]string{"", "*", "BTC/*", "*:*", "???/USD", "BTC/USD"}).Draw(t, "pattern"),
			Limit:   rapid.IntRange(0, 3).Draw(t, "limit"),
		})
	})
}

func symbols(q ports.SymbolQuery) operation {
	return operation{
		text: fmt.Sprintf("symbols %+v", q),
		apply: func(ctx context.Context, s contract.Store) string {
			found, err := s.Catalog.Symbols(ctx, q)
			return fmt.Sprintf("%+v %s", found, failure(err))
		},
	}
}

func puts() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		key := gen.Key().Draw(t, "key")
		meta := domain.NewSymbolMeta(key.Symbol)
		meta.Tick = gen.Narrow().Draw(t, "tick") // a negative one is refused
		meta.Zone = key.Grid.Zone()
		return operation{
			text: fmt.Sprintf("put %+v", meta),
			apply: func(ctx context.Context, s contract.Store) string {
				return failure(s.Symbols.PutSymbols(ctx, meta))
			},
		}
	})
}

func someSymbols() *rapid.Generator[[]domain.Symbol] {
	return rapid.SliceOfN(rapid.SampledFrom([]domain.Symbol{"BTC/USD", "COINBASE:BTC/USD", "BTC/USDT", "NO/SUCH"}), 0, 3)
}

// failure is the kind of an error, on which stores agree; its words are each store's own.
func failure(err error) string {
	var e *ports.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return "error: " + e.Kind.Error()
	}

	return "error without a kind: " + err.Error()
}

// everything is a range that holds all that the operations write.
var everything = domain.Range{Start: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)}
