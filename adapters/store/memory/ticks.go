package memory

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/sorting"
	"github.com/gal-friday/marketdata/ports"
)

func newTickTable[T domain.Tick](s *Store, kind domain.TickKind) table[domain.Symbol, domain.Ticks[T]] {
	return table[domain.Symbol, domain.Ticks[T]]{
		store: s, kind: string(kind), entries: map[domain.Symbol]entry[domain.Ticks[T]]{},
		keys:        map[domain.Symbol][]domain.Symbol{},
		keyOf:       domain.Ticks[T].Symbol,
		empty:       emptyTicks[T],
		layout:      func(domain.Symbol) domain.BlockLayout { return domain.TickBlocks() },
		validate:    domain.Symbol.Validate,
		symbolOf:    func(symbol domain.Symbol) domain.Symbol { return symbol },
		compareKeys: cmp.Compare[domain.Symbol],
		keyText:     func(symbol domain.Symbol) string { return string(symbol) },
		startTime:   func(ticks domain.Ticks[T]) time.Time { return ticks.Time(0) },
		compare: func(a domain.Ticks[T], i int, b domain.Ticks[T], j int) int {
			return cmp.Or(a.Time(i).Compare(b.Time(j)), cmp.Compare(a.Seq(i), b.Seq(j)))
		},
		concat: func(symbol domain.Symbol, pieces []domain.Ticks[T]) (domain.Ticks[T], error) {
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

// emptyTicks returns ticks of the symbol without a row.
func emptyTicks[T domain.Tick](symbol domain.Symbol) domain.Ticks[T] {
	ticks, _ := domain.NewTicks[T](symbol) // an invalid symbol has no rows either
	return ticks
}

// ReadTrades yields the trades that are stored when the iteration begins, in the stored pieces, without copying a
// trade.
func (s *Store) ReadTrades(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	return s.trades.read(ctx, q.Symbol, q.Range, q.First, q.Last)
}

// WriteTrades implements ports.TradeWriter.
func (s *Store) WriteTrades(
	ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return s.trades.write(ctx, trades.Symbol(), coverage, onConflict, trades)
}

// ReplaceTrades implements ports.TradeWriter.
func (s *Store) ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return s.trades.replace(ctx, trades, r)
}

// DeleteTrades implements ports.TradeWriter.
func (s *Store) DeleteTrades(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return s.trades.delete(ctx, symbol, r)
}

// ReadQuotes yields the quotes that are stored when the iteration begins, in the stored pieces, without copying a
// quote.
func (s *Store) ReadQuotes(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Quotes] {
	return s.quotes.read(ctx, q.Symbol, q.Range, q.First, q.Last)
}

// WriteQuotes implements ports.QuoteWriter.
func (s *Store) WriteQuotes(
	ctx context.Context, quotes domain.Quotes, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return s.quotes.write(ctx, quotes.Symbol(), coverage, onConflict, quotes)
}

// ReplaceQuotes implements ports.QuoteWriter.
func (s *Store) ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return s.quotes.replace(ctx, quotes, r)
}

// DeleteQuotes implements ports.QuoteWriter.
func (s *Store) DeleteQuotes(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return s.quotes.delete(ctx, symbol, r)
}

// TickExtents implements ports.TickCoverageReader.
func (s *Store) TickExtents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.TickExtent, error] {
	return ports.OnePage(func() ([]domain.TickExtent, error) { return s.findTickExtents(ctx, q) })
}

func (s *Store) findTickExtents(ctx context.Context, q ports.ExtentQuery) ([]domain.TickExtent, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("tick extents", "", err)
	}

	s.mu.RLock()
	defer s.mu.RUnlock()

	var extents []domain.TickExtent
	kind := domain.TickTrades
	add := func(symbol domain.Symbol, r domain.Range) {
		extents = append(extents, domain.TickExtent{Symbol: symbol, Kind: kind, Range: r})
	}
	s.trades.eachExtent(q, add)
	kind = domain.TickQuotes
	s.quotes.eachExtent(q, add)
	sorting.Func(extents, func(a, b domain.TickExtent) int {
		return cmp.Or(
			cmp.Compare(a.Symbol, b.Symbol), cmp.Compare(a.Kind, b.Kind), a.Range.Start.Compare(b.Range.Start))
	})

	return extents, nil
}
