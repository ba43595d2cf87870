//go:build wireinject

package backtest

import (
	"github.com/google/wire"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
)

// New returns the application over the store. The clock decides which bars are closed. cfg holds the limits; a zero
// field means its default. New returns ErrInvalid for an invalid cfg.
func New(store Store, clock ports.Clock, cfg app.Config) (*app.Service, error) {
	panic(wire.Build(newSources, noSymbolCache, app.New))
}
