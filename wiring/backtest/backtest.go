// Package backtest puts the application together around a store and a clock that are handed in. Nothing is opened, nothing has
// to be closed, and no driver is linked: what a strategy may see is what the store holds and the clock has passed.
package backtest

import (
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
)

// Store is what a backtest reads from: bars, and the catalog of their symbols. One that is a ports.TickStore too serves trades and
// quotes. *memory.Store is one.
type Store interface {
	ports.Store
	ports.SymbolCatalog
}

// sourceName is what results and errors call the store.
const sourceName = "backtest"

func newSources(store Store) []app.Source {
	ticks, _ := store.(ports.TickStore)
	health, _ := store.(ports.HealthChecker)
	_, local := store.(*memory.Store)
	return []app.Source{{Name: sourceName, Bars: store, Ticks: ticks, Catalog: store, Health: health, Local: local}}
}

// noSymbolCache is none: a store at hand is asked as fast as a cache.
func noSymbolCache() ports.SymbolCache { return nil }
