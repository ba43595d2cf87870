package production

import (
	"context"
	"errors"
	"strings"

	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// Diagnose opens each store of the configuration and the shared cache by itself, checks it, and closes it. One that
// cannot be opened is down in the result, with the error that Open would return, and does not hide the others. The
// diagnosis is that of app.Service.Diagnose otherwise. The error is that of ctx, or ErrInvalid for an invalid
// configuration.
//
// A program that runs already calls Diagnose of its application instead: that has the counters.
func Diagnose(ctx context.Context, cfg wiring.Config, opts Options) (ports.Diagnosis, error) {
	s, err := newSettings(cfg, opts)
	if err != nil {
		return ports.Diagnosis{}, err
	}

	opts.isDiagnosis = true
	opts.Logger = nil // the diagnosis has the warnings of Open
	md, closeAll, err := Open(ctx, cfg, opts)
	if err == nil {
		defer closeAll()
		return md.Diagnose(ctx)
	}
	if ctx.Err() != nil || errors.Is(err, ports.ErrInvalid) {
		return ports.Diagnosis{}, err
	}

	return diagnoseWithoutPostgres(ctx, s, opts, err)
}

// diagnoseWithoutPostgres diagnoses each store by itself, because PostgreSQL, without which no application can be
// built, failed with openErr.
func diagnoseWithoutPostgres(ctx context.Context, s settings, opts Options, openErr error) (ports.Diagnosis, error) {
	sources := []app.Source{app.FailedSource(postgres.Name, openErr, postgres.DetailsOf(s.Postgres))}
	ts, closeInflux, err := openInflux(ctx, s, opts)
	if err != nil {
		return ports.Diagnosis{}, err
	}

	defer closeInflux()
	if ts != nil {
		sources = append(sources, app.Source{Name: influx.Name, Health: ts})
	}
	if s.Cache.Redis.URL.Reveal() != "" {
		cfg := s.Cache.Redis
		cfg.Key = wiring.NewSecret(strings.Repeat("0", redisconfig.MinKeySize)) // the check puts no block
		cache, closeCache, err := opts.Redis(cfg)
		if err != nil {
			return ports.Diagnosis{}, err
		}

		defer closeCache()
		sources = append(sources, cacheSource(cache))
	}

	return app.Diagnose(ctx, newClock(opts), sources...)
}
