package production

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app/seriescache"
)

// caches are the caches of bars. redis is Shared again, or nil.
type caches struct {
	seriescache.Caches
	redis *redis.Cache
}

// openCaches opens the cache of this process and, if configured, the shared Redis behind it. It does not need a running
// Redis. Processes share nothing where views stand in place of the tables, because a shared block needs a version.
func openCaches(ctx context.Context, s settings, pg *postgres.Store) (caches, func(), error) {
	versioned, err := pg.KeepsVersions(ctx)
	if err != nil {
		return caches{}, nil, err
	}

	local, err := ristretto.NewBlocks(s.Cache.Bytes)
	if err != nil {
		return caches{}, nil, fmt.Errorf("cache: %w", err)
	}

	if s.Cache.Redis.URL.Reveal() == "" || !versioned {
		return caches{Caches: seriescache.Caches{Local: local}}, local.Close, nil
	}

	shared, closeShared, err := openRedis(ctx, s, pg)
	if err != nil {
		local.Close()
		return caches{}, nil, fmt.Errorf("cache: %w", err)
	}

	return caches{seriescache.Caches{Local: local, Shared: shared}, shared}, func() {
		closeShared()
		local.Close()
	}, nil
}

// openRedis opens the shared cache. Every key contains the identity of the database, so that deployments with the same
// Redis never read each other's bars. A secret of the database authenticates the values.
func openRedis(ctx context.Context, s settings, pg *postgres.Store) (*redis.Cache, func(), error) {
	identity, err := pg.Identity(ctx)
	if err != nil {
		return nil, nil, err
	}

	cfg := s.Cache.Redis
	cfg.Prefix += identity + ":"
	if cfg.Key, err = pg.CacheKey(ctx); err != nil {
		return nil, nil, err
	}

	return redis.Open(cfg)
}
