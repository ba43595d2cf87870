package ports

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// BarQuery asks a store for bars of one series. Key and Range are valid; at most one of First and Last is above 0.
type BarQuery struct {
	Key   domain.SeriesKey
	Range domain.Range // on open times, half-open
	First int          // at most the first so many; 0 is all
	Last  int          // at most the last so many; 0 is all
	State StateQuery
}

// StateQuery says what the state of a read must have beside what belongs to the range of the read. The zero value adds
// nothing.
type StateQuery struct {
	Range domain.Range   // the state has the blocks of this range too
	Known domain.Version // where the series still has this version, the state may have nothing but the version
}

// MaxBars is how many bars the answer can have.
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
	// bars are of one snapshot: they equal what the series was after some write. A store that keeps no versions yields
	// no state, and no piece without a bar; its callers must compare the coverage before and after the read.
	//
	// A series that the store does not have, or a range without bars, yields no bar and is no error: only the catalog
	// knows whether a symbol exists. Stored bars that no Series can represent are ErrCorruptData, never a bar.
	//
	// The sequence is lazy and single use; ranging over it again yields an error. An error is the last pair, with an
	// empty piece: the pieces before it are not the whole result. Breaking off frees everything the read holds at once.
	// When ctx is done the sequence ends within 250 ms with an error that wraps the context's. Safe for concurrent use.
	// Pieces belong to the caller, states are shared and must not be changed.
	ReadBars(ctx context.Context, q BarQuery) Sequence[domain.Series]
}

// WriteReport counts what a write did to the bars of its range.
type WriteReport struct {
	Inserted  int `json:"inserted"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"` // written again as they were: nothing was written
	Deleted   int `json:"deleted"`   // by a replacement
}

// Add is the sum of both reports.
func (r WriteReport) Add(o WriteReport) WriteReport {
	return WriteReport{
		Inserted:  r.Inserted + o.Inserted,
		Changed:   r.Changed + o.Changed,
		Unchanged: r.Unchanged + o.Unchanged,
		Deleted:   r.Deleted + o.Deleted,
	}
}

// BarWriter writes bars. A write is done whole or not at all, and when it returns, every later read sees it.
type BarWriter interface {
	// WriteBars inserts the bars, or sets every field of those that exist, and claims that claim is complete: where
	// claim has no bar in the store afterwards, nothing traded. claim must cover the bars; a claim without a bar is
	// allowed. It makes the symbol known to the store's catalog. Writing the same again changes nothing. A number the
	// store cannot keep to the digit is an error, and nothing is stored.
	WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (WriteReport, error)

	// ReplaceBars puts bars in the place of everything its key has in r, and claims r. bars must lie in r. An empty
	// Series (of the key) deletes: the bars of r go, and the claim on r with them, so that r is uncovered.
	ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (WriteReport, error)
}

// CoverageReader tells what a store holds.
type CoverageReader interface {
	// Extents returns the extents of all series of the symbols, or of every symbol where none is given: ordered by
	// SeriesKey.Compare and start, those of one key disjoint and not touching. A symbol that the store does not hold
	// adds none.
	Extents(ctx context.Context, symbols ...domain.Symbol) ([]domain.Extent, error)
}

// SymbolQuery selects from a catalog.
type SymbolQuery struct {
	Symbols []domain.Symbol // exactly these; empty is every symbol
	Pattern string          // of these, the ones it matches: * is any run of bytes, ? any one, every other byte itself; "" is all
	Limit   int             // at most so many; 0 is all
}

// SymbolCatalog knows symbols.
type SymbolCatalog interface {
	// Symbols returns what is known of the symbols selected, ordered by symbol, bytewise. One that the catalog does not
	// know is absent; that is no error.
	Symbols(ctx context.Context, q SymbolQuery) ([]domain.SymbolMeta, error)
}

// SymbolWriter fills a catalog.
type SymbolWriter interface {
	// PutSymbols stores what is known of the symbols, in the place of what was, all of them or none.
	PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error
}

// Store is a store of bars whole: what every bar store adapter is.
type Store interface {
	BarReader
	BarWriter
	CoverageReader
}

// TickQuery asks a store for trades or quotes of one symbol. Symbol and Range are valid; at most one of First and Last
// is above 0.
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

// TradeAggregator makes bars of the trades that a store holds, where they lie.
type TradeAggregator interface {
	// AggregateTrades yields the bars of key that open in r, each made of every trade that the store holds from its
	// open to its end, also where r ends within the bar: what domain.Resampler makes of those trades, to the digit,
	// under the promises of BarReader.ReadBars, with the state of the trades. The key's kind must be domain.PriceTrade; another is ErrInvalid. A bar
	// without a trade is absent: whether nothing traded or nobody knows is for TickCoverageReader to tell. A trade that
	// no Trades can hold, and a volume that no Decimal can, is ErrCorruptData, never a bar.
	AggregateTrades(ctx context.Context, key domain.SeriesKey, r domain.Range) Sequence[domain.Series]
}

// TradeWriter writes trades, whole or not at all.
type TradeWriter interface {
	// WriteTrades inserts the trades, or sets every field of those that exist, under the promises of
	// BarWriter.WriteBars.
	WriteTrades(ctx context.Context, trades domain.Trades, claim domain.Range) (WriteReport, error)

	// ReplaceTrades puts the trades in the place of all in r, under the promises of BarWriter.ReplaceBars.
	ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (WriteReport, error)
}

// QuoteReader reads quotes.
type QuoteReader interface {
	// ReadQuotes is to quotes what TradeReader.ReadTrades is to trades.
	ReadQuotes(ctx context.Context, q TickQuery) Sequence[domain.Quotes]
}

// QuoteWriter writes quotes, whole or not at all.
type QuoteWriter interface {
	// WriteQuotes is to quotes what TradeWriter.WriteTrades is to trades.
	WriteQuotes(ctx context.Context, quotes domain.Quotes, claim domain.Range) (WriteReport, error)

	// ReplaceQuotes is to quotes what TradeWriter.ReplaceTrades is to trades.
	ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (WriteReport, error)
}

// TickCoverageReader tells which trades and quotes a store holds.
type TickCoverageReader interface {
	// TickExtents returns the extents of the trades and quotes of the symbols, or of every symbol where none is given:
	// ordered by symbol, kind and start, those of one symbol and kind disjoint and not touching.
	TickExtents(ctx context.Context, symbols ...domain.Symbol) ([]domain.TickExtent, error)
}

// TickStore is a store of trades and quotes whole.
type TickStore interface {
	TradeReader
	TradeWriter
	QuoteReader
	QuoteWriter
	TickCoverageReader
}

// HealthChecker tells whether a store can serve.
type HealthChecker interface {
	// Check asks the store for something that needs its connection, its credentials and its schema, and nothing else;
	// it returns within the context's deadline. nil is healthy.
	Check(ctx context.Context) error
}

// RetentionReporter reports whether a store drops bars because of their age. A HealthChecker may implement it.
type RetentionReporter interface {
	// Retention returns the age at which the store drops bars that its coverage still contains; 0 if it keeps them.
	Retention(ctx context.Context) (time.Duration, error)
}

// CoverageWriter keeps claims for a store that cannot hold its own.
type CoverageWriter interface {
	// DeclareCoverage records that r is complete for key, and makes the symbol known to the catalog.
	DeclareCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error

	// RemoveCoverage takes r out of what is claimed for key.
	RemoveCoverage(ctx context.Context, key domain.SeriesKey, r domain.Range) error
}

// Clock tells business time: what is closed, and what may be seen. Timers and timeouts do not use it.
type Clock interface {
	// Now is the current instant in UTC. It never goes back. Safe for concurrent use.
	Now() time.Time
}
