package production

import (
	"context"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/cache/tiered"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/ports"
)

// openCaches opens the cache of this process and, if configured, the shared Redis behind it. It does not need a running
// Redis.
func openCaches(ctx context.Context, s settings, pg *postgres.Store) (chunks.Caches, func(), error) {
	local, err := ristretto.NewSeries(s.Cache.Bytes)
	if err != nil {
		return chunks.Caches{}, nil, fmt.Errorf("cache: %w", err)
	}

	if s.Cache.Redis.URL.Reveal() == "" {
		return chunks.Caches{Near: local}, local.Close, nil
	}

	shared, closeShared, err := openRedis(ctx, s, pg)
	if err != nil {
		local.Close()
		return chunks.Caches{}, nil, fmt.Errorf("cache: %w", err)
	}

	return chunks.Caches{Near: local, All: tiered.NewSeries(local, shared)}, func() {
		closeShared()
		local.Close()
	}, nil
}

// openRedis opens the shared cache. Every key contains the identity of the database, so that deployments with the same
// Redis never read each other's bars.
func openRedis(ctx context.Context, s settings, pg *postgres.Store) (*redis.Cache, func(), error) {
	r := s.Cache.Redis
	tlsConfig, err := newTLSConfig("cache: redis", r.CAFile)
	if err != nil {
		return nil, nil, err
	}

	identity, err := pg.Identity(ctx)
	if err != nil {
		return nil, nil, err
	}

	cfg := redis.Config{URL: r.URL.Reveal(), TLS: tlsConfig, Prefix: r.Prefix + identity + ":", Timeout: r.Timeout}
	if err := cfg.Validate(); err != nil {
		return nil, nil, fmt.Errorf("configuration: redis: %w", errors.Join(err, ports.ErrInvalid))
	}

	return redis.Open(ctx, cfg)
}
