// Package backtest wires the application around a store and a clock that the caller passes in. It opens nothing, so
// nothing must be closed, and it links no driver. A strategy sees the stored data that was known at the clock's time.
package backtest

import (
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
)

// Store is a store of bars with the catalog of their symbols. A Store that implements ports.TickStore also serves
// trades and quotes, and the health check includes a Store that implements ports.HealthChecker. *memory.Store
// implements all.
//
// A decorator must forward Local, because Local selects the fast path for calls that wait for memory only.
type Store interface {
	ports.Store
	ports.SymbolCatalog
	ports.LocalStore
}

// sourceName is the name of the store in results and errors.
const sourceName = "backtest"

func newSources(store Store) []app.Source {
	ticks, _ := store.(ports.TickStore)
	health, _ := store.(ports.HealthChecker)

	return []app.Source{{
		Name: sourceName, Bars: store, Ticks: ticks, Catalog: store, Health: health, Local: store.Local(),
	}}
}

// noSymbolCache returns no cache, because reading a local store is as fast as reading a cache.
func noSymbolCache() ports.SymbolCache { return nil }
