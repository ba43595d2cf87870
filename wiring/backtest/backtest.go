// Package backtest puts the application together around a store and a clock that are handed in. Nothing is opened,
// nothing has to be closed, and no driver is linked: what a strategy may see is what the store holds and the clock has
// passed.
package backtest

import (
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
)

// Store is a store of bars and the catalog of their symbols. One that is also a ports.TickStore serves trades and
// quotes, and one that is a ports.HealthChecker is checked. *memory.Store is all of them.
//
// Local must be forwarded by a decorator: it selects the fast path of calls that wait for nothing but memory.
type Store interface {
	ports.Store
	ports.SymbolCatalog
	ports.LocalStore
}

// sourceName is what results and errors call the store.
const sourceName = "backtest"

func newSources(store Store) []app.Source {
	ticks, _ := store.(ports.TickStore)
	health, _ := store.(ports.HealthChecker)
	return []app.Source{{Name: sourceName, Bars: store, Ticks: ticks, Catalog: store, Health: health, Local: store.Local()}}
}

// noSymbolCache is none: a store at hand is asked as fast as a cache.
func noSymbolCache() ports.SymbolCache { return nil }
