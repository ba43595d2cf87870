package seriescache

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Config sets the policy. Except for Name, the zero value is the defaults.
type Config struct {
	// Name is the name of the store. Stores that share a cache need different names. Required.
	Name domain.StoreName `env:"-" yaml:"-"`

	// Lease is how long the state of a series is believed, from before it was asked for. It bounds how late this process
	// sees the writes of others. Defaults to 2s.
	Lease time.Duration `env:"LEASE" yaml:"lease"`

	// UnversionedLease is Lease for the coverage of a store that keeps no versions. Defaults to 10s.
	UnversionedLease time.Duration `env:"UNVERSIONED_LEASE" yaml:"unversioned_lease"`

	// UnversionedTTL is how long the bars of a store that keeps no versions are kept. Defaults to 300s.
	UnversionedTTL time.Duration `env:"UNVERSIONED_TTL" yaml:"unversioned_ttl"`

	// ReadTimeout bounds one read of the store for the cache, which callers may share. Defaults to 30s.
	ReadTimeout time.Duration `env:"READ_TIMEOUT" yaml:"read_timeout"`

	// MaxBlocks is the maximum number of blocks, of up to 4096 bars, that one read takes through the cache. A longer read
	// goes to the store and leaves the cache as it is, because it would evict everything else. Defaults to 1024.
	MaxBlocks int `env:"MAX_BLOCKS" yaml:"max_blocks"`

	// ReadAhead is how many blocks are read ahead of a reader that goes on from block to block. Nil is 2; 0 reads none.
	ReadAhead *int `env:"READ_AHEAD" yaml:"read_ahead"`

	// Batch reads many series in few round trips, for Prefetch. Nil reads them one by one, when they are queried.
	Batch ports.BatchReader `env:"-" yaml:"-"`

	// Logger receives panics of the store, hints that could not be sent, and stores that went back. Nil discards them.
	Logger *slog.Logger `env:"-" yaml:"-"`
}

// The defaults of Config.
const (
	DefaultLease            = 2 * time.Second
	DefaultUnversionedLease = 10 * time.Second
	DefaultUnversionedTTL   = 300 * time.Second
	DefaultReadTimeout      = 30 * time.Second
	DefaultMaxBlocks        = 1024
	DefaultReadAhead        = 2
)

// WithDefaults returns the configuration with every default filled in.
func (c Config) WithDefaults() Config {
	c.Lease = cmp.Or(c.Lease, DefaultLease)
	c.UnversionedLease = cmp.Or(c.UnversionedLease, DefaultUnversionedLease)
	c.UnversionedTTL = cmp.Or(c.UnversionedTTL, DefaultUnversionedTTL)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, DefaultReadTimeout)
	c.MaxBlocks = cmp.Or(c.MaxBlocks, DefaultMaxBlocks)
	if c.ReadAhead == nil {
		c.ReadAhead = new(DefaultReadAhead)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	return c
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if c.Name == "" {
		faults = append(faults, errors.New("name: missing"))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"lease", c.Lease}, {"unversioned_lease", c.UnversionedLease}, {"unversioned_ttl", c.UnversionedTTL},
		{"read_timeout", c.ReadTimeout},
	} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s %s: must not be negative", d.name, d.value))
		}
	}
	if c.MaxBlocks < 0 {
		faults = append(faults, fmt.Errorf("max_blocks %d: must not be negative", c.MaxBlocks))
	}
	if c.ReadAhead != nil && *c.ReadAhead < 0 {
		faults = append(faults, fmt.Errorf("read_ahead %d: must not be negative", *c.ReadAhead))
	}

	return errors.Join(faults...)
}
