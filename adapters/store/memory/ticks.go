package memory

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func tickTable[T domain.Tick](s *Store, kind domain.TickKind) table[domain.Symbol, domain.Ticks[T]] {
	return table[domain.Symbol, domain.Ticks[T]]{
		store: s, kind: string(kind), held: map[domain.Symbol]held[domain.Ticks[T]]{},
		keyOf:    domain.Ticks[T].Symbol,
		validate: domain.Symbol.Validate,
		symbol:   func(symbol domain.Symbol) domain.Symbol { return symbol },
		text:     func(symbol domain.Symbol) string { return string(symbol) },
		begins:   func(ticks domain.Ticks[T]) time.Time { return ticks.Time(0) },
		compare: func(a domain.Ticks[T], i int, b domain.Ticks[T], j int) int {
			return cmp.Or(a.Time(i).Compare(b.Time(j)), cmp.Compare(a.Seq(i), b.Seq(j)))
		},
		join: func(symbol domain.Symbol, pieces []domain.Ticks[T]) (domain.Ticks[T], error) {
			b := domain.NewTicksBuilder[T](symbol)
			for _, p := range pieces {
				if err := b.AppendTicks(p); err != nil {
					return domain.Ticks[T]{}, err
				}
			}

			return b.Ticks()
		},
	}
}

// ReadTrades is to trades what ReadBars is to bars.
func (s *Store) ReadTrades(ctx context.Context, q ports.TickQuery) iter.Seq2[domain.Trades, error] {
	return s.trades.read(ctx, q.Symbol, q.Range, q.First, q.Last)
}

// WriteTrades inserts or overwrites the trades, and claims the range.
func (s *Store) WriteTrades(ctx context.Context, trades domain.Trades, claim domain.Range) (ports.WriteReport, error) {
	return s.trades.write(ctx, trades.Symbol(), claim, trades)
}

// ReplaceTrades puts the trades in the place of all in r, and claims r; no trades delete both.
func (s *Store) ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return s.trades.replace(ctx, trades, r)
}

// ReadQuotes is to quotes what ReadBars is to bars.
func (s *Store) ReadQuotes(ctx context.Context, q ports.TickQuery) iter.Seq2[domain.Quotes, error] {
	return s.quotes.read(ctx, q.Symbol, q.Range, q.First, q.Last)
}

// WriteQuotes inserts or overwrites the quotes, and claims the range.
func (s *Store) WriteQuotes(ctx context.Context, quotes domain.Quotes, claim domain.Range) (ports.WriteReport, error) {
	return s.quotes.write(ctx, quotes.Symbol(), claim, quotes)
}

// ReplaceQuotes puts the quotes in the place of all in r, and claims r; no quotes delete both.
func (s *Store) ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return s.quotes.replace(ctx, quotes, r)
}

// TickExtents returns what writers claimed of the symbols' trades and quotes, or of all.
func (s *Store) TickExtents(ctx context.Context, symbols ...domain.Symbol) ([]domain.TickExtent, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("tick extents", "", err)
	}

	s.mu.RLock()
	defer s.mu.RUnlock()
	var extents []domain.TickExtent
	for symbol, r := range s.trades.claims(symbols) {
		extents = append(extents, domain.TickExtent{Symbol: symbol, Kind: domain.TickTrades, Range: r})
	}
	for symbol, r := range s.quotes.claims(symbols) {
		extents = append(extents, domain.TickExtent{Symbol: symbol, Kind: domain.TickQuotes, Range: r})
	}
	slices.SortFunc(extents, func(a, b domain.TickExtent) int {
		return cmp.Or(cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Kind, b.Kind), a.Range.Start.Compare(b.Range.Start))
	})

	return extents, nil
}
