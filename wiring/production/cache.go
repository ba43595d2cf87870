package production

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/wiring"
)

// openCaches opens the cache of this process and, if configured, the shared Redis behind it. It does not need a running
// Redis. Processes share nothing where views stand in place of the tables, because a shared block needs a version.
func openCaches(
	ctx context.Context, s settings, opts Options, pg *postgres.Store,
) (seriescache.Caches, func(), error) {
	versioned, err := pg.KeepsVersions(ctx)
	if err != nil {
		return seriescache.Caches{}, nil, err
	}

	local, err := ristretto.NewBlocks(s.Cache.Bytes)
	if err != nil {
		return seriescache.Caches{}, nil, fmt.Errorf("cache: %w", err)
	}

	if s.Cache.Redis.URL.Reveal() == "" || !versioned {
		return seriescache.Caches{Local: local}, local.Close, nil
	}

	shared, closeShared, err := openRedis(ctx, s, opts, pg)
	if err != nil {
		local.Close()
		return seriescache.Caches{}, nil, err
	}

	return seriescache.Caches{Local: local, Shared: shared}, func() {
		closeShared()
		local.Close()
	}, nil
}

// openRedis opens the shared cache. Every key contains the identity of the database, so that deployments with the same
// Redis never read each other's bars. A secret of the database authenticates the values.
func openRedis(
	ctx context.Context, s settings, opts Options, pg *postgres.Store,
) (blockcache.SharedCache, func(), error) {
	identity, err := pg.Identity(ctx)
	if err != nil {
		return nil, nil, err
	}

	cfg := s.Cache.Redis
	cfg.Logger = opts.Logger
	cfg.Prefix += identity + ":"
	key, err := pg.CacheKey(ctx)
	if err != nil {
		return nil, nil, err
	}

	cfg.Key = wiring.NewSecret(string(key))
	shared, closeShared, err := opts.Redis(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("cache: %w", err)
	}

	return shared, closeShared, nil
}
