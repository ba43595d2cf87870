package wiring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
)

// Config is everything that can be configured. The zero value is the defaults. Later sources weigh more: the defaults,
// the YAML file, the environment, and what a program sets in the struct before it opens anything.
type Config struct {
	// Service sets limits and timeouts. Its variables begin with MARKETDATA_SERVICE_.
	Service app.Config `envPrefix:"SERVICE_" yaml:"service"`

	// SQLite says where the embedded store is. Its variables begin with MARKETDATA_SQLITE_.
	SQLite SQLite `envPrefix:"SQLITE_" yaml:"sqlite"`

	// Postgres names the relational store. Its variables begin with MARKETDATA_POSTGRES_.
	Postgres Postgres `envPrefix:"POSTGRES_" yaml:"postgres"`

	// Influx names the time-series store, beside the relational one. Its variables begin with MARKETDATA_INFLUX_.
	Influx Influx `envPrefix:"INFLUX_" yaml:"influx"`

	// Cache bounds what is kept of the servers' bars. Its variables begin with MARKETDATA_CACHE_.
	Cache Cache `envPrefix:"CACHE_" yaml:"cache"`

	// HighFrequencyBelow is the bar length from which on bars are the relational store's; shorter ones are the
	// time-series store's. Defaults to 1h.
	HighFrequencyBelow domain.Frequency `env:"HIGH_FREQUENCY_BELOW" yaml:"high_frequency_below"`

	// SymbolCacheBytes bounds the memory for what catalogs said of symbols. Defaults to 16 MiB.
	SymbolCacheBytes int64 `env:"SYMBOL_CACHE_BYTES" yaml:"symbol_cache_bytes"`
}

// HasServer reports whether any server is configured, so that the embedded store is not meant.
func (c Config) HasServer() bool { return c.Postgres.DSN.Reveal() != "" || c.Influx.URL != "" }

// SQLite configures the embedded store.
type SQLite struct {
	// Path is the database file; it and its folder are created where they do not exist. A relative path starts at the
	// working directory. Defaults to $XDG_DATA_HOME/marketdata/marketdata.db, and without that variable to
	// ~/.local/share/marketdata/marketdata.db.
	Path string `env:"PATH" yaml:"path"`
}

// WithDefaults is c with every default filled in, as far as one can be found: without a home folder, SQLite.Path has
// none.
func (c Config) WithDefaults() Config {
	c.Service = c.Service.WithDefaults()
	if c.SQLite.Path == "" {
		c.SQLite.Path = defaultPath()
	}
	c.Postgres, c.Influx, c.Cache = c.Postgres.WithDefaults(), c.Influx.withDefaults(), c.Cache.withDefaults()
	setDefault(&c.HighFrequencyBelow, domain.Hour1)
	setDefault(&c.SymbolCacheBytes, 16<<20)

	return c
}

func defaultPath() string {
	folder := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(folder) { // the standard has a relative one ignored
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}

		folder = filepath.Join(home, ".local", "share")
	}

	return filepath.Join(folder, "marketdata", "marketdata.db")
}

// Validate reports every fault at once. What only a store's driver can judge, such as a DSN, is left to opening it.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var faults []error
	if err := c.Service.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("service: %w", err))
	}
	switch path := c.SQLite.Path; {
	case path == "":
		faults = append(faults, errors.New("sqlite: path: empty, and there is no home folder to put the database in; name a file"))
	case strings.HasPrefix(path, "~"):
		faults = append(faults, fmt.Errorf("sqlite: path %s: ~ is not expanded; write the home folder out", path))
	}

	if err := c.HighFrequencyBelow.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("high_frequency_below: %w", err))
	}
	if c.SymbolCacheBytes < 0 {
		faults = append(faults, fmt.Errorf("symbol_cache_bytes %d: must not be negative", c.SymbolCacheBytes))
	}

	if err := c.Postgres.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("postgres: %w", err))
	}

	return errors.Join(append(faults, c.Influx.validate(), c.Cache.validate())...)
}

// YAML is the configuration in effect, defaults filled in, in the form that Load reads; but secrets are hidden, and
// Load refuses them so.
func (c Config) YAML() ([]byte, error) { return yaml.Marshal(c.WithDefaults()) }
