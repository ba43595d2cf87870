package contract

import (
	"context"
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// recordCalls returns the store with every port replaced by one that records its calls.
func recordCalls(s Store, c *calls) Store {
	if s.Bars != nil {
		s.Bars = recordedBars{s.Bars, c}
	}
	if s.Ticks != nil {
		s.Ticks = recordedTicks{s.Ticks, c}
	}
	if s.Catalog != nil {
		s.Catalog = recordedCatalog{s.Catalog, c}
	}
	if s.Symbols != nil {
		s.Symbols = recordedSymbols{s.Symbols, c}
	}
	if s.Aggregator != nil {
		s.Aggregator = recordedAggregator{s.Aggregator, c}
	}
	if s.Batch != nil {
		s.Batch = recordedBatch{s.Batch, c}
	}
	if s.States != nil {
		s.States = recordedStates{s.States, c}
	}

	return s
}

type recordedBars struct {
	next  ports.Store
	calls *calls
}

func (r recordedBars) unrecorded() any { return r.next }

// ReadBars forwards the call and records it.
func (r recordedBars) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	end := r.calls.begin(ctx, "ReadBars", q)
	return recorded(r.next.ReadBars(ctx, q), end)
}

// WriteBatch forwards the call and records it.
func (r recordedBars) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	end := r.calls.begin(ctx, "WriteBatch", writes)
	results := r.next.WriteBatch(ctx, writes)
	end(results)

	return results
}

// ReplaceBars forwards the call and records it.
func (r recordedBars) ReplaceBars(
	ctx context.Context, bars domain.Series, in domain.Range,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "ReplaceBars", bars, in)
	report, err := r.next.ReplaceBars(ctx, bars, in)
	end(report, err)

	return report, err
}

// DeleteBars forwards the call and records it.
func (r recordedBars) DeleteBars(
	ctx context.Context, k domain.SeriesKey, in domain.Range,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "DeleteBars", k, in)
	report, err := r.next.DeleteBars(ctx, k, in)
	end(report, err)

	return report, err
}

// Extents forwards the call and records it.
func (r recordedBars) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	end := r.calls.begin(ctx, "Extents", q)
	return recordedList(r.next.Extents(ctx, q), end)
}

type recordedTicks struct {
	next  ports.TickStore
	calls *calls
}

// ReadTrades forwards the call and records it.
func (r recordedTicks) ReadTrades(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Trades] {
	end := r.calls.begin(ctx, "ReadTrades", q)
	return recorded(r.next.ReadTrades(ctx, q), end)
}

// ReadQuotes forwards the call and records it.
func (r recordedTicks) ReadQuotes(ctx context.Context, q ports.TickQuery) ports.Sequence[domain.Quotes] {
	end := r.calls.begin(ctx, "ReadQuotes", q)
	return recorded(r.next.ReadQuotes(ctx, q), end)
}

// WriteTrades forwards the call and records it.
func (r recordedTicks) WriteTrades(
	ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "WriteTrades", trades, coverage, onConflict)
	report, err := r.next.WriteTrades(ctx, trades, coverage, onConflict)
	end(report, err)

	return report, err
}

// WriteQuotes forwards the call and records it.
func (r recordedTicks) WriteQuotes(
	ctx context.Context, quotes domain.Quotes, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "WriteQuotes", quotes, coverage, onConflict)
	report, err := r.next.WriteQuotes(ctx, quotes, coverage, onConflict)
	end(report, err)

	return report, err
}

// ReplaceTrades forwards the call and records it.
func (r recordedTicks) ReplaceTrades(
	ctx context.Context, trades domain.Trades, in domain.Range,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "ReplaceTrades", trades, in)
	report, err := r.next.ReplaceTrades(ctx, trades, in)
	end(report, err)

	return report, err
}

// ReplaceQuotes forwards the call and records it.
func (r recordedTicks) ReplaceQuotes(
	ctx context.Context, quotes domain.Quotes, in domain.Range,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "ReplaceQuotes", quotes, in)
	report, err := r.next.ReplaceQuotes(ctx, quotes, in)
	end(report, err)

	return report, err
}

// DeleteTrades forwards the call and records it.
func (r recordedTicks) DeleteTrades(
	ctx context.Context, symbol domain.Symbol, in domain.Range,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "DeleteTrades", symbol, in)
	report, err := r.next.DeleteTrades(ctx, symbol, in)
	end(report, err)

	return report, err
}

// DeleteQuotes forwards the call and records it.
func (r recordedTicks) DeleteQuotes(
	ctx context.Context, symbol domain.Symbol, in domain.Range,
) (ports.WriteReport, error) {
	end := r.calls.begin(ctx, "DeleteQuotes", symbol, in)
	report, err := r.next.DeleteQuotes(ctx, symbol, in)
	end(report, err)

	return report, err
}

// TickExtents forwards the call and records it.
func (r recordedTicks) TickExtents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.TickExtent, error] {
	end := r.calls.begin(ctx, "TickExtents", q)
	return recordedList(r.next.TickExtents(ctx, q), end)
}

type recordedCatalog struct {
	next  ports.SymbolCatalog
	calls *calls
}

func (r recordedCatalog) unrecorded() any { return r.next }

// Symbols forwards the call and records it.
func (r recordedCatalog) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	end := r.calls.begin(ctx, "Symbols", q)
	return recordedList(r.next.Symbols(ctx, q), end)
}

type recordedSymbols struct {
	next  ports.SymbolWriter
	calls *calls
}

func (r recordedSymbols) unrecorded() any { return r.next }

// PutSymbols forwards the call and records it.
func (r recordedSymbols) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	end := r.calls.begin(ctx, "PutSymbols", metas)
	err := r.next.PutSymbols(ctx, metas...)
	end(unquoted(errorText(err)))

	return err
}

// recordedRemover is an optional port of a SymbolWriter; see removerOf.
type recordedRemover struct {
	next  ports.SymbolRemover
	calls *calls
}

// RemoveSymbol forwards the call and records it.
func (r recordedRemover) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	end := r.calls.begin(ctx, "RemoveSymbol", symbol)
	err := r.next.RemoveSymbol(ctx, symbol)
	end(unquoted(errorText(err)))

	return err
}

type recordedAggregator struct {
	next  ports.TradeAggregator
	calls *calls
}

// AggregateTrades forwards the call and records it.
func (r recordedAggregator) AggregateTrades(
	ctx context.Context, k domain.SeriesKey, in domain.Range,
) ports.Sequence[domain.Series] {
	end := r.calls.begin(ctx, "AggregateTrades", k, in)
	return recorded(r.next.AggregateTrades(ctx, k, in), end)
}

type recordedBatch struct {
	next  ports.BatchReader
	calls *calls
}

// ReadBatch forwards the call and records it.
func (r recordedBatch) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	end := r.calls.begin(ctx, "ReadBatch", queries)
	return recordedList(r.next.ReadBatch(ctx, queries), end)
}

type recordedStates struct {
	next  ports.StateReader
	calls *calls
}

// ReadStates forwards the call and records it.
func (r recordedStates) ReadStates(
	ctx context.Context, queries []ports.SeriesQuery,
) ([]*domain.SeriesState, error) {
	end := r.calls.begin(ctx, "ReadStates", queries)
	states, err := r.next.ReadStates(ctx, queries)
	end(states, err)

	return states, err
}

// recordHints returns the subject with peers that record their calls.
func recordHints(s HintsSubject, c *calls) HintsSubject {
	peers := make([]blockcache.Hints, len(s.Peers))
	for i, p := range s.Peers {
		peers[i] = recordedHints{p, i, c}
	}
	s.Peers = peers

	return s
}

type recordedHints struct {
	next  blockcache.Hints
	peer  int
	calls *calls
}

// Publish forwards the call and records it.
func (r recordedHints) Publish(ctx context.Context, changes ...blockcache.Hint) error {
	end := r.calls.begin(ctx, fmt.Sprintf("peer %d: Publish", r.peer), unquoted(listText(changes)))
	err := r.next.Publish(ctx, changes...)
	end(unquoted(errorText(err)))

	return err
}

// Subscribe forwards the call and records it.
func (r recordedHints) Subscribe(ctx context.Context) (iter.Seq2[blockcache.Hint, error], error) {
	end := r.calls.begin(ctx, fmt.Sprintf("peer %d: Subscribe", r.peer))
	heard, err := r.next.Subscribe(ctx)
	if err != nil {
		end(err)
		return heard, err
	}

	return recordedList(heard, end), nil
}

// recordSharedBlocks returns the caches with their calls recorded.
func recordSharedBlocks(caches []blockcache.SharedCache, c *calls) []blockcache.SharedCache {
	recorded := make([]blockcache.SharedCache, len(caches))
	for i, next := range caches {
		recorded[i] = recordedShared{next, i, c}
	}

	return recorded
}

type recordedShared struct {
	next  blockcache.SharedCache
	cache int
	calls *calls
}

// GetBlocks forwards the call and records it.
func (r recordedShared) GetBlocks(ctx context.Context, keys []blockcache.Key) []blockcache.Block {
	end := r.calls.begin(ctx, fmt.Sprintf("cache %d: GetBlocks", r.cache), unquoted(listText(keys)))
	blocks := r.next.GetBlocks(ctx, keys)
	end(unquoted(fmt.Sprintf("%d blocks, %d of them zero", len(blocks), countNone(blocks))))

	return blocks
}

// PutBlocks forwards the call and records it.
func (r recordedShared) PutBlocks(ctx context.Context, keys []blockcache.Key, blocks []blockcache.Block) {
	end := r.calls.begin(ctx, fmt.Sprintf("cache %d: PutBlocks", r.cache), unquoted(listText(keys)))
	r.next.PutBlocks(ctx, keys, blocks)
	end("done")
}
