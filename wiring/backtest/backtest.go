// Package backtest puts the application together around a store and a clock that are handed in. Nothing is opened, nothing has
// to be closed, and no driver is linked: what a strategy may see is what the store holds and the clock has passed.
package backtest

import (
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
)

// Store is what a backtest reads from: bars, and the catalog of their symbols. *memory.Store is one.
type Store interface {
	ports.Store
	ports.SymbolCatalog
}

// sourceName is what results and errors call the store.
const sourceName = "backtest"

func newSource(store Store) app.Source { return app.Source{Name: sourceName, Store: store} }
