// Package differential compares stores: it applies random operations to two stores and requires equal results, to the
// digit. The contract tests check what a store promises; this package finds differences that no contract test expects.
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
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/gen"
)

// A comparison applies random operations to two stores, and compares every result.
type comparison struct {
	operations *rapid.Generator[operation]

	// compare applies the program to both stores, and compares all that they store afterwards.
	compare func(ctx context.Context, a, b contract.Store, program []operation) error
}

const (
	operationsPerCheck = 50
	shortChecks        = 30 // in the short form; each check has two empty stores
)

// run fails at the first result that differs.
func (c comparison) run(t *testing.T, a, b contract.Open) {
	t.Helper()
	program := rapid.SliceOfN(c.operations, operationsPerCheck, operationsPerCheck)
	effort.Check(t, shortChecks, func(rt *rapid.T) {
		s := &scope{TB: t}
		defer s.close()
		if err := c.compare(t.Context(), a(s), b(s), program.Draw(rt, "program")); err != nil {
			rt.Fatal(err)
		}
	})
}

// Run applies random operations on bars and symbols to stores of the two kinds. It fails at the first result that
// differs.
func Run(t *testing.T, a, b contract.Open) {
	t.Helper()
	comparison{barOperations(), applyAndReadBars}.run(t, a, b)
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

// operation is one call of a store. Its result is a text that is equal for equal results only.
type operation struct {
	text  string
	apply func(ctx context.Context, s contract.Store) string
}

// String returns the call as text, which rapid prints.
func (o operation) String() string { return o.text }

// applyAndReadBars applies the operations to both stores, and compares all bars and symbols that they store afterwards.
func applyAndReadBars(ctx context.Context, a, b contract.Store, program []operation) error {
	program = slices.Concat(program, []operation{extents(nil), symbols(ports.SymbolQuery{})})
	if err := apply(ctx, a, b, program); err != nil {
		return err
	}

	keys := map[domain.SeriesKey]bool{}
	found, err := ports.Collect(a.Bars.Extents(ctx, ports.ExtentQuery{}))
	if err != nil {
		return err
	}

	for _, e := range found {
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

// apply applies the operations to both stores, up to the first one with different results.
func apply(ctx context.Context, a, b contract.Store, program []operation) error {
	for i, o := range program {
		if x, y := o.apply(ctx, a), o.apply(ctx, b); x != y {
			return fmt.Errorf("operation %d, %s:\none store: %s\nthe other: %s", i, o, x, y)
		}
	}

	return nil
}

// barOperations generates every kind of call. Reads come first, because rapid simplifies towards the first.
func barOperations() *rapid.Generator[operation] {
	return rapid.OneOf(reads(), writes(), batches(), reads(), replacements(), coverages(), lookups(), puts(), retentions())
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
			for piece, err := range s.Bars.ReadBars(ctx, q).Rows() {
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

// writes generates writes, a tenth of them with a declared coverage that need not contain the bars.
func writes() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		key := gen.Key().Draw(t, "key")
		r := gen.Range(key.Grid).Draw(t, "range")
		bars := gen.Bars(key, r, 30).Draw(t, "bars")
		coverage := r
		if rapid.IntRange(0, 9).Draw(t, "another coverage") == 9 {
			coverage = gen.Range(key.Grid).Draw(t, "coverage")
		}
		policy := drawPolicy(t)

		return operation{
			text: fmt.Sprintf("write %s, coverage %s, policy %d", bars, coverage, policy),
			apply: func(ctx context.Context, s contract.Store) string {
				report, err := ports.WriteBars(ctx, s.Bars, bars, coverage, policy)
				return fmt.Sprintf("%+v %s", report, failure(err))
			},
		}
	})
}

// drawPolicy draws a conflict policy, in half of the cases one that always writes.
func drawPolicy(t *rapid.T) ports.ConflictPolicy {
	return rapid.SampledFrom([]ports.ConflictPolicy{
		ports.ConflictReplace, ports.ConflictReplace, ports.ConflictFail, ports.ConflictKeep,
	}).Draw(t, "policy")
}

// batches generates writes of several series in one call.
func batches() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		var writes []ports.BarWrite
		for range rapid.IntRange(0, 5).Draw(t, "writes") {
			key := gen.Key().Draw(t, "key")
			r := gen.Range(key.Grid).Draw(t, "range")
			writes = append(writes, ports.BarWrite{
				Bars: gen.Bars(key, r, 10).Draw(t, "bars"), Coverage: r, OnConflict: drawPolicy(t),
			})
		}

		return operation{
			text: fmt.Sprintf("write a batch: %v", writes),
			apply: func(ctx context.Context, s contract.Store) string {
				var list strings.Builder
				for _, r := range s.Bars.WriteBatch(ctx, writes) {
					fmt.Fprintf(&list, "\n  %+v %s", r.Report, failure(r.Err))
				}

				return list.String()
			},
		}
	})
}

// replacements generates replacements, half of them by no bars, which are deletions.
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
				report, err := gen.ReplaceOrDelete(ctx, s.Bars, bars, r)
				return fmt.Sprintf("%+v %s", report, failure(err))
			},
		}
	})
}

func coverages() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation { return extents(someSymbols().Draw(t, "symbols")) })
}

func extents(of []domain.Symbol) operation {
	return operation{
		text: fmt.Sprintf("extents of %v", of),
		apply: func(ctx context.Context, s contract.Store) string {
			found, err := ports.Collect(s.Bars.Extents(ctx, ports.ExtentQuery{Symbols: of}))
			var list strings.Builder
			for _, e := range found {
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
			found, err := ports.Collect(s.Catalog.Symbols(ctx, q))
			return fmt.Sprintf("%+v %s", found, failure(err))
		},
	}
}

func puts() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		key := gen.Key().Draw(t, "key")
		meta := domain.NewSymbolMeta(key.Symbol)
		meta.Tick = gen.NarrowDecimal().Draw(t, "tick") // stores reject a negative one
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

// failure returns the kind of an error, on which stores must agree; each store words its errors itself.
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

// everything is a range that contains all data that the operations write.
var everything = domain.Range{
	Start: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC),
	End:   time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
}
