//go:build wireinject

package embedded

import (
	"context"

	"github.com/google/wire"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring"
)

// Open opens the SQLite file of the configuration, which it creates if it does not exist, and returns the application
// over it. The returned function closes the file; it is nil if Open returns an error.
func Open(ctx context.Context, cfg wiring.Config, opts Options) (*app.Service, func(), error) {
	panic(wire.Build(newSettings, newServiceConfig, newClock, openStore, newSources, noSymbolCache, app.New))
}
