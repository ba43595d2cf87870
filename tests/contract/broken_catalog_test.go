package contract

import (
	"context"
	"io"
	"path"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// alterCoverage returns a store that declares another range.
func alterCoverage(change func(b domain.Series, coverage domain.Range) domain.Range) func() *faulty {
	return writingBy(func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
		return next.WriteBars(ctx, b, change(b, coverage))
	})
}

// alterExtents returns a store that alters its extents.
func alterExtents(change func([]domain.Extent) []domain.Extent) func() *faulty {
	return func() *faulty {
		return &faulty{extents: func(next *memory.Store, ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
			extents, err := ports.Collect(next.Extents(ctx, q))
			return change(extents), err
		}}
	}
}

var extentFaults = []fault{
	{"coverage is that of the bars", alterCoverage(func(b domain.Series, _ domain.Range) domain.Range { return b.Range() }),
		[]string{"extents/coverage_is_stored", "extents/coverage_without_bars"}},
	{"empty coverage is a microsecond", alterCoverage(func(_ domain.Series, coverage domain.Range) domain.Range {
		if coverage.Empty() {
			coverage.End = coverage.Start.Add(time.Microsecond)
		}
		return coverage
	}), []string{"extents/empty_coverage"}},
	{"coverage is whole seconds", alterCoverage(func(_ domain.Series, coverage domain.Range) domain.Range {
		return domain.Range{Start: coverage.Start.Truncate(time.Second), End: coverage.End.Truncate(time.Second)}
	}), []string{"extents/bounds_are_exact"}},
	{"extents do not merge", alterExtents(func(extents []domain.Extent) []domain.Extent {
		var halves []domain.Extent
		for _, e := range extents {
			middle := e.Range.Start.Add(e.Range.End.Sub(e.Range.Start) / 2)
			halves = append(halves,
				domain.Extent{Key: e.Key, Range: domain.Range{Start: e.Range.Start, End: middle}},
				domain.Extent{Key: e.Key, Range: domain.Range{Start: middle, End: e.Range.End}})
		}

		return halves
	}), []string{"extents/touching_merge"}},
	{"gaps are filled", alterExtents(func(extents []domain.Extent) []domain.Extent {
		if len(extents) == 2 && extents[0].Key == extents[1].Key {
			extents[0].Range.End = extents[1].Range.End
			return extents[:1]
		}

		return extents
	}), []string{"extents/apart_stay_apart"}},
	{"the coverage of some symbols cannot be read", func() *faulty {
		return &faulty{extents: func(next *memory.Store, ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
			if slices.Contains(q.Symbols, "COIN3/USD") {
				return nil, io.ErrUnexpectedEOF
			}

			return ports.Collect(next.Extents(ctx, q))
		}}
	}, []string{"concurrent/readers_and_writers"}},
	{"extents come in any order", alterExtents(func(extents []domain.Extent) []domain.Extent {
		slices.Reverse(extents)
		return extents
	}), []string{"extents/by_key"}},
	{"the requested symbols are ignored", func() *faulty {
		return &faulty{extents: func(next *memory.Store, ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
			return ports.Collect(next.Extents(ctx, ports.ExtentQuery{After: q.After}))
		}}
	}, []string{"extents/of_the_symbols_asked", "symbol/impossible_is_data"}},
	{"the requested symbols are sorted", func() *faulty {
		return &faulty{extents: func(next *memory.Store, ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
			slices.Sort(q.Symbols)
			return ports.Collect(next.Extents(ctx, q))
		}}
	}, []string{"caller/slices_unchanged"}},
	{"extents begin at the symbol", func() *faulty {
		return &faulty{extents: func(next *memory.Store, ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
			after := q.After
			q.After = ""
			extents, err := ports.Collect(next.Extents(ctx, q))
			return slices.DeleteFunc(extents, func(e domain.Extent) bool { return e.Key.Symbol < after }), err
		}}
	}, []string{"extents/behind_a_symbol"}},
	{"coverage is looked up of one symbol", func() *faulty {
		return &faulty{lookup: func(domain.Symbol) domain.Symbol { return key.Symbol }}
	}, []string{"extents/local_lookup"}},
	{"a listing has one page", func() *faulty {
		return &faulty{extents: func(next *memory.Store, ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error) {
			extents, err := ports.Collect(next.Extents(ctx, q))
			return extents[:min(len(extents), 3)], err
		}}
	}, []string{"extents/of_many_symbols"}},
}

func putting(put func(next *memory.Store, ctx context.Context, metas []domain.SymbolMeta) error) func() *faulty {
	return func() *faulty { return &faulty{put: put} }
}

func forgetting(forget func(next *memory.Store, ctx context.Context, symbol domain.Symbol) error) func() *faulty {
	return func() *faulty { return &faulty{forget: forget} }
}

func searching(change func(*ports.SymbolQuery)) func() *faulty {
	return func() *faulty {
		return &faulty{symbols: func(next *memory.Store, ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
			change(&q)
			return ports.Collect(next.Symbols(ctx, q))
		}}
	}
}

var catalogFaults = []fault{
	{"lots are forgotten", putting(func(next *memory.Store, ctx context.Context, metas []domain.SymbolMeta) error {
		metas = slices.Clone(metas)
		for i := range metas {
			metas[i].Lot = domain.Decimal{}
		}

		return next.PutSymbols(ctx, metas...)
	}), []string{"catalog/every_field_round_trips"}},
	{"the first put stays", putting(func(next *memory.Store, ctx context.Context, metas []domain.SymbolMeta) error {
		known, err := ports.Collect(next.Symbols(ctx, ports.SymbolQuery{}))
		if err != nil {
			return err
		}

		isKnown := func(m domain.SymbolMeta) bool {
			return slices.ContainsFunc(known, func(k domain.SymbolMeta) bool { return k.Symbol == m.Symbol })
		}

		return next.PutSymbols(ctx, slices.DeleteFunc(slices.Clone(metas), isKnown)...)
	}), []string{"catalog/put_replaces"}},
	{"one by one", putting(func(next *memory.Store, ctx context.Context, metas []domain.SymbolMeta) error {
		for _, m := range metas {
			if err := next.PutSymbols(ctx, m); err != nil {
				return err
			}
		}

		return nil
	}), []string{"catalog/put_all_or_none"}},
	{"a removal is lost", forgetting(func(*memory.Store, context.Context, domain.Symbol) error { return nil }),
		[]string{"catalog/removed_symbol_is_unknown", "catalog/symbol_with_data_stays"}},
	{"a removal deletes the data", forgetting(func(next *memory.Store, ctx context.Context, symbol domain.Symbol) error {
		extents, err := ports.Collect(next.Extents(ctx, ports.ExtentQuery{Symbols: []domain.Symbol{symbol}}))
		if err != nil {
			return err
		}
		for _, e := range extents {
			if _, err := next.DeleteBars(ctx, e.Key, e.Range); err != nil {
				return err
			}
		}

		return next.RemoveSymbol(ctx, symbol)
	}), []string{"catalog/symbol_with_data_stays"}},
	{"a put is lost", putting(func(*memory.Store, context.Context, []domain.SymbolMeta) error { return nil }),
		[]string{"catalog/concurrent", "catalog/hostile_is_data"}},
	{"symbols come in any order", func() *faulty {
		return &faulty{symbols: func(next *memory.Store, ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
			found, err := ports.Collect(next.Symbols(ctx, q))
			slices.Reverse(found)
			return found, err
		}}
	}, []string{"catalog/ordered_by_symbol"}},
	{"an unknown symbol is an error", func() *faulty {
		return &faulty{symbols: func(next *memory.Store, ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
			found, err := ports.Collect(next.Symbols(ctx, q))
			if err == nil && len(found) < len(q.Symbols) {
				err = ports.ErrNotFound
			}

			return found, err
		}}
	}, []string{"catalog/exactly_these"}},
	{"patterns are those of a shell", func() *faulty {
		return &faulty{symbols: func(next *memory.Store, ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
			pattern := q.Pattern
			q.Pattern = ""
			found, err := ports.Collect(next.Symbols(ctx, q))
			return slices.DeleteFunc(found, func(m domain.SymbolMeta) bool {
				ok, err := path.Match(pattern, string(m.Symbol))
				return err != nil || !ok
			}), err
		}}
	}, []string{"catalog/pattern", "catalog/pattern_bytes_are_themselves"}},
	{"a pattern is of all symbols", searching(func(q *ports.SymbolQuery) {
		if q.Pattern != "" {
			q.Symbols = nil
		}
	}), []string{"catalog/pattern_of_these"}},
	{"symbols begin at the symbol", func() *faulty {
		return &faulty{symbols: func(next *memory.Store, ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
			after := q.After
			q.After = ""
			found, err := ports.Collect(next.Symbols(ctx, q))
			return slices.DeleteFunc(found, func(m domain.SymbolMeta) bool { return m.Symbol < after }), err
		}}
	}, []string{"catalog/behind_a_symbol"}},
	{"a catalog has one page", searching(func(q *ports.SymbolQuery) {
		if q.Limit == 0 {
			q.Limit = 10_000
		}
	}), []string{"catalog/many_symbols"}},
	{"lookups are of one symbol", func() *faulty {
		return &faulty{lookup: func(domain.Symbol) domain.Symbol { return "A/C" }}
	}, []string{"catalog/local_lookup"}},
	{"no limit", searching(func(q *ports.SymbolQuery) { q.Limit = 0 }), []string{"catalog/limit"}},
	{"writes register nothing", func() *faulty {
		other := memory.New()
		return &faulty{write: func(w writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
			return writer{other, w.onConflict}.WriteBars(ctx, b, coverage)
		}}
	}, []string{"catalog/write_registers_symbol"}},
	{"writes register again", writingBy(
		func(next writer, ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
			report, err := next.WriteBars(ctx, b, coverage)
			if err == nil {
				err = next.PutSymbols(ctx, domain.NewSymbolMeta(b.Key().Symbol))
			}

			return report, err
		}), []string{"catalog/write_keeps_what_is_known"}},
}
