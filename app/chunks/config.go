package chunks

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Config sets the policy. Name apart, the zero value is the defaults.
type Config struct {
	// Name is the store's name in the cache: stores that share a cache need different names. Required.
	Name domain.StoreName `env:"-" yaml:"-"`

	// ClosedTTL is how long bars are kept that closed longer than Settle ago. Defaults to 24h.
	ClosedTTL time.Duration `env:"CLOSED_TTL" yaml:"closed_ttl"`

	// OpenTTL is the longest that younger bars are believed, and that nothing follows them; a bar's length where that is shorter.
	// Defaults to 300s.
	OpenTTL time.Duration `env:"OPEN_TTL" yaml:"open_ttl"`

	// EmptyTTL is how long it is believed that a store has nothing in a whole chunk. Defaults to 300s.
	EmptyTTL time.Duration `env:"EMPTY_TTL" yaml:"empty_ttl"`

	// ExtentTTL is how long it is believed what a store says it holds. Defaults to 10s.
	ExtentTTL time.Duration `env:"EXTENT_TTL" yaml:"extent_ttl"`

	// Settle is how long a bar has to be over before it counts as closed for good. Defaults to two bars' length, 1m at least.
	Settle time.Duration `env:"SETTLE" yaml:"settle"`

	// ReadTimeout bounds one read of the store for the cache, whoever waits for it. Defaults to 30s.
	ReadTimeout time.Duration `env:"READ_TIMEOUT" yaml:"read_timeout"`

	// Skew is how far the clocks of processes that share a cache may be apart. Defaults to 5s.
	Skew time.Duration `env:"SKEW" yaml:"skew"`

	// MaxChunks is the longest range, in chunks, that is read through the cache; a longer one goes to the store and leaves the cache
	// as it is, since it would push out everything else. Defaults to 1024.
	MaxChunks int `env:"MAX_CHUNKS" yaml:"max_chunks"`

	// ReadAhead is how many chunks are read ahead of a reader who goes on from chunk to chunk. Nil is 2; 0 reads none ahead.
	ReadAhead *int `env:"READ_AHEAD" yaml:"read_ahead"`

	// Batch reads many series of the store in few round trips, for Warm; nil has them read one by one.
	Batch ports.BatchReader `env:"-" yaml:"-"`

	// Logger is told of a store's panic and of invalidations that could not be published. Nil is silence.
	Logger *slog.Logger `env:"-" yaml:"-"`
}

// The defaults of Config.
const (
	DefaultClosedTTL   = 24 * time.Hour
	DefaultOpenTTL     = 300 * time.Second
	DefaultEmptyTTL    = 300 * time.Second
	DefaultExtentTTL   = 10 * time.Second
	DefaultReadTimeout = 30 * time.Second
	DefaultSkew        = 5 * time.Second
	DefaultMaxChunks   = 1024
	DefaultReadAhead   = 2
	minSettle          = time.Minute
)

// WithDefaults is c with every default filled in, but for Settle, whose default depends on the bars.
func (c Config) WithDefaults() Config {
	c.ClosedTTL = cmp.Or(c.ClosedTTL, DefaultClosedTTL)
	c.OpenTTL = cmp.Or(c.OpenTTL, DefaultOpenTTL)
	c.EmptyTTL = cmp.Or(c.EmptyTTL, DefaultEmptyTTL)
	c.ExtentTTL = cmp.Or(c.ExtentTTL, DefaultExtentTTL)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, DefaultReadTimeout)
	c.Skew = cmp.Or(c.Skew, DefaultSkew)
	c.MaxChunks = cmp.Or(c.MaxChunks, DefaultMaxChunks)
	if c.ReadAhead == nil {
		c.ReadAhead = new(DefaultReadAhead)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	return c
}

// Validate reports every fault.
func (c Config) Validate() error {
	var faults []error
	if c.Name == "" {
		faults = append(faults, errors.New("name: missing"))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"closed_ttl", c.ClosedTTL}, {"open_ttl", c.OpenTTL}, {"empty_ttl", c.EmptyTTL}, {"extent_ttl", c.ExtentTTL},
		{"settle", c.Settle}, {"read_timeout", c.ReadTimeout}, {"skew", c.Skew},
	} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("%s %s: must not be negative", d.name, d.value))
		}
	}
	if c.MaxChunks < 0 {
		faults = append(faults, fmt.Errorf("max_chunks %d: must not be negative", c.MaxChunks))
	}
	if c.ReadAhead != nil && *c.ReadAhead < 0 {
		faults = append(faults, fmt.Errorf("read_ahead %d: must not be negative", *c.ReadAhead))
	}

	return errors.Join(faults...)
}

// settle is how long a bar of f has to be over.
func (c *Config) settle(f domain.Frequency) time.Duration {
	return cmp.Or(c.Settle, max(2*f.Nominal(), minSettle))
}

// openTTL is how long the tail of a chunk of f is believed.
func (c *Config) openTTL(f domain.Frequency) time.Duration { return min(c.OpenTTL, f.Nominal()) }
