package embedded

import (
	"context"
	"errors"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// Diagnose opens the SQLite file, which it creates if it does not exist, checks it, and closes it. A file that cannot
// be opened is down in the result, with the error that Open would return. The error is that of ctx, or ErrInvalid for
// an invalid configuration.
func Diagnose(ctx context.Context, cfg wiring.Config, opts Options) (ports.Diagnosis, error) {
	md, closeFile, err := Open(ctx, cfg, opts)
	if err == nil {
		defer closeFile()
		return md.Diagnose(ctx)
	}
	if ctx.Err() != nil || errors.Is(err, ports.ErrInvalid) {
		return ports.Diagnosis{}, err
	}

	details := ports.StoreDetails{Database: cfg.WithDefaults().SQLite.Path}

	return app.Diagnose(ctx, newClock(opts), app.FailedSource(sqlite.Name, err, details))
}
