package differential

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
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
		Clock: c, Stores: func(ours []app.Source) []app.Source {
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

// stage is two processes on the same servers. Acts follow each other on it. Each has its own symbols and times, so that
// it finds no data.
type stage struct {
	processes [2]process
	clock     *clock.Simulated
	postgres  *postgres.Store // the database without the processes, so that no cache is invalidated
	notices   ports.Invalidations
	acts      int
	markers   int64 // markers that were published
	marker    int64 // chunks that one marker invalidates
}

func openStage(tb testing.TB, redis string) *stage {
	tb.Helper()
	database := servers.Influx(tb)
	cfg := wiring.Config{
		Cache: wiring.Cache{
			Bytes: 4 << 20,
			Redis: wiring.Redis{URL: wiring.NewSecret(redis), Timeout: 5 * time.Second}, // for a busy machine
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
	s.postgres, s.notices = pg, postgres.NewInvalidations(pg)
	s.awaitCaches(tb)

	return s
}

// awaitCaches waits until both processes use their caches, and measures a marker.
func (s *stage) awaitCaches(tb testing.TB) {
	tb.Helper()
	const probe domain.Symbol = "PROBE"
	for i := range s.processes {
		for _, source := range s.processes[i].sources {
			err := eventually(tb.Context(), string(source.Name)+" is read through the cache", func() bool {
				_, err := source.Bars.Extents(tb.Context(), probe)
				_, local := source.Cache.LocalExtents(probe)
				return err == nil && local
			})
			if err != nil {
				tb.Fatal(err)
			}
		}
	}
	if err := s.mark(tb.Context()); err != nil {
		tb.Fatal(err)
	}

	first := s.processes[0].sources[0].Cache
	received := func() bool { return first.Stats().Invalidated > 0 }
	if err := eventually(tb.Context(), "a marker is received", received); err != nil {
		tb.Fatal(err)
	}

	s.marker = first.Stats().Invalidated
	if err := s.barrier(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// mark publishes a marker: the invalidation of a thousand years of a series without bars. It invalidates more chunks
// than all writes of the test, so the number of invalidated chunks of a process tells how many markers it received.
// PostgreSQL delivers notifications in the order of commits, so a process that received a marker has received all
// earlier ones.
func (s *stage) mark(ctx context.Context) error {
	long := domain.Range{
		Start: time.Date(900, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	key := domain.SeriesKey{Symbol: "MARK", Grid: domain.Second1.UTC()}
	s.markers++

	return s.notices.Publish(ctx,
		ports.Invalidation{Store: postgres.Name, Key: key, Range: long},
		ports.Invalidation{Store: influx.Name, Key: key, Range: long})
}

// barrier returns when both processes have received the invalidations of all writes so far.
func (s *stage) barrier(ctx context.Context) error {
	if err := s.mark(ctx); err != nil {
		return err
	}

	for i := range s.processes {
		for _, source := range s.processes[i].sources {
			err := eventually(ctx, fmt.Sprintf("process %d received the invalidations of %s", i, source.Name), func() bool {
				return source.Cache.Stats().Invalidated >= s.markers*s.marker
			})
			if err != nil {
				return err
			}
		}
	}

	return nil
}

// eventually polls until the condition is true. text describes it.
func eventually(ctx context.Context, text string, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for poll := time.Tick(time.Millisecond); !condition(); {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %s", patience, text)
		case <-poll:
		}
	}

	return nil
}
