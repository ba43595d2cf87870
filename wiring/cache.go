package wiring

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/app/chunks"
)

// Cache configures what is kept of the bars that the servers returned. The embedded store and a backtest keep nothing:
// their bars are at hand.
type Cache struct {
	// Disabled turns the cache off: every request reads the stores. Defaults to false.
	Disabled bool `env:"DISABLED" yaml:"disabled"`

	// Bytes bounds the memory of this process for it; a bar takes 56, or up to 96 with numbers of more than 64 bits. At
	// least 1 MiB. Defaults to 256 MiB.
	Bytes int64 `env:"BYTES" yaml:"bytes"`

	// Policy is for how long, and how far ahead.
	Policy chunks.Config `yaml:",inline"`

	// Redis names a second level, larger and shared between processes. Each takes from it only what others read since
	// it runs itself.
	Redis Redis `envPrefix:"REDIS_" yaml:"redis"`
}

// Redis configures the cache that processes share.
type Redis struct {
	// URL is redis://user:password@host:port/database, or rediss:// for TLS. Without one there is no second level.
	URL Secret `env:"URL" yaml:"url"`

	// CAFile holds the certificates (PEM) to trust for rediss. Defaults to the system's.
	CAFile string `env:"CA_FILE" yaml:"ca_file"`

	// Prefix begins every key. Processes share what is under one prefix, so they have to use the same databases.
	// Defaults to marketdata:.
	Prefix string `env:"PREFIX" yaml:"prefix"`

	// Timeout bounds every operation; one that takes longer is a miss. Defaults to 25ms.
	Timeout time.Duration `env:"TIMEOUT" yaml:"timeout"`
}

// minCacheBytes is room for a few chunks: less would keep none of the large ones, and not say so.
const minCacheBytes = 1 << 20

func (c Cache) withDefaults() Cache {
	setDefault(&c.Bytes, 256<<20)
	logger := c.Policy.Logger
	c.Policy = c.Policy.WithDefaults()
	c.Policy.Logger = logger // the program's
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
	if text := c.Redis.URL.Reveal(); text != "" { // not to be repeated
		if u, err := url.Parse(text); err != nil || u.Host == "" || !slices.Contains([]string{"redis", "rediss"}, u.Scheme) {
			faults = append(faults, errors.New("cache: redis: url: give one like redis://user:password@host:6379/0, or rediss:// for TLS"))
		}
	}

	if c.Redis.Timeout < time.Millisecond {
		faults = append(faults, fmt.Errorf("cache: redis: timeout %s: give 1ms or more", c.Redis.Timeout))
	}
	return errors.Join(faults...)
}
