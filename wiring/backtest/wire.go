//go:build wireinject

package backtest

import (
	"github.com/google/wire"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
)

// New returns the application over the store, at the time of the clock. cfg is the limits; the zero value is the
// defaults.
func New(store Store, clock ports.Clock, cfg app.Config) (*app.Service, error) {
	panic(wire.Build(newSources, noSymbolCache, app.New))
}
