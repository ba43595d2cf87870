// Package production wires the application for servers. PostgreSQL stores bars of an hour and longer, trades, quotes,
// the catalog, and the coverage of all bars. InfluxDB stores shorter bars; without InfluxDB, PostgreSQL stores all
// bars. The clock is the system's. The package opens and closes the stores, except those that Options pass in.
//
// Reads of bars go through a cache in this process and, if configured, through a shared Redis. Each process receives
// the writes of the others by PostgreSQL's LISTEN and NOTIFY, on one connection for each store of bars, outside the
// pool. While that connection is down, and if the cache is disabled, every request reads the stores.
//
// Three timeouts bound a request to a server that hangs: the deadline of the call or Config.Service.Timeout for the
// whole request, Config.Service.StoreTimeout for each store call, and PostgreSQL's own statement_timeout, which is
// Config.Postgres.StatementTimeout.
package production

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/adapters/telemetry"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/internal/asynclog"
)

// Options are the dependencies that a configuration file cannot hold. A zero field means its default.
type Options struct {
	// Logger receives events that no result and no error reports, such as slow queries, on a goroutine of its own: a
	// logger that blocks delays no call, and 1024 messages wait for it before further ones are discarded and counted.
	// Closing waits for it for 250 ms. Defaults to no logging.
	Logger *slog.Logger

	// Clock decides which bars are closed and visible. Defaults to the system's clock.
	Clock ports.Clock

	// PostgresPool replaces the pool that Open creates from Config.Postgres; the caller must close it. The pool keeps its
	// own limits: of Config.Postgres, Open uses only AcquireTimeout, ConnectTimeout, StatementTimeout (as the limit of
	// the client), SlowQuery, BatchRows and MigrateOnOpen. Open connects, and refuses a pool whose sessions would change
	// the meaning of text or hide rows (see postgres.OpenPool).
	PostgresPool *pgxpool.Pool

	// InfluxClient replaces the client that Open creates from Config.Influx; the caller must close it. Config.Influx
	// still names the database and the measurement.
	InfluxClient influxdb2.Client

	// Traceparent returns the W3C traceparent of a call from its context, such as "00-<32 digits>-<16 digits>-01". It is
	// used, and needed, with Config.Postgres.TraceConnections.
	Traceparent func(ctx context.Context) string

	// Redis opens the cache that Config.Cache.Redis names: redis.OpenShared of adapters/cache/redis. A program that leaves
	// it out does not link the client of Redis, and Open refuses a configuration with a Redis.
	Redis func(cfg wiring.Redis) (cache blockcache.SharedCache, closeCache func(), err error)

	// Stores changes the list of stores. It takes the configured stores in order of preference, and returns the stores to
	// use: it may add stores, reorder them and change the frequencies of each. The application neither caches nor closes
	// an added store. app.Source says which catalog its symbols need. Defaults to the configured stores.
	Stores func(sources []app.Source) []app.Source

	// RequireInflux makes Open fail while InfluxDB does not respond. By default Open then succeeds and logs a warning, and
	// requests are served that need only PostgreSQL; the others return ErrUnavailable or ErrTimeout. InfluxDB is used as
	// soon as it responds, after the checks that Open makes otherwise: its schema, and that PostgreSQL describes its bars.
	// Open fails in any case if InfluxDB refuses the credentials, lacks the database, or is not the one that PostgreSQL
	// describes. PostgreSQL must always respond, because it has the coverage and the catalog.
	RequireInflux bool

	// isDiagnosis makes Open succeed whatever is wrong with InfluxDB.
	isDiagnosis bool
}

// Open connects to the servers of the configuration and returns the application over them. It returns ErrInvalid for an
// invalid configuration, ErrUnavailable if PostgreSQL does not respond, or InfluxDB where Options.RequireInflux is set,
// and ErrAuth if one rejects the credentials. The returned function closes everything that Open opened, in reverse
// order. With an error the function is nil and nothing stays open.
func Open(ctx context.Context, cfg wiring.Config, opts Options) (*app.Service, func(), error) {
	logger, closeLogger := asynclog.New(opts.Logger)
	opts.Logger = logger
	md, closeAll, err := open(ctx, cfg, opts)
	if err != nil {
		closeLogger()
		return nil, nil, err
	}

	return md, func() {
		closeAll()
		closeLogger()
	}, nil
}

// settings is a validated configuration with every default filled in.
type settings wiring.Config

func newSettings(cfg wiring.Config, opts Options) (settings, error) {
	err := cfg.Validate()
	if cfg.Postgres.DSN.Reveal() == "" && opts.PostgresPool == nil {
		err = errors.Join(err, errors.New("postgres: dsn: missing; set "+wiring.EnvPrefix+"POSTGRES_DSN, "+
			"like postgres://user@host/database: it stores the catalog and the coverage of all bars, also of those in InfluxDB"))
	}
	if cfg.Cache.Redis.URL.Reveal() != "" && opts.Redis == nil {
		err = errors.Join(err, errors.New("cache: redis: url: this program does not link Redis; remove the setting, or set "+
			"production.Options.Redis to redis.OpenShared of adapters/cache/redis"))
	}
	if err != nil {
		return settings{}, invalidError{fmt.Errorf("configuration: %w", err)}
	}

	return settings(cfg.WithDefaults()), nil
}

// invalidError is an error of kind ErrInvalid with the message of its cause.
type invalidError struct{ error }

// Unwrap returns ErrInvalid and the cause.
func (e invalidError) Unwrap() []error { return []error{ports.ErrInvalid, e.error} }

// openPostgres opens the relational store on opts.PostgresPool, or on a new pool.
func openPostgres(ctx context.Context, s settings, opts Options) (*postgres.Store, func(), error) {
	cfg := s.Postgres
	cfg.Logger, cfg.Traceparent = opts.Logger, opts.Traceparent
	if opts.PostgresPool == nil {
		return postgres.Open(ctx, cfg)
	}

	return postgres.OpenPool(ctx, opts.PostgresPool, cfg)
}

// maxInfluxCheck is how long Open waits for an InfluxDB that it does not require.
const maxInfluxCheck = 5 * time.Second

// checkInflux runs a check of InfluxDB when it is opened. It returns no error that Open tolerates: the store and its
// ledger check again before their first use.
func checkInflux(ctx context.Context, s settings, opts Options, check func(ctx context.Context) error) error {
	if opts.isDiagnosis {
		return nil
	}

	limit := s.Service.Timeout
	if !opts.RequireInflux {
		limit = min(limit, maxInfluxCheck)
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := check(limited)
	if opts.RequireInflux || ctx.Err() != nil || !isOutage(err) {
		return err
	}

	if opts.Logger != nil {
		opts.Logger.WarnContext(ctx, "influx does not respond; requests that need it fail until it does", "error", err)
	}

	return nil
}

// isOutage reports whether InfluxDB could not be asked, so that a later try may succeed.
func isOutage(err error) bool {
	var from *ports.Error
	return errors.As(err, &from) && from.Store == influx.Name &&
		(errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrTimeout) || errors.Is(err, ports.ErrOverloaded))
}

// openInflux returns the time-series store on opts.InfluxClient, or on a new client, without a request. The store is
// nil if no server is configured.
func openInflux(ctx context.Context, s settings, opts Options) (*influx.Store, func(), error) {
	cfg := s.Influx
	cfg.Logger, cfg.Lazy = opts.Logger, true
	switch {
	case opts.InfluxClient != nil:
		store, err := influx.New(ctx, opts.InfluxClient, cfg)
		return store, func() {}, err
	case cfg.URL != "":
		return influx.Open(ctx, cfg)
	}

	return nil, func() {}, nil
}

func newSymbolCache(s settings) (ports.SymbolCache, func(), error) {
	cache, err := ristretto.NewSymbols(s.SymbolCacheBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("symbol cache: %w", err)
	}

	return cache, cache.Close, nil
}

func newClock(opts Options) ports.Clock {
	if opts.Clock != nil {
		return opts.Clock
	}

	return clock.NewSystem()
}

func newServiceConfig(s settings, opts Options) app.Config {
	cfg := s.Service
	if opts.Logger != nil {
		cfg.Logger = opts.Logger
	}
	if cfg.Telemetry == nil {
		cfg.Telemetry = telemetry.New()
	}

	return cfg
}
