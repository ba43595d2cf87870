package resilience

import (
	"context"
	"iter"
	"math"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ticks is a store of trades and quotes with a policy.
type ticks struct {
	policy *Policy
	next   ports.TickStore
}

var (
	_ ports.OnePageLister    = ticks{}
	_ ports.PartitionDropper = ticks{}
)

// Ticks returns the store with the policy. It can what ports.ListsOnePage and ports.DropPartitions make of the store.
func (p *Policy) Ticks(next ports.TickStore) ports.TickStore { return ticks{p, next} }

// tickRows returns how many ticks the result of a query may have.
func tickRows(q ports.TickQuery) int64 {
	if limit := max(q.First, q.Last); limit > 0 {
		return int64(limit)
	}

	return math.MaxInt64
}

// ReadTrades implements ports.TradeReader.
func (s ticks) ReadTrades(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	return pieces(ctx, s.policy, "read trades", tickRows(q), func() ports.Sequence[domain.Trades] {
		return s.next.ReadTrades(ctx, q)
	})
}

// ReadQuotes implements ports.QuoteReader.
func (s ticks) ReadQuotes(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Quotes] {
	return pieces(ctx, s.policy, "read quotes", tickRows(q), func() ports.Sequence[domain.Quotes] {
		return s.next.ReadQuotes(ctx, q)
	})
}

// TickExtents implements ports.TickCoverageReader.
func (s ticks) TickExtents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.TickExtent, error] {
	return sequence(ctx, s.policy, "read coverage", 0, func() iter.Seq2[domain.TickExtent, error] {
		return s.next.TickExtents(ctx, q)
	})
}

// ListsOnePage implements ports.OnePageLister.
func (s ticks) ListsOnePage() bool { return ports.ListsOnePage(s.next) }

// WriteTrades implements ports.TradeWriter.
func (s ticks) WriteTrades(
	ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "write trades", trades.Len(), func() (ports.WriteReport, error) {
		return s.next.WriteTrades(ctx, trades, coverage, onConflict)
	})
}

// ReplaceTrades implements ports.TradeWriter.
func (s ticks) ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "replace trades", trades.Len(), func() (ports.WriteReport, error) {
		return s.next.ReplaceTrades(ctx, trades, r)
	})
}

// DeleteTrades implements ports.TradeWriter.
func (s ticks) DeleteTrades(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "delete trades", 0, func() (ports.WriteReport, error) {
		return s.next.DeleteTrades(ctx, symbol, r)
	})
}

// WriteQuotes implements ports.QuoteWriter.
func (s ticks) WriteQuotes(
	ctx context.Context, quotes domain.Quotes, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "write quotes", quotes.Len(), func() (ports.WriteReport, error) {
		return s.next.WriteQuotes(ctx, quotes, coverage, onConflict)
	})
}

// ReplaceQuotes implements ports.QuoteWriter.
func (s ticks) ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "replace quotes", quotes.Len(), func() (ports.WriteReport, error) {
		return s.next.ReplaceQuotes(ctx, quotes, r)
	})
}

// DeleteQuotes implements ports.QuoteWriter.
func (s ticks) DeleteQuotes(ctx context.Context, symbol domain.Symbol, r domain.Range) (ports.WriteReport, error) {
	return writeValue(ctx, s.policy, "delete quotes", 0, func() (ports.WriteReport, error) {
		return s.next.DeleteQuotes(ctx, symbol, r)
	})
}

// DropPartitions implements ports.PartitionDropper.
func (s ticks) DropPartitions(ctx context.Context, before time.Time) ([]ports.Partition, error) {
	return dropPartitions(ctx, s.policy, s.next, before)
}

// aggregator is a ports.TradeAggregator with a policy.
type aggregator struct {
	policy *Policy
	next   ports.TradeAggregator
}

// Aggregator returns the aggregator with the policy.
func (p *Policy) Aggregator(next ports.TradeAggregator) ports.TradeAggregator {
	return aggregator{p, next}
}

// AggregateTrades implements ports.TradeAggregator.
func (s aggregator) AggregateTrades(
	ctx context.Context, key domain.SeriesKey, r domain.Range,
) ports.Sequence[domain.Series] {
	rows := barRows(ports.BarQuery{Key: key, Range: r})
	return pieces(ctx, s.policy, "aggregate trades", rows, func() ports.Sequence[domain.Series] {
		return s.next.AggregateTrades(ctx, key, r)
	})
}
