// Package pgconfig has the settings of the PostgreSQL store. It is apart from the store, so that a program that only
// reads configurations does not link the driver.
package pgconfig

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
)

// Config configures a store: the server and the limits of its use. A field with its zero value has its default.
type Config struct {
	// DSN is a postgres:// URL or a list of keyword=value pairs, as libpq reads them. TLS is set there
	// (sslmode=verify-full&sslrootcert=...).
	DSN secret.Secret `env:"DSN" yaml:"dsn"`

	// PasswordFile is a file with the password of the role, in place of one in the DSN. Every new connection reads it, so
	// that a new password needs no restart; connections that are open stay. A line end at its end is ignored. A file that
	// cannot be read or is empty is ports.ErrAuth. Once a connection was accepted, such a file, and a password that the
	// server refuses, are read again for 2 s, because the file and the server change one after the other.
	PasswordFile string `env:"PASSWORD_FILE" yaml:"password_file"`

	// RequireTLS makes opening the store fail with ports.ErrInvalid if the DSN permits a connection without TLS to another
	// host than this one: sslmode disable, allow and prefer, the default. Without it that is a warning of the Logger.
	RequireTLS bool `env:"REQUIRE_TLS" yaml:"require_tls"`

	// MinConns and MaxConns bound the pool. They default to 5 and 20. A read uses one connection until it ends, so
	// MaxConns also limits how many reads can be open at once.
	MinConns int `env:"MIN_CONNS" yaml:"min_conns"`
	MaxConns int `env:"MAX_CONNS" yaml:"max_conns"`

	// AcquireTimeout limits how long a call waits for a connection of a busy pool before it fails with
	// ports.ErrOverloaded. It defaults to 250 ms.
	AcquireTimeout time.Duration `env:"ACQUIRE_TIMEOUT" yaml:"acquire_timeout"`

	// ConnectTimeout limits the opening of a connection. It defaults to 1 s.
	ConnectTimeout time.Duration `env:"CONNECT_TIMEOUT" yaml:"connect_timeout"`

	// StatementTimeout limits one statement. A write runs several per batch. A read is one statement, and the time that
	// its consumer spends between pieces counts. It defaults to 30 s.
	StatementTimeout time.Duration `env:"STATEMENT_TIMEOUT" yaml:"statement_timeout"`

	// SlowQuery is the duration from which a call is logged as slow, without the time of its consumer. It defaults to
	// 5 s.
	SlowQuery time.Duration `env:"SLOW_QUERY" yaml:"slow_query"`

	// BatchRows is the number of rows that a write stages before it merges them into their table. A write is one
	// transaction, however many batches it has. It defaults to 10,000.
	BatchRows int `env:"BATCH_ROWS" yaml:"batch_rows"`

	// MigrateOnOpen makes opening the store apply the migrations, for which the role must own the tables.
	MigrateOnOpen bool `env:"MIGRATE_ON_OPEN" yaml:"migrate_on_open"`

	// TraceConnections names a connection after the trace of the call that uses it: its application_name is the
	// traceparent in the transactions of the call, and not afterwards, so that lines of the server's log can be joined
	// with the caller's trace. It costs no round trip.
	TraceConnections bool `env:"TRACE_CONNECTIONS" yaml:"trace_connections"`

	// Traceparent returns the W3C traceparent of a call, from its context; a text that is none is ignored. It must be set
	// with TraceConnections and is not called without. It must be safe for concurrent use.
	Traceparent func(ctx context.Context) string `env:"-" yaml:"-"`

	// Logger receives a warning for each slow call, and one for a connection without TLS. Nil discards it.
	Logger *slog.Logger `env:"-" yaml:"-"`
}

// WithDefaults returns the configuration with every default filled in, except for the Logger.
func (c Config) WithDefaults() Config {
	if c.MaxConns == 0 {
		c.MaxConns = max(20, c.MinConns)
	}
	if c.MinConns == 0 {
		c.MinConns = min(5, c.MaxConns)
	}

	c.AcquireTimeout = cmp.Or(c.AcquireTimeout, 250*time.Millisecond)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, time.Second)
	c.StatementTimeout = cmp.Or(c.StatementTimeout, 30*time.Second)
	c.SlowQuery = cmp.Or(c.SlowQuery, 5*time.Second)
	c.BatchRows = cmp.Or(c.BatchRows, 10_000)

	return c
}

// Validate reports every fault at once, defaults applied. Each fault wraps domain.ErrInvalid. The DSN is left to the
// driver.
func (c Config) Validate() error {
	c = c.WithDefaults()
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, domain.ErrInvalid)...))
	}

	if c.MinConns < 0 || c.MaxConns < c.MinConns {
		fault("min_conns %d, max_conns %d: must be 0 <= min <= max", c.MinConns, c.MaxConns)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"acquire_timeout", c.AcquireTimeout}, {"connect_timeout", c.ConnectTimeout},
		{"statement_timeout", c.StatementTimeout}, {"slow_query", c.SlowQuery},
	} {
		if d.value < time.Millisecond {
			fault("%s %s: must be at least 1ms", d.name, d.value)
		}
	}

	if c.BatchRows < 1 {
		fault("batch_rows %d: must be at least 1", c.BatchRows)
	}

	return errors.Join(faults...)
}
