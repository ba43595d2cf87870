package ports

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// HistoricalDataProvider returns historical bars, trades and quotes. It is safe for concurrent use.
type HistoricalDataProvider interface {
	// Fetch returns the requested bars. They are exact, validated, closed at Result.Now, and complete except for the
	// ranges of Result.Uncovered. With an error it returns no bars. It rejects an invalid request, or one beyond a limit,
	// before any input or output. If ctx has no deadline, Fetch sets one.
	Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error)

	// Stream yields the bars of Fetch in pieces, with bounded memory and the same guarantees. The sequence is lazy and
	// single use; ranging over it again yields an error. An error is the last pair, with an empty Series. No connection
	// is in use between two pieces, and stopping the iteration frees everything at once. The total time has no limit.
	// After the sequence ended without an error, result returns the Result of Fetch without its Series; before, and after
	// an error, it returns an empty Result. Neither is safe for concurrent use.
	Stream(ctx context.Context, r domain.DataRequest) (pieces iter.Seq2[domain.Series, error], result func() domain.Result)

	// FetchTrades returns the requested trades, all before TickResult.Now, with the guarantees of Fetch.
	FetchTrades(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Trade], error)

	// FetchQuotes returns the requested quotes, as FetchTrades returns trades.
	FetchQuotes(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Quote], error)

	// StreamTrades yields the trades of FetchTrades in pieces, with the guarantees of Stream.
	StreamTrades(
		ctx context.Context, r domain.TickRequest,
	) (pieces iter.Seq2[domain.Trades, error], result func() domain.TickResult[domain.Trade])

	// StreamQuotes yields the quotes of FetchQuotes, as StreamTrades yields trades.
	StreamQuotes(
		ctx context.Context, r domain.TickRequest,
	) (pieces iter.Seq2[domain.Quotes, error], result func() domain.TickResult[domain.Quote])
}

// BatchProvider returns data of many series in one call. It is safe for concurrent use.
type BatchProvider interface {
	// FetchMany executes each request as HistoricalDataProvider.Fetch does, all at one instant of the clock. Result i
	// belongs to request i. A request that fails does not affect the others. If ctx has no deadline, FetchMany sets one
	// for all requests together.
	FetchMany(ctx context.Context, requests []domain.DataRequest) []BatchResult

	// Latest returns the freshness of each series of the symbols, ordered by key, or of all series if no symbol is given.
	// A series without visible coverage is absent.
	Latest(ctx context.Context, symbols ...domain.Symbol) ([]Freshness, error)
}

// BatchResult is the Result or the error of one request of a batch.
type BatchResult struct {
	Result domain.Result
	Err    error
}

// Freshness describes until when a series is covered.
type Freshness struct {
	Key          domain.SeriesKey `json:"key"`
	Store        domain.StoreName `json:"store"`         // the store with the latest coverage
	CoveredUntil time.Time        `json:"covered_until"` // end of the coverage: the end of a bar, at most now
	Behind       time.Duration    `json:"-"`             // from CoveredUntil to now
	Inferred     bool             `json:"inferred"`      // the end is inferred from a stored bar, not declared
}

// plainFreshness is a Freshness without methods.
type plainFreshness Freshness

// freshnessJSON is the JSON of a Freshness.
type freshnessJSON struct {
	plainFreshness

	Behind domain.Seconds `json:"behind_seconds"`
}

// MarshalJSON returns an object with the lag in seconds.
func (f Freshness) MarshalJSON() ([]byte, error) {
	return json.Marshal(freshnessJSON{plainFreshness(f), domain.Seconds(f.Behind)})
}

// UnmarshalJSON reads the object that MarshalJSON returns. Fields that the object lacks are not changed.
func (f *Freshness) UnmarshalJSON(text []byte) error {
	j := freshnessJSON{plainFreshness(*f), domain.Seconds(f.Behind)}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}

	*f = Freshness(j.plainFreshness)
	f.Behind = time.Duration(j.Behind)

	return nil
}

// SymbolProvider returns symbols and their metadata. It is safe for concurrent use.
type SymbolProvider interface {
	// Symbols yields the selected symbols of all configured catalogs, ordered by symbol. The sequence is lazy and holds
	// nothing between two symbols; an error is the last pair.
	Symbols(ctx context.Context, q SymbolQuery) iter.Seq2[domain.SymbolMeta, error]

	// ValidateSymbol returns nil for a symbol that a catalog has, ErrNotFound with suggestions for a symbol that none
	// has, and ErrInvalid for a malformed symbol. If a catalog fails, its error is of another kind, because the symbol
	// may or may not exist.
	ValidateSymbol(ctx context.Context, symbol domain.Symbol) error

	// Describe returns the metadata of the symbol and statistics of the 30 days before the clock's now. It uses no data
	// of now or later. Its errors are those of ValidateSymbol and of the stores.
	Describe(ctx context.Context, symbol domain.Symbol) (Description, error)
}

// SymbolEditor changes the metadata of symbols. It is safe for concurrent use.
type SymbolEditor interface {
	// SetSymbols stores the metadata of all symbols, known or new, replacing the stored metadata, or of none. Of two
	// entries of one symbol the last counts. Other processes see it when their symbol cache forgets the symbol. The error
	// is ErrInvalid for metadata that is not valid, before any input or output, and for a catalog that another program
	// writes.
	SetSymbols(ctx context.Context, metas ...domain.SymbolMeta) error
}

// Description is the metadata of a symbol with its recent statistics.
type Description struct {
	domain.SymbolMeta
	Statistics domain.Statistics `json:"statistics"`

	// Uncovered lists the parts of Statistics.Window for which no store covers bars of Statistics.Grid, stored or
	// resampled, ascending and disjoint: prices and volume do not speak of them. Without such bars it is the whole window.
	Uncovered []domain.Range `json:"uncovered"`

	// Inferred lists the parts of the window whose coverage of bars is inferred, as domain.Result.Inferred does.
	Inferred []domain.Range `json:"inferred"`

	// UncoveredQuotes lists the parts of the window for which no quotes are covered: the spread does not speak of them.
	UncoveredQuotes []domain.Range `json:"uncovered_quotes"`
}

// CoverageProvider returns the coverage of the stores. It is safe for concurrent use.
type CoverageProvider interface {
	// Coverage yields the coverage of bars of the symbols, or of all symbols if none is given, store by store. It ends at
	// the clock's now, because later bars are not closed. The sequence is lazy and holds nothing between two extents; an
	// error is the last pair.
	Coverage(ctx context.Context, symbols ...domain.Symbol) iter.Seq2[StoreExtent, error]

	// TickCoverage yields the coverage of trades and quotes, as Coverage yields that of bars.
	TickCoverage(ctx context.Context, symbols ...domain.Symbol) iter.Seq2[StoreTickExtent, error]
}

// StoreExtent is the coverage of a series of bars in one store.
type StoreExtent struct {
	Store domain.StoreName `json:"store"`
	domain.Extent
}

// StoreTickExtent is the coverage of trades or quotes in one store.
type StoreTickExtent struct {
	Store domain.StoreName `json:"store"`
	domain.TickExtent
}

// Ingestor writes bars, trades and quotes, for importers and live recorders. It is safe for concurrent use.
type Ingestor interface {
	// Ingest writes the bars and declares that coverage, which must contain them, is complete. It rejects the bars before
	// any input or output if one violates a fatal quality rule, or with ErrNotClosed if a bar or the coverage ends later
	// than the clock's now minus the settle time. onConflict decides about stored bars with other values.
	Ingest(
		ctx context.Context, bars domain.Series, coverage domain.Range, onConflict ConflictPolicy,
	) (WriteReport, error)

	// IngestBatch ingests many series in few round trips: result i is that of write i, as Ingest would return it.
	IngestBatch(ctx context.Context, writes []BarWrite) []WriteResult

	// Replace replaces all stored bars of the key in r by the bars, and declares that r is complete. It rejects the same
	// bars as Ingest, and no bars.
	Replace(ctx context.Context, bars domain.Series, r domain.Range) (WriteReport, error)

	// Delete removes the stored bars of the key in r and their coverage. r may reach beyond now.
	Delete(ctx context.Context, key domain.SeriesKey, r domain.Range) (WriteReport, error)

	// Uncover takes the coverage of the key in r away, of bars that the store lost or that are wrong, so that they are no
	// corrupt data any more. It may take that of more bars away, and of bars that are right: it returns the range.
	Uncover(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Range, error)

	// Touch gives the series of the key a new version after its bars were changed without this program, with SQL, so that
	// cached bars of before are not served any more. The error is ErrInvalid for a store whose bars nobody else changes.
	Touch(ctx context.Context, key domain.SeriesKey) error

	// IngestTrades writes trades as Ingest writes bars. Every trade and the coverage must be before the clock's now minus
	// the settle time.
	IngestTrades(
		ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ConflictPolicy,
	) (WriteReport, error)

	// IngestQuotes writes quotes as IngestTrades writes trades.
	IngestQuotes(
		ctx context.Context, quotes domain.Quotes, coverage domain.Range, onConflict ConflictPolicy,
	) (WriteReport, error)

	// ReplaceTrades replaces trades as Replace replaces bars.
	ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (WriteReport, error)

	// ReplaceQuotes replaces quotes as Replace replaces bars.
	ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (WriteReport, error)

	// DeleteTrades deletes trades as Delete deletes bars.
	DeleteTrades(ctx context.Context, symbol domain.Symbol, r domain.Range) (WriteReport, error)

	// DeleteQuotes deletes quotes as Delete deletes bars.
	DeleteQuotes(ctx context.Context, symbol domain.Symbol, r domain.Range) (WriteReport, error)
}
