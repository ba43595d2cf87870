package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/ports"
)

// The defaults of Config.
const (
	DefaultTimeout   = 30 * time.Second
	DefaultMaxBars   = 1_000_000
	DefaultMaxSlots  = 100_000_000
	DefaultMaxReads  = 1000
	DefaultSymbolTTL = time.Hour
)

// Config sets the limits of the services. The zero value is the defaults.
type Config struct {
	// Timeout bounds a call whose context has no deadline; a context's own deadline, shorter or longer, replaces it.
	// Defaults to 30s.
	Timeout time.Duration `env:"TIMEOUT" yaml:"timeout"`

	// StoreTimeout bounds every single call of a store or a catalog. Defaults to 30s.
	StoreTimeout time.Duration `env:"STORE_TIMEOUT" yaml:"store_timeout"`

	// MaxBars is the most bars that a Fetch returns, and the most trades or quotes; a request for more is refused,
	// never cut. Nil is 1,000,000; 0 is no limit.
	MaxBars *int `env:"MAX_BARS" yaml:"max_bars"`

	// MaxSlots is the most bars that a requested range has slots for, whether they exist or not. A request for the first
	// or the last few bars is not held to it. Nil is 100,000,000; 0 is no limit.
	MaxSlots *int64 `env:"MAX_SLOTS" yaml:"max_slots"`

	// MaxReads is the most queries of stores that the plan of one request makes. Only coverage that alternates between
	// stores, or between stored and finer bars, needs many: holes in the coverage of one store are no queries. Nil is
	// 1000; 0 is no limit.
	MaxReads *int `env:"MAX_READS" yaml:"max_reads"`

	// Settle is how long a bar has to be over before it may be written: time for a source to amend it. 0, the default,
	// takes a bar as soon as it is over.
	Settle time.Duration `env:"SETTLE" yaml:"settle"`

	// SymbolTTL is how long a catalog's word that a symbol is known is kept; that one is not known is kept 10s at most.
	// Our own writes end both. Defaults to 1h.
	SymbolTTL time.Duration `env:"SYMBOL_TTL" yaml:"symbol_ttl"`

	// Audit makes the Logger receive a record of each request that reads or writes data, at the level of information: the
	// operation, the symbol, the frequency, the range, the rows, the outcome, and the users in which the stores are used.
	// Requests that look like an attack are recorded as warnings in any case: see ports.SuspiciousRequests.
	Audit bool `env:"AUDIT" yaml:"audit"`

	// Logger receives what no result or error says in full: the stack of a store's panic, a store that ignores
	// cancellation, and the records of the audit. Nil discards it.
	Logger Logger `env:"-" yaml:"-"`

	// Telemetry receives each request that reads or writes data, and each call of a store. Nil measures nothing; the
	// wirings for a server and for one machine set telemetry.New, whose measurements Service.Diagnose returns.
	Telemetry ports.Telemetry `env:"-" yaml:"-"`
}

// Logger receives messages, each with alternating keys and values. *slog.Logger is one.
type Logger = access.Logger

// silent discards messages.
type silent struct{}

// InfoContext discards the message.
func (silent) InfoContext(context.Context, string, ...any) {}

// WarnContext discards the message.
func (silent) WarnContext(context.Context, string, ...any) {}

// Warn discards the message.
func (silent) Warn(string, ...any) {}

// Error discards the message.
func (silent) Error(string, ...any) {}

// WithDefaults is c with every default filled in.
func (c Config) WithDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.StoreTimeout == 0 {
		c.StoreTimeout = DefaultTimeout
	}
	if c.MaxBars == nil {
		c.MaxBars = new(DefaultMaxBars)
	}
	if c.MaxSlots == nil {
		c.MaxSlots = new(int64(DefaultMaxSlots))
	}
	if c.MaxReads == nil {
		c.MaxReads = new(DefaultMaxReads)
	}
	if c.SymbolTTL == 0 {
		c.SymbolTTL = DefaultSymbolTTL
	}
	if c.Logger == nil {
		c.Logger = silent{}
	}

	return c
}

// Validate reports every value that is out of bounds.
func (c Config) Validate() error {
	var faults []error
	refuse := func(name string, value any) {
		faults = append(faults, fmt.Errorf("%s %v: must not be negative", name, value))
	}
	if c.Timeout < 0 {
		refuse("timeout", c.Timeout)
	}
	if c.StoreTimeout < 0 {
		refuse("store_timeout", c.StoreTimeout)
	}
	if c.MaxBars != nil && *c.MaxBars < 0 {
		refuse("max_bars", *c.MaxBars)
	}
	if c.MaxSlots != nil && *c.MaxSlots < 0 {
		refuse("max_slots", *c.MaxSlots)
	}
	if c.MaxReads != nil && *c.MaxReads < 0 {
		refuse("max_reads", *c.MaxReads)
	}
	if c.Settle < 0 {
		refuse("settle", c.Settle)
	}
	if c.SymbolTTL < 0 {
		refuse("symbol_ttl", c.SymbolTTL)
	}

	return errors.Join(faults...)
}
