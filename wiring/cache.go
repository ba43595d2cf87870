package wiring

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/app/seriescache"
)

// Cache configures the cache in front of the servers. The embedded store and a backtest have no cache, because their
// stores are local.
type Cache struct {
	// Disabled disables the cache, so that every request reads the stores. Defaults to false.
	Disabled bool `env:"DISABLED" yaml:"disabled"`

	// Bytes is the maximum memory of the cache in this process, at least 1 MiB. A bar takes 56 bytes, or up to 96 if its
	// numbers need more than 64 bits. Defaults to 256 MiB.
	Bytes int64 `env:"BYTES" yaml:"bytes"`

	// Policy sets for how long the cache believes the state of a series, and how far ahead it reads.
	Policy seriescache.Config `yaml:",inline"`

	// Redis configures a second level, which processes share.
	Redis Redis `envPrefix:"REDIS_" yaml:"redis"`
}

// Redis configures the shared cache. An empty URL means no second level. The identity of the PostgreSQL database
// follows the prefix, so that only processes with the same database share entries.
type Redis = redisconfig.Config

// minCacheBytes is the minimum of Cache.Bytes, because a smaller cache silently rejects every large block.
const minCacheBytes = 1 << 20

func (c Cache) withDefaults() Cache {
	c.Bytes = cmp.Or(c.Bytes, 256<<20)
	logger := c.Policy.Logger
	c.Policy = c.Policy.WithDefaults()
	c.Policy.Logger = logger // wiring sets the logger of the program
	c.Redis = c.Redis.WithDefaults()

	return c
}

func (c Cache) validate() error {
	var faults []error
	if c.Bytes < minCacheBytes {
		faults = append(faults, fmt.Errorf("cache: bytes %d: give %d or more, or disable the cache", c.Bytes, minCacheBytes))
	}

	c.Policy.Name = "set for each store"
	if err := c.Policy.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("cache: %w", err))
	}

	if err := c.Redis.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("cache: redis: %w", err))
	}

	return errors.Join(faults...)
}
