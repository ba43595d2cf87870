//go:build wireinject

package production

import (
	"context"

	"github.com/google/wire"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/wiring"
)

// Open connects to the servers of the configuration and returns the application over them. A server that does not
// answer is ErrUnavailable, refused credentials ErrAuth. The function returned closes everything that Open made, the
// last first; with an error it is nil, and nothing is left open.
func Open(ctx context.Context, cfg wiring.Config, opts Options) (*app.Service, func(), error) {
	panic(wire.Build(newSettings, newServiceConfig, newClock, openPostgres, openInflux, openCaches, newSources, newSymbolCache, app.New))
}
