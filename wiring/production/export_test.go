package production

import (
	"context"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// Stores returns the sources that Open passes to the application, and the writer of the catalog, because contract tests
// test single ports.
func Stores(ctx context.Context, cfg wiring.Config, opts Options) ([]app.Source, ports.SymbolWriter, func(), error) {
	s, err := newSettings(cfg, opts)
	if err != nil {
		return nil, nil, nil, err
	}

	pg, closePostgres, err := openPostgres(ctx, s, opts)
	if err != nil {
		return nil, nil, nil, err
	}

	ts, closeInflux, err := openInflux(ctx, s, opts)
	if err != nil {
		closePostgres()
		return nil, nil, nil, err
	}

	caches, closeCaches, err := openCaches(ctx, s, opts, pg)
	if err != nil {
		closeInflux()
		closePostgres()
		return nil, nil, nil, err
	}

	sources, closeLayers, err := newSources(ctx, s, opts, backends{pg, ts, caches, newClock(opts)})
	if err != nil {
		closeCaches()
		closeInflux()
		closePostgres()
		return nil, nil, nil, err
	}

	return sources, pg, func() {
		closeLayers()
		closeCaches()
		closeInflux()
		closePostgres()
	}, nil
}
