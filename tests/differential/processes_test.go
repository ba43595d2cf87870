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
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// patience is how long the test waits for what a server or another process brings about.
const patience = time.Minute

// process is the whole application as one program opens it.
type process struct {
	*app.Service
	sources []app.Source  // as wiring made them
	stores  router.Router // them as one store, past the refusals of the application
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

// stage is two processes on the same servers, and what the test itself needs there. Acts follow each other on it, each with symbols
// and a time of its own, so that it finds everything empty.
type stage struct {
	processes [2]process
	clock     *clock.Simulated
	postgres  *postgres.Store // the database, past the processes
	notices   ports.Invalidations
	acts      int
	markers   int64 // that were told
	marker    int64 // chunks that one makes untrue
}

func openStage(tb testing.TB, redis string) *stage {
	tb.Helper()
	database := servers.Influx(tb)
	cfg := wiring.Config{
		Cache: wiring.Cache{Bytes: 4 << 20, Redis: wiring.Redis{URL: wiring.NewSecret(redis), Timeout: 5 * time.Second}}, // a busy machine
		Postgres: wiring.Postgres{
			DSN: wiring.NewSecret(servers.Postgres(tb)), MinConns: 1, MaxConns: 4,
			AcquireTimeout: patience, ConnectTimeout: patience, BatchRows: 7, MigrateOnOpen: true,
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
		DSN: cfg.Postgres.DSN.Reveal(), MinConns: 1, MaxConns: 2, AcquireTimeout: patience, ConnectTimeout: patience,
	})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closePostgres)
	s.postgres, s.notices = pg, postgres.NewInvalidations(pg)
	s.listen(tb)
	return s
}

// listen waits until both processes use their caches, and measures a marker.
func (s *stage) listen(tb testing.TB) {
	tb.Helper()
	const probe domain.Symbol = "PROBE"
	for i := range s.processes {
		for _, source := range s.processes[i].sources {
			err := eventually(tb.Context(), string(source.Name)+" is read through the cache", func() bool {
				_, err := source.Bars.Extents(tb.Context(), probe)
				_, near := source.Cache.LocalExtents(probe)
				return err == nil && near
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
	if err := eventually(tb.Context(), "a marker is heard", func() bool { return first.Stats().Invalidated > 0 }); err != nil {
		tb.Fatal(err)
	}

	s.marker = first.Stats().Invalidated
	if err := s.barrier(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// mark tells every process that a thousand years of a series are untrue, of which nobody has a bar: more chunks than all writes of the
// test ever touch, so that a process's count of chunks made untrue tells how many markers it heard. PostgreSQL tells what
// was committed in its order: who heard a marker has heard all that was told before.
func (s *stage) mark(ctx context.Context) error {
	long := domain.Range{Start: time.Date(900, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)}
	key := domain.SeriesKey{Symbol: "MARK", Grid: domain.Second1.UTC()}
	s.markers++
	return s.notices.Publish(ctx,
		ports.Invalidation{Store: postgres.Name, Key: key, Range: long}, ports.Invalidation{Store: influx.Name, Key: key, Range: long})
}

// barrier returns when both processes have heard of every write so far.
func (s *stage) barrier(ctx context.Context) error {
	if err := s.mark(ctx); err != nil {
		return err
	}

	for i := range s.processes {
		for _, source := range s.processes[i].sources {
			err := eventually(ctx, fmt.Sprintf("process %d heard what %s was told", i, source.Name), func() bool {
				return source.Cache.Stats().Invalidated >= s.markers*s.marker
			})
			if err != nil {
				return err
			}
		}
	}

	return nil
}

// eventually polls what others bring about.
func eventually(ctx context.Context, what string, is func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for poll := time.Tick(time.Millisecond); !is(); {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not so after %s: %s", patience, what)
		case <-poll:
		}
	}

	return nil
}
