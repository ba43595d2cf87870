package wiring

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/store/sqlite/sqliteconfig"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
)

// Config is the whole configuration of the product. A zero field means its default; a field whose zero is a setting of
// its own is a pointer, and nil means its default. The environment overrides the YAML file, and a program may override
// both by setting fields before it opens anything.
type Config struct {
	// Service sets limits and timeouts. Its variables begin with MARKETDATA_SERVICE_.
	Service app.Config `envPrefix:"SERVICE_" yaml:"service"`

	// SQLite configures the embedded store. Its variables begin with MARKETDATA_SQLITE_.
	SQLite SQLite `envPrefix:"SQLITE_" yaml:"sqlite"`

	// Postgres configures the relational store. Its variables begin with MARKETDATA_POSTGRES_.
	Postgres Postgres `envPrefix:"POSTGRES_" yaml:"postgres"`

	// Influx configures the time-series store, which needs the relational store. Its variables begin with
	// MARKETDATA_INFLUX_.
	Influx Influx `envPrefix:"INFLUX_" yaml:"influx"`

	// Cache configures the cache in front of the servers. Its variables begin with MARKETDATA_CACHE_.
	Cache Cache `envPrefix:"CACHE_" yaml:"cache"`

	// HighFrequencyBelow is the length below which the time-series store takes bars. The relational store takes bars of
	// this length and longer. Defaults to 1h.
	HighFrequencyBelow domain.Frequency `env:"HIGH_FREQUENCY_BELOW" yaml:"high_frequency_below"`

	// MaxInFlightBytes is the memory of the rows that are on their way between this process and its servers, at least 1
	// MiB. A read counts for the bars that its range has room for, up to Service.MaxBars, 56 bytes each; a call that gets
	// none within half of its time is refused with ErrOverloaded. Writes get a quarter at most. Defaults to 256 MiB.
	MaxInFlightBytes int64 `env:"MAX_IN_FLIGHT_BYTES" yaml:"max_in_flight_bytes"`

	// SymbolCacheBytes is the maximum memory of the cache of symbols, in bytes. Defaults to 16 MiB.
	SymbolCacheBytes int64 `env:"SYMBOL_CACHE_BYTES" yaml:"symbol_cache_bytes"`
}

// minInFlightBytes is the minimum of MaxInFlightBytes, because a smaller one has no room for a few blocks.
const minInFlightBytes = 1 << 20

// HasServer reports whether a server is configured. Without one, a program opens the embedded store.
func (c Config) HasServer() bool { return c.Postgres.DSN.Reveal() != "" || c.Influx.URL != "" }

// SQLite configures the embedded store. Package wiring/embedded also creates the folder of the file.
type SQLite = sqliteconfig.Config

// WithDefaults returns c with every default filled in. SQLite.Path stays empty if there is no home folder.
func (c Config) WithDefaults() Config {
	c.Service = c.Service.WithDefaults()
	c.SQLite, c.Cache = c.SQLite.WithDefaults(), c.Cache.withDefaults()
	c.Postgres, c.Influx = c.Postgres.WithDefaults(), c.Influx.WithDefaults()
	c.HighFrequencyBelow = cmp.Or(c.HighFrequencyBelow, domain.Hour1)
	c.MaxInFlightBytes = cmp.Or(c.MaxInFlightBytes, 256<<20)
	c.SymbolCacheBytes = cmp.Or(c.SymbolCacheBytes, 16<<20)

	return c
}

// Validate returns every fault of c with its defaults, joined. It does not check values that only a driver can parse,
// such as a DSN; opening the store checks those.
func (c Config) Validate() error {
	c = c.WithDefaults()

	var faults []error
	if err := c.Service.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("service: %w", err))
	}
	if err := c.HighFrequencyBelow.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("high_frequency_below: %w", err))
	}
	if c.MaxInFlightBytes < minInFlightBytes {
		faults = append(faults, fmt.Errorf("max_in_flight_bytes %d: give %d or more", c.MaxInFlightBytes, minInFlightBytes))
	}
	if c.SymbolCacheBytes < 0 {
		faults = append(faults, fmt.Errorf("symbol_cache_bytes %d: must not be negative", c.SymbolCacheBytes))
	}

	for _, store := range []struct {
		name  string
		fault error
	}{
		{"sqlite", c.SQLite.Validate()}, {"postgres", c.Postgres.Validate()}, {"influx", c.Influx.Validate()},
	} {
		if store.fault != nil {
			faults = append(faults, fmt.Errorf("%s: %w", store.name, store.fault))
		}
	}

	return errors.Join(append(faults, c.Cache.validate())...)
}
