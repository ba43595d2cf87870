//go:build wireinject

package production

import (
	"context"

	"github.com/google/wire"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring"
)

// Open connects to the servers of the configuration and returns the application over them. It returns ErrInvalid for an
// invalid configuration, ErrUnavailable if PostgreSQL does not respond, or InfluxDB where Options.RequireInflux is set,
// and ErrAuth if one rejects the credentials. The returned function closes everything that Open opened, in reverse
// order. With an error the function is nil and nothing stays open.
func Open(ctx context.Context, cfg wiring.Config, opts Options) (*app.Service, func(), error) {
	panic(wire.Build(
		newSettings, newServiceConfig, newClock, openPostgres, openInflux, openCaches,
		wire.Struct(new(backends), "*"), newSources, newSymbolCache, app.New,
	))
}
