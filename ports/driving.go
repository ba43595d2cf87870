package ports

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// HistoricalDataProvider answers requests for bars, trades and quotes.
type HistoricalDataProvider interface {
	// Fetch returns the bars asked for: exact, validated, complete where Result.Uncovered does not say otherwise, and
	// closed at Result.Now. With an error there are no bars. A request that breaks a rule or a limit costs no input or
	// output. Where ctx has no deadline, one is set. Safe for concurrent use.
	Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error)

	// Stream yields the answer of Fetch piece by piece in bounded memory, under the same promises. The sequence is lazy
	// and single use: ranging over it again yields an error. An error is the last pair, with an empty Series. Breaking
	// off frees everything at once; nothing is held open between two pieces. There is no limit on the time of all. The
	// function returns what Fetch says beside its Series, once the sequence has ended without an error; before, and
	// after an error, a Result that says nothing. Both are for one goroutine.
	Stream(ctx context.Context, r domain.DataRequest) (pieces iter.Seq2[domain.Series, error], result func() domain.Result)

	// FetchTrades returns the trades asked for, every one of them before TickResult.Now, under the promises of Fetch.
	FetchTrades(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Trade], error)

	// FetchQuotes is to quotes what FetchTrades is to trades.
	FetchQuotes(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Quote], error)
}

// BatchProvider answers for many series at once.
type BatchProvider interface {
	// FetchMany answers each request as HistoricalDataProvider.Fetch does, all for one instant of the clock; answer i
	// is that of request i. A request that fails leaves the others alone. Where ctx has no deadline, one is set, for
	// all of them together.
	FetchMany(ctx context.Context, requests []domain.DataRequest) []BatchResult

	// Latest tells how fresh each series of the symbols is, or of all where none is given, ordered by key. A series of
	// which nothing is held that may be seen is absent.
	Latest(ctx context.Context, symbols ...domain.Symbol) ([]Freshness, error)
}

// BatchResult is a Result, or why there is none.
type BatchResult struct {
	Result domain.Result
	Err    error
}

// Freshness is how far a series reaches.
type Freshness struct {
	Key          domain.SeriesKey `json:"key"`
	Store        domain.StoreName `json:"store"`         // the one that holds the latest of it
	CoveredUntil time.Time        `json:"covered_until"` // where what is held ends, at the end of a bar, and not later than now
	Behind       time.Duration    `json:"behind_ns"`     // from Until to now
	Inferred     bool             `json:"inferred"`      // what ends there is assumed, not claimed
}

// SymbolProvider tells which symbols are known and what is known of them.
type SymbolProvider interface {
	// Symbols returns the symbols selected, of all configured catalogs together, ordered.
	Symbols(ctx context.Context, q SymbolQuery) ([]domain.SymbolMeta, error)

	// ValidateSymbol is nil for a symbol that a catalog knows, ErrNotFound with near names for one that none knows, and
	// ErrInvalid for what is no symbol. A catalog that cannot be asked is an error of another kind, never a yes or a
	// no.
	ValidateSymbol(ctx context.Context, symbol domain.Symbol) error

	// Describe returns what is known of the symbol, and how it traded in the 30 days before the clock's now. It looks
	// at nothing of now or later. Its errors are those of ValidateSymbol and of the stores.
	Describe(ctx context.Context, symbol domain.Symbol) (Description, error)
}

// Description is what is known of a symbol, and how it traded lately.
type Description struct {
	domain.SymbolMeta
	Statistics domain.Statistics `json:"statistics"`
}

// CoverageProvider tells what is held.
type CoverageProvider interface {
	// Coverage returns which bars the stores hold of the symbols, or of all where none is given, with the store's name;
	// none that is not over at the clock's now.
	Coverage(ctx context.Context, symbols ...domain.Symbol) ([]StoreExtent, error)

	// TickCoverage returns which trades and quotes are held, with the store's name; none of the clock's now or later.
	TickCoverage(ctx context.Context, symbols ...domain.Symbol) ([]StoreTickExtent, error)
}

// StoreExtent is an extent and the store that holds it.
type StoreExtent struct {
	Store domain.StoreName `json:"store"`
	domain.Extent
}

// StoreTickExtent is an extent of trades or quotes and the store that holds it.
type StoreTickExtent struct {
	Store domain.StoreName `json:"store"`
	domain.TickExtent
}

// Ingestor writes bars, trades and quotes, for an importer and for a live recorder alike.
type Ingestor interface {
	// Ingest writes the bars and claims that claim, which covers them, is complete. It refuses the batch before any
	// input or output where a bar breaks a fatal quality rule, or where a bar, or the claim, ends later than the
	// clock's now less the settle time.
	Ingest(ctx context.Context, bars domain.Series, claim domain.Range) (WriteReport, error)

	// Replace puts the bars in the place of everything their key has in r, and claims r; an empty Series deletes. It
	// refuses what Ingest refuses; a deletion may reach beyond now.
	Replace(ctx context.Context, bars domain.Series, r domain.Range) (WriteReport, error)

	// IngestTrades is to trades what Ingest is to bars: every trade, and the claim, lies before the clock's now less
	// the settle time.
	IngestTrades(ctx context.Context, trades domain.Trades, claim domain.Range) (WriteReport, error)

	// IngestQuotes is to quotes what IngestTrades is to trades.
	IngestQuotes(ctx context.Context, quotes domain.Quotes, claim domain.Range) (WriteReport, error)

	// ReplaceTrades is to trades what Replace is to bars.
	ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (WriteReport, error)

	// ReplaceQuotes is to quotes what Replace is to bars.
	ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (WriteReport, error)
}
