package ports

import (
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// LocalStore reports whether the calls of a store may block.
type LocalStore interface {
	// Local reports whether the calls of the store wait for memory only. The application then runs them on the caller's
	// goroutine, without a timeout of its own. A decorator must forward Local, unless the decorator itself may block.
	Local() bool
}

// LocalCoverage looks up coverage without blocking. A CoverageReader that has it in memory may implement it.
type LocalCoverage interface {
	// LocalExtents returns the result of CoverageReader.Extents for one symbol and true, or false if none is believed and
	// none is younger than maxStale. It does not block.
	LocalExtents(symbol domain.Symbol, maxStale time.Duration) ([]domain.Extent, bool)
}

// LocalCatalog looks up a symbol without blocking. A SymbolCatalog in memory may implement it.
type LocalCatalog interface {
	// LocalSymbol returns the metadata of the symbol and true, or false if the catalog does not know the symbol.
	LocalSymbol(symbol domain.Symbol) (domain.SymbolMeta, bool)
}
