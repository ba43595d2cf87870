// Package production puts the application together on servers: PostgreSQL for bars from an hour up, trades, quotes, the
// catalog and the claims on all bars; InfluxDB for shorter bars; the system's clock. It opens the stores and closes
// them, but for what is handed in. Without InfluxDB, PostgreSQL holds bars of every length.
//
// Bars are read through a cache, in this process and, where one is configured, in a redis that processes share.
// PostgreSQL's LISTEN and NOTIFY tell every process of every other's writes; each store of bars has a connection for
// it, beside the pool. As long as it is cut, and where the cache is disabled, every request reads the stores.
//
// A server that hangs is bounded three times: by the call's own deadline or Config.Service.Timeout, by
// Config.Service.StoreTimeout a store call, and by the server itself, whose statement_timeout is
// Config.Postgres.StatementTimeout.
package production

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// Options hand in what is not configuration. The zero value is the defaults.
type Options struct {
	// Logger is told what no result or error tells, slow queries among it. Nil is silence.
	Logger *slog.Logger

	// Clock tells what is closed and may be seen. Defaults to the system's.
	Clock ports.Clock

	// PostgresPool is used instead of one made from Config.Postgres, and not closed. Its own limits hold: of
	// Config.Postgres, only AcquireTimeout, ConnectTimeout, StatementTimeout as the client's limit, SlowQuery,
	// BatchRows and MigrateOnOpen are read.
	PostgresPool *pgxpool.Pool

	// InfluxClient is used instead of one made from Config.Influx, and not closed. Config.Influx still says where the
	// bars lie.
	InfluxClient influxdb2.Client

	// Stores arranges the stores that are asked: it is given ours, the preferred one first, and returns those to use,
	// others among them, in whatever order and with whatever frequencies they take. Nil is ours as they are. What it
	// adds is not cached, nor closed.
	Stores func(ours []app.Source) []app.Source
}

// settings are a configuration that was validated, defaults filled in.
type settings wiring.Config

func newSettings(cfg wiring.Config, opts Options) (settings, error) {
	err := cfg.Validate()
	if cfg.Postgres.DSN.Reveal() == "" && opts.PostgresPool == nil {
		err = errors.Join(err, errors.New("postgres: dsn: missing; set "+wiring.EnvPrefix+"POSTGRES_DSN, like postgres://user@host/database: "+
			"the catalog and the claims on all bars are kept there, on those in InfluxDB too"))
	}
	if err != nil {
		return settings{}, fmt.Errorf("configuration: %w", errors.Join(err, ports.ErrInvalid))
	}

	return settings(cfg.WithDefaults()), nil
}

// openPostgres connects, or takes the pool handed in.
func openPostgres(ctx context.Context, s settings, opts Options) (*postgres.Store, func(), error) {
	cfg := s.Postgres
	cfg.Logger = opts.Logger
	if opts.PostgresPool == nil {
		return postgres.Open(ctx, cfg)
	}

	store, closeStore, err := postgres.New(opts.PostgresPool, cfg)
	if err != nil || !cfg.MigrateOnOpen {
		return store, closeStore, err
	}
	if err := store.Migrate(ctx); err != nil {
		closeStore()
		return nil, nil, err
	}

	return store, closeStore, nil
}

// openInflux connects, or takes the client handed in; it is nil where neither names a server.
func openInflux(ctx context.Context, s settings, opts Options) (*influx.Store, func(), error) {
	return openInfluxAs(ctx, s, opts, false)
}

func openInfluxAs(ctx context.Context, s settings, opts Options, create bool) (*influx.Store, func(), error) {
	i := s.Influx
	if i.URL == "" && opts.InfluxClient == nil {
		return nil, func() {}, nil
	}

	cfg := influx.Config{
		Database: i.Database, RetentionPolicy: i.RetentionPolicy, Org: i.Org, Bucket: i.Bucket, Measurement: i.Measurement,
		Existing: existing(i.Existing), BatchSize: i.BatchSize, ChunkSize: i.ChunkSize, MaxResponseBytes: i.MaxResponseBytes,
		SlowQuery: i.SlowQuery, Logger: opts.Logger, CreateOnOpen: create, Client: opts.InfluxClient,
	}
	if cfg.Client == nil {
		trusted, err := trust("influx", i.CAFile)
		if err != nil {
			return nil, nil, err
		}

		cfg.URL, cfg.Token, cfg.TLS, cfg.Compress = i.URL, i.Token.Reveal(), trusted, i.Compress
	}

	ctx, cancel := context.WithTimeout(ctx, s.Service.Timeout)
	defer cancel()
	return influx.Open(ctx, cfg)
}

func existing(e wiring.InfluxExisting) *influx.Existing {
	if e.Frequency == 0 {
		return nil
	}
	return &influx.Existing{Frequency: e.Frequency, Measurement: e.Measurement, SymbolTag: e.SymbolTag, VenueTag: e.VenueTag, Tags: e.Tags}
}

// trust is the certificates of the file that the section names; nil, the system's, where it names none.
func trust(section, file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}

	text, err := os.ReadFile(file)
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s holds no certificate in PEM", file)
	}
	if err != nil {
		return nil, fmt.Errorf("configuration: %s: ca_file: %w", section, errors.Join(err, ports.ErrInvalid))
	}

	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
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
	return cfg
}
