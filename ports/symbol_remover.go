package ports

import (
	"context"
	"strings"

	"github.com/gal-friday/marketdata/domain"
)

// SymbolRemover removes symbols from a catalog.
type SymbolRemover interface {
	// RemoveSymbol removes the metadata of a symbol and what else the store keeps for it. A symbol that the catalog does
	// not know is no error. A symbol with coverage of bars, trades or quotes stays, and the error is a
	// *SymbolInUseError; so does one with writes under way. A later write makes the symbol known again. Atomic; safe for
	// concurrent use.
	RemoveSymbol(ctx context.Context, symbol domain.Symbol) error
}

// SymbolInUseError refuses to remove a symbol that has data. It is of kind ErrConflict, but another try meets the same
// data unless somebody deletes it.
type SymbolInUseError struct {
	Series []string // the kind and the grid of each series with data, ordered: "bid 1d", "trade 1m", "trades"
}

// Error names the series.
func (e *SymbolInUseError) Error() string {
	return "the symbol has data: " + strings.Join(e.Series, ", ") + "; delete it first"
}

// Unwrap returns ErrConflict.
func (e *SymbolInUseError) Unwrap() error { return ErrConflict }
