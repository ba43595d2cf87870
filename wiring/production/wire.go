//go:build wireinject

package production

import (
	"context"

	"github.com/google/wire"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring"
)

// open is Open with the caller's logger, for which the calls wait.
func open(ctx context.Context, cfg wiring.Config, opts Options) (*app.Service, func(), error) {
	panic(wire.Build(
		newSettings, newServiceConfig, newClock, openPostgres, openInflux, openCaches,
		wire.Struct(new(backends), "*"), newSources, newSymbolCache, app.New,
	))
}
