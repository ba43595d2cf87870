package ports

import (
	"context"

	"github.com/gal-friday/marketdata/domain"
)

// HistoricalDataProvider answers requests for bars.
type HistoricalDataProvider interface {
	// Fetch returns the bars asked for: exact, validated, complete where Result.Uncovered does not say otherwise, and closed at
	// Result.Now. With an error there are no bars, except with one that wraps ErrPartial. A request that breaks a rule or a limit
	// costs no input or output. Where ctx has no deadline, one is set. Safe for concurrent use.
	Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error)
}

// SymbolProvider tells which symbols are known and what is held of them.
type SymbolProvider interface {
	// Symbols returns the symbols selected, of all configured catalogs together, ordered.
	Symbols(ctx context.Context, q SymbolQuery) ([]domain.SymbolMeta, error)

	// Coverage returns what the stores hold of the symbols, or of all where none is given, with the store's name.
	Coverage(ctx context.Context, symbols ...domain.Symbol) ([]StoreExtent, error)
}

// StoreExtent is an extent and the store that holds it.
type StoreExtent struct {
	Store string `json:"store"`
	domain.Extent
}

// Ingestor writes bars, for an importer and for a live recorder alike.
type Ingestor interface {
	// Ingest writes the bars and claims that claim, which covers them, is complete. It refuses the batch before any input or
	// output where a bar breaks a fatal quality rule, or where a bar, or the claim, ends later than the clock's now less the
	// settle time.
	Ingest(ctx context.Context, bars domain.Series, claim domain.Range) (WriteReport, error)

	// Replace puts the bars in the place of everything their key has in r, and claims r; an empty Series deletes. It refuses what
	// Ingest refuses; a deletion may reach beyond now.
	Replace(ctx context.Context, bars domain.Series, r domain.Range) (WriteReport, error)
}
