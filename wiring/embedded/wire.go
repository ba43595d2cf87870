//go:build wireinject

package embedded

import (
	"context"

	"github.com/google/wire"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring"
)

// Open opens the sqlite file of the configuration, creating it where there is none, and returns the application over
// it. The function returned closes the file; it is nil with an error.
func Open(ctx context.Context, cfg wiring.Config, opts Options) (*app.Service, func(), error) {
	panic(wire.Build(newSettings, newServiceConfig, newClock, openStore, newSources, noSymbolCache, app.New))
}
