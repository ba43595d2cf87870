// Package embedded puts the application together on one machine without a server: bars in one sqlite file, and the
// system's clock. It opens the store and closes it. Bars are not cached: other processes may write the file, nobody
// would tell, and it is at hand.
package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// Options hand in what is not configuration. The zero value is the defaults.
type Options struct {
	// Logger is told what no result or error tells. Nil is silence.
	Logger *slog.Logger

	// Clock tells what is closed and may be seen. Defaults to the system's.
	Clock ports.Clock

	// Stores arranges the stores that are asked: it is given ours, the preferred one first, and returns those to use,
	// others among them, in whatever order and with whatever frequencies they take. Nil is ours as they are. What it
	// adds is not cached, nor closed.
	Stores func(ours []app.Source) []app.Source
}

// settings are a configuration that was validated, defaults filled in.
type settings wiring.Config

func newSettings(cfg wiring.Config) (settings, error) {
	if err := cfg.Validate(); err != nil {
		return settings{}, fmt.Errorf("configuration: %w", err)
	}
	return settings(cfg.WithDefaults()), nil
}

// openStore opens the database file, in a folder that it creates where there is none.
func openStore(ctx context.Context, s settings, opts Options) (*sqlite.Store, func(), error) {
	cfg := sqlite.Config{Path: s.SQLite.Path, Logger: opts.Logger}
	if err := cfg.Validate(); err != nil {
		return nil, nil, fmt.Errorf("configuration: sqlite: %w", err)
	}

	const onlyTheOwner = 0o700 // as the XDG standard wants its folders
	if err := os.MkdirAll(filepath.Dir(cfg.Path), onlyTheOwner); err != nil {
		return nil, nil, fmt.Errorf("create the folder of the database: %w", err)
	}

	return sqlite.Open(ctx, cfg)
}

func newSources(store *sqlite.Store, opts Options) []app.Source {
	ours := []app.Source{{Name: sqlite.Name, Bars: store, Ticks: store, Catalog: store, Health: store}}
	if opts.Stores != nil {
		return opts.Stores(ours)
	}

	return ours
}

// noSymbolCache is none: other processes write the file too, and it is at hand.
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
	return cfg
}
