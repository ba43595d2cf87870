package wiring

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/chunks"
)

// Cache configures the cache in front of the servers. The embedded store and a backtest have no cache, because their
// stores are local.
type Cache struct {
	// Disabled disables the cache, so that every request reads the stores. Defaults to false.
	Disabled bool `env:"DISABLED" yaml:"disabled"`

	// Bytes is the maximum memory of the cache in this process, at least 1 MiB. A bar takes 56 bytes, or up to 96 if its
	// numbers need more than 64 bits. Defaults to 256 MiB.
	Bytes int64 `env:"BYTES" yaml:"bytes"`

	// Policy sets for how long the cache keeps bars, and how far ahead it reads.
	Policy chunks.Config `yaml:",inline"`

	// Redis configures a second level, which processes share. A process uses only those of its entries that were read
	// from the stores after the process started.
	Redis Redis `envPrefix:"REDIS_" yaml:"redis"`
}

// Redis configures the shared cache.
type Redis struct {
	// URL is redis://user:password@host:port/database, or rediss:// for TLS. Defaults to no
	// second level.
	URL Secret `env:"URL" yaml:"url"`

	// CAFile is a file of trusted certificates (PEM) for rediss. Defaults to the system's certificates.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`

	// Prefix begins every key. Processes with the same prefix and the same PostgreSQL database share their entries.
	// Defaults to marketdata:.
	Prefix string `env:"PREFIX" yaml:"prefix"`

	// Timeout bounds every operation; an operation that takes longer is a miss. Defaults to 25ms.
	Timeout time.Duration `env:"TIMEOUT" yaml:"timeout"`
}

// minCacheBytes is the minimum of Cache.Bytes, because a smaller cache silently rejects every large chunk.
const minCacheBytes = 1 << 20

func (c Cache) withDefaults() Cache {
	setDefault(&c.Bytes, 256<<20)
	logger := c.Policy.Logger
	c.Policy = c.Policy.WithDefaults()
	c.Policy.Logger = logger // wiring sets the logger of the program
	setDefault(&c.Redis.Prefix, "marketdata:")
	setDefault(&c.Redis.Timeout, 25*time.Millisecond)

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

	if text := c.Redis.URL.Reveal(); text != "" { // an error must not contain the text, because it may have a password
		if u, err := url.Parse(text); err != nil || u.Host == "" || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) {
			faults = append(faults, errors.New(
				"cache: redis: url: give one like redis://user:password@host:6379/0, or rediss:// for TLS"))
		}
	}

	if c.Redis.Timeout < time.Millisecond {
		faults = append(faults, fmt.Errorf("cache: redis: timeout %s: give 1ms or more", c.Redis.Timeout))
	}

	return errors.Join(faults...)
}
