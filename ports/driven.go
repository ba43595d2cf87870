package ports

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// BarQuery selects bars of one series. Key and Range must be valid; at most one of First and Last may be above 0.
type BarQuery struct {
	Key   domain.SeriesKey
	Range domain.Range // on open times, half-open
	First int          // at most the first so many; 0 is all
	Last  int          // at most the last so many; 0 is all
	State StateQuery

	// ReportUnreadable asks the store to go on over a stored bar that no Series can represent, and to name it in
	// Piece.Unreadable. A store may ignore it.
	ReportUnreadable bool
}

// StateQuery selects the parts of a state that a read returns beside those of its own range. The zero value adds none.
type StateQuery struct {
	Range domain.Range   // the state has the blocks of this range too, unless the series has the version Known
	Known domain.Version // of a state that the caller has
}

// MaxBars returns an upper bound of the number of bars in the result.
func (q BarQuery) MaxBars() int64 {
	most := q.Key.Grid.Slots(q.Range)
	if limit := int64(max(q.First, q.Last)); limit > 0 {
		most = min(most, limit)
	}

	return most
}

// BarReader reads bars.
type BarReader interface {
	// ReadBars yields the bars of q.Key whose open time is in q.Range, in pieces: every piece a Series of q.Key, pieces
	// ascending and disjoint, so that together they are the whole result. First and Last yield exactly the head or the
	// tail of that result, still ascending. Every piece has at least one bar, except that the first may have none.
	//
	// INVARIANT: the first piece carries the state of the series, also where the result has no bars. The state and all
	// bars are of one snapshot: they equal the series after some write. A store that keeps no versions yields
	// no state, and no piece without a bar; its callers must compare the coverage before and after the read.
	//
	// A series that the store does not have, or a range without bars, yields no bar and is no error: only the catalog
	// knows whether a symbol exists. Stored bars that no Series can represent are ErrCorruptData, never a bar; where
	// q.ReportUnreadable is set, those with a time on the grid may be in Piece.Unreadable in place of the error.
	//
	// The sequence is lazy and single use; ranging over it again yields an error. An error is the last pair, with an
	// empty piece: the pieces before it are not the whole result. Breaking off frees everything the read holds at once.
	// When ctx is done the sequence ends within 250 ms with an error that wraps the context's. Beside writers of the
	// series, a store that has no snapshots may end with ErrConflict, and then a later read may succeed. Safe for
	// concurrent use.
	// Pieces belong to the caller, states are shared and must not be changed.
	ReadBars(ctx context.Context, q BarQuery) Sequence[domain.Series]
}

// SeriesQuery selects the state of one series.
type SeriesQuery struct {
	Key   domain.SeriesKey
	State StateQuery // Known must be a version whose blocks of Range the caller has, or zero
}

// StateReader reads the states of series without their bars.
type StateReader interface {
	// ReadStates returns the states of the series, with the blocks of the ranges: result i is that of query i, and nil
	// where the series still has a version other than zero that is Known. A series that the store does not have has the
	// zero state. Each state is of one snapshot, and no older than the last write that returned before the call. Queries
	// may repeat. Safe for concurrent use. States are shared and must not be changed.
	ReadStates(ctx context.Context, queries []SeriesQuery) ([]*domain.SeriesState, error)
}

// ExtentQuery selects coverage by symbol.
type ExtentQuery struct {
	Symbols []domain.Symbol // only these; empty is every symbol
	After   domain.Symbol   // only symbols behind it, bytewise
}

// Selects reports whether the query selects the symbol.
func (q ExtentQuery) Selects(symbol domain.Symbol) bool {
	return symbol > q.After && (len(q.Symbols) == 0 || slices.Contains(q.Symbols, symbol))
}

// CoverageReader reads the coverage of series.
type CoverageReader interface {
	// Extents yields the coverage of all series of the selected symbols in UTC, ordered by SeriesKey.Compare and start,
	// the extents of one key disjoint and not touching. The coverage of a symbol is of one state of the store. A symbol
	// that the store does not have adds none. The sequence is lazy, holds nothing between two extents, and may be ranged
	// over again; an error is the last pair.
	Extents(ctx context.Context, q ExtentQuery) iter.Seq2[domain.Extent, error]
}

// OnePageLister is a store that reads all of its coverage before it yields the first extent. A listing takes all
// extents from one sequence of it, because the extents behind a symbol cost as much as all.
type OnePageLister interface {
	// ListsOnePage reports whether the store is one now.
	ListsOnePage() bool
}

// ListsOnePage reports whether a store is a OnePageLister.
func ListsOnePage(store any) bool {
	l, ok := store.(OnePageLister)
	return ok && l.ListsOnePage()
}

// BarToucher is a store whose bars people can change without it, with SQL.
type BarToucher interface {
	// TouchBars gives the series and all its blocks a new version, as after a change of every bar, so that no cache
	// believes bars that it read before. A series that does not exist is no error.
	TouchBars(ctx context.Context, key domain.SeriesKey) error
}

// TouchBars touches a series in a store. The error is ErrInvalid if the store is no BarToucher.
func TouchBars(ctx context.Context, s Store, key domain.SeriesKey) error {
	if t, ok := s.(BarToucher); ok {
		return t.TouchBars(ctx, key)
	}

	return fmt.Errorf("only bars in PostgreSQL can be changed without this program; give wrong bars of another store up "+
		"and write them again: %w", ErrInvalid)
}

// BarUncoverer is a store that can forget bars without reading them, because they are lost or wrong.
type BarUncoverer interface {
	// UncoverBars takes the coverage of r away, and that of the rest of each block that r touches, because what is left of
	// a block cannot be verified. It returns the range of the blocks. A write of it that did not finish is forgotten.
	UncoverBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Range, error)
}

// UncoverBars uncovers r in a store, and returns the range that it uncovered. A store that is no BarUncoverer deletes
// the bars of r.
func UncoverBars(ctx context.Context, s Store, key domain.SeriesKey, r domain.Range) (domain.Range, error) {
	if u, ok := s.(BarUncoverer); ok {
		return u.UncoverBars(ctx, key, r)
	}

	_, err := s.DeleteBars(ctx, key, r)

	return r, err
}

// SymbolQuery selects from a catalog.
type SymbolQuery struct {
	Symbols []domain.Symbol // only these; empty is every symbol
	Pattern string          // only symbols that match: * is any run of bytes, ? any byte; "" is every symbol
	After   domain.Symbol   // only symbols behind it, bytewise
	Limit   int             // at most so many; 0 is all
}

// SymbolCatalog reads the metadata of symbols.
type SymbolCatalog interface {
	// Symbols yields the metadata of the selected symbols, in bytewise order. A symbol that the catalog does not know
	// is absent and is no error. The sequence is lazy, holds nothing between two symbols, and may be ranged over again;
	// an error is the last pair.
	Symbols(ctx context.Context, q SymbolQuery) iter.Seq2[domain.SymbolMeta, error]
}

// SymbolWriter writes the metadata of symbols.
type SymbolWriter interface {
	// PutSymbols stores the metadata of all symbols, replacing the stored metadata, or of none.
	PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error
}

// Store is a complete store of bars, which every adapter of one implements.
type Store interface {
	BarReader
	BarWriter
	CoverageReader
}

// TickQuery selects trades or quotes of one symbol. Symbol and Range must be valid; at most one of First and Last may
// be above 0.
type TickQuery struct {
	Symbol domain.Symbol
	Range  domain.Range // on times, half-open
	First  int          // at most the first so many; 0 is all
	Last   int          // at most the last so many; 0 is all
	State  StateQuery
}

// TradeReader reads trades.
type TradeReader interface {
	// ReadTrades yields the trades of q.Symbol whose time is in q.Range, ordered by time and sequence number, under the
	// promises of BarReader.ReadBars. A piece may end between two trades of one instant.
	ReadTrades(ctx context.Context, q TickQuery) Sequence[domain.Trades]
}

// TradeAggregator aggregates trades to bars inside the store.
type TradeAggregator interface {
	// AggregateTrades yields the bars of key that open in r. Each bar is made of every stored trade from its open to its
	// end, also where r ends within the bar, and equals to the digit the bar that domain.Resampler makes of these
	// trades. The promises of BarReader.ReadBars apply; the state is that of the trades.
	//
	// A price type other than domain.PriceTrade is ErrInvalid. A bar without a trade is absent; TickCoverageReader tells
	// whether nothing traded there. A stored trade that no Trades can represent, and a volume that no Decimal can, is
	// ErrCorruptData, never a bar.
	AggregateTrades(ctx context.Context, key domain.SeriesKey, r domain.Range) Sequence[domain.Series]
}

// QuoteReader reads quotes.
type QuoteReader interface {
	// ReadQuotes is TradeReader.ReadTrades for quotes.
	ReadQuotes(ctx context.Context, q TickQuery) Sequence[domain.Quotes]
}

// TickCoverageReader reads the coverage of trades and quotes.
type TickCoverageReader interface {
	// TickExtents yields the coverage of the trades and quotes of the selected symbols, ordered by symbol, kind and
	// start, under the promises of CoverageReader.Extents.
	TickExtents(ctx context.Context, q ExtentQuery) iter.Seq2[domain.TickExtent, error]
}

// TickStore is a complete store of trades and quotes.
type TickStore interface {
	TradeReader
	TradeWriter
	QuoteReader
	QuoteWriter
	TickCoverageReader
}

// HealthChecker reports whether a store can serve.
type HealthChecker interface {
	// Check makes one cheap request that needs the store's connection, credentials and schema. It returns nil if the
	// store can serve, and must return within the deadline of the context.
	Check(ctx context.Context) error
}

// RetentionReporter reports whether a store drops bars because of their age. A HealthChecker may implement it.
type RetentionReporter interface {
	// Retention returns the age at which the store drops bars, whatever coverage was declared for them; 0 if it keeps
	// them.
	Retention(ctx context.Context) (time.Duration, error)
}

// Clock tells business time: which bars are closed, and which rows may be seen. Timers and timeouts do not use it.
type Clock interface {
	// Now returns the current instant in UTC. It must never go back. Safe for concurrent use.
	Now() time.Time
}
