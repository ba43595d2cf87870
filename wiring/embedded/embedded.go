// Package embedded wires the application for one machine without a server: one SQLite file and the system's clock. It
// opens and closes the store. It does not cache bars, because other processes may write the file without a
// notification, and because the file is local.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/adapters/telemetry"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/internal/asynclog"
)

// Options are the dependencies that a configuration file cannot hold. A zero field means its default.
type Options struct {
	// Logger receives events that no result and no error reports, on a goroutine of its own: a
	// logger that blocks delays no call, and 1024 messages wait for it before further ones are discarded and counted.
	// Closing waits for it for 250 ms. Defaults to no logging.
	Logger *slog.Logger

	// Clock decides which bars are closed and visible. Defaults to the system's clock.
	Clock ports.Clock

	// Stores changes the list of stores. It takes the configured stores in order of preference, and returns the stores to
	// use: it may add stores, reorder them and change the frequencies of each. The application neither caches nor closes
	// an added store. app.Source says which catalog its symbols need. Defaults to the configured stores.
	Stores func(sources []app.Source) []app.Source
}

// Open opens the SQLite file of the configuration, which it creates if it does not exist, and returns the application
// over it. The returned function closes the file; it is nil if Open returns an error.
func Open(ctx context.Context, cfg wiring.Config, opts Options) (*app.Service, func(), error) {
	logger, closeLogger := asynclog.New(opts.Logger)
	opts.Logger = logger
	md, closeFile, err := open(ctx, cfg, opts)
	if err != nil {
		closeLogger()
		return nil, nil, err
	}

	return md, func() {
		closeFile()
		closeLogger()
	}, nil
}

// settings is a validated configuration with every default filled in.
type settings wiring.Config

func newSettings(cfg wiring.Config) (settings, error) {
	if err := cfg.Validate(); err != nil {
		return settings{}, fmt.Errorf("configuration: %w", err)
	}

	return settings(cfg.WithDefaults()), nil
}

// openStore opens the database file. It creates the file's folder if that does not exist.
func openStore(ctx context.Context, s settings, opts Options) (*sqlite.Store, func(), error) {
	cfg := s.SQLite
	cfg.Logger = opts.Logger

	const ownerOnly = 0o700 // the XDG standard requires this mode
	if err := os.MkdirAll(filepath.Dir(cfg.Path), ownerOnly); err != nil {
		return nil, nil, fmt.Errorf("create the folder of the database: %w", err)
	}

	return sqlite.Open(ctx, cfg)
}

func newSources(store *sqlite.Store, opts Options) []app.Source {
	sources := []app.Source{{Name: sqlite.Name, Bars: store, Ticks: store, Catalog: store, Health: store}}
	if opts.Stores != nil {
		return opts.Stores(sources)
	}

	return sources
}

// noSymbolCache returns no cache, because other processes may write the file, and because the file is local.
func noSymbolCache() ports.SymbolCache { return nil }

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
