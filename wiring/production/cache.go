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

// openCaches makes the place where chunks of bars are kept: in this process, and behind it the redis that processes
// share, where one is configured. Redis need not be up.
func openCaches(ctx context.Context, s settings, pg *postgres.Store) (chunks.Caches, func(), error) {
	near, err := ristretto.NewSeries(s.Cache.Bytes)
	if err != nil {
		return chunks.Caches{}, nil, fmt.Errorf("cache: %w", err)
	}
	if s.Cache.Redis.URL.Reveal() == "" {
		return chunks.Caches{Near: near}, near.Close, nil
	}

	far, closeFar, err := openRedis(ctx, s, pg)
	if err != nil {
		near.Close()
		return chunks.Caches{}, nil, fmt.Errorf("cache: %w", err)
	}

	return chunks.Caches{Near: near, All: tiered.NewSeries(near, far)}, func() {
		closeFar()
		near.Close()
	}, nil
}

// openRedis names the database in every key: deployments that use one redis never see each other's bars.
func openRedis(ctx context.Context, s settings, pg *postgres.Store) (*redis.Cache, func(), error) {
	r := s.Cache.Redis
	trusted, err := trust("cache: redis", r.CAFile)
	if err != nil {
		return nil, nil, err
	}

	identity, err := pg.Identity(ctx)
	if err != nil {
		return nil, nil, err
	}

	cfg := redis.Config{URL: r.URL.Reveal(), TLS: trusted, Prefix: r.Prefix + identity + ":", Timeout: r.Timeout}
	if err := cfg.Validate(); err != nil {
		return nil, nil, fmt.Errorf("configuration: redis: %w", errors.Join(err, ports.ErrInvalid))
	}

	return redis.Open(ctx, cfg)
}
