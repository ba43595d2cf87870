package differential

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/router"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// patience is how long the test waits for a server or another process.
const patience = time.Minute

// process is the whole application as one program opens it.
type process struct {
	*app.Service
	sources []app.Source  // the sources that wiring configured
	stores  router.Router // the sources as one store, without the validation of the application
}

func openProcess(tb testing.TB, cfg wiring.Config, c ports.Clock) process {
	tb.Helper()
	var p process
	md, closeAll, err := production.Open(tb.Context(), cfg, production.Options{
		Clock: c, Redis: redis.OpenShared, Stores: func(ours []app.Source) []app.Source {
			p.sources = slices.Clone(ours)
			return ours
		},
	})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeAll)
	p.Service = md
	p.stores = router.Router(p.sources)

	return p
}

// lease is how long the processes believe a state, and unversionedTTL how long they keep bars of a store without
// versions. Both are short, because a barrier waits for them.
const (
	lease          = 20 * time.Millisecond
	unversionedTTL = 100 * time.Millisecond
)

// stage is two processes on the same servers. Acts follow each other on it. Each has its own symbols and times, so that
// it finds no data.
type stage struct {
	processes [2]process
	clock     *clock.Simulated
	postgres  *postgres.Store // the database without the processes
	acts      int
}

func openStage(tb testing.TB, redis string) *stage {
	tb.Helper()
	database := servers.Influx(tb)
	cfg := wiring.Config{
		Cache: wiring.Cache{
			Bytes:  4 << 20,
			Redis:  wiring.Redis{URL: wiring.NewSecret(redis), Timeout: 5 * time.Second}, // for a busy machine
			Policy: seriescache.Config{Lease: lease, UnversionedLease: lease, UnversionedTTL: unversionedTTL},
		},
		Postgres: wiring.Postgres{
			DSN: wiring.NewSecret(migrated.Postgres(tb)), MinConns: 1, MaxConns: 4,
			AcquireTimeout: patience, ConnectTimeout: patience, BatchRows: 7,
		},
		Influx: wiring.Influx{
			URL: database.URL, Token: wiring.NewSecret(database.Token), Org: database.Org, Bucket: database.Bucket,
			Database: database.Database, BatchSize: 7,
		},
	}
	s := &stage{clock: clock.NewSimulated(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))}
	for i := range s.processes {
		s.processes[i] = openProcess(tb, cfg, s.clock)
	}
	pg, closePostgres, err := postgres.Open(tb.Context(), postgres.Config{
		DSN: cfg.Postgres.DSN, MinConns: 1, MaxConns: 2, AcquireTimeout: patience, ConnectTimeout: patience,
	})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closePostgres)
	s.postgres = pg

	return s
}

// barrier returns when both processes see all writes so far.
func (s *stage) barrier(ctx context.Context) error {
	select {
	case <-time.After(unversionedTTL):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
