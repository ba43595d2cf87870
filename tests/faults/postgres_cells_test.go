//go:build unix

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/faults"
	"github.com/gal-friday/marketdata/tests/servers"
)

// connect returns a connection of a superuser that ends with the test.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })

	return conn
}

// execute runs statements as a superuser.
func execute(t *testing.T, conn *pgx.Conn, statements string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// TestPostgresCells proves rows of the fault matrix on a store without retries: the kind of the error, the time, and
// that the next read after the fault has the bars.
func TestPostgresCells(t *testing.T) {
	server := servers.StartPostgres(t)
	proxy := faults.NewProxy(t, server.Address)
	_, closeAll := openProduction(t, pgConfig(server.DSN))
	closeAll()
	admin := connect(t, server.DSN)
	dsn := withHost(t, server.DSN, proxy.Address)
	for _, s := range []silence{
		{
			"P5", func(*testing.T) { proxy.LoseAnswers(true) },
			func(*testing.T) {
				proxy.LoseAnswers(false)
				proxy.Cut()
			},
		},
		{
			"P8", func(*testing.T) { proxy.DelayAnswers(20*time.Millisecond, 1) },
			func(*testing.T) {
				proxy.DelayAnswers(0, 0)
				proxy.Cut()
			},
		},
	} {
		t.Run(s.name+"/deadline", func(t *testing.T) { testDeadline(t, s, pgConfig(dsn)) })
		t.Run(s.name+"/store", func(t *testing.T) { testStoreDeadline(t, s, dsn) })
	}
	t.Run("P7/late answers", func(t *testing.T) {
		md, closeAll := openProduction(t, pgConfig(dsn))
		defer closeAll()
		proxy.DelayAnswers(200*time.Millisecond, 0)
		defer proxy.DelayAnswers(0, 0)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := fetch(ctx, t, md); err != nil {
			t.Error(err)
		}
	})
	for name, c := range map[string]struct {
		kind  error
		start func(*testing.T)
		end   func(*testing.T)
	}{
		"P2/before": {
			ports.ErrUnavailable,
			func(t *testing.T) { execute(t, admin, endSessions) }, func(*testing.T) {},
		},
		"P22/column": {
			ports.ErrSchema,
			func(t *testing.T) { execute(t, admin, "ALTER TABLE marketdata.bars RENAME close TO shut") },
			func(t *testing.T) { execute(t, admin, "ALTER TABLE marketdata.bars RENAME shut TO close") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, closeStore, err := postgres.Open(t.Context(), postgres.Config{
				DSN: secret.New(dsn), MaxConns: 1,
			})
			if err != nil {
				t.Fatal(err)
			}

			defer closeStore()
			if err := read(t.Context(), store); err != nil {
				t.Fatal(err)
			}

			c.start(t)
			const limit = time.Second
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			wantWithin(t, "a read with a deadline of 1s", limit+grace+slack, func() {
				if err := read(ctx, store); !errors.Is(err, c.kind) {
					t.Errorf("read: %v, want %v", err, c.kind)
				}
			})
			c.end(t)
			failed := read(t.Context(), store)
			if failed != nil { // on the connection that the fault broke
				failed = read(t.Context(), store)
			}
			if failed != nil {
				t.Errorf("after the fault: %v", failed)
			}
			if stats := store.PoolStats(); stats.InUse != 0 {
				t.Errorf("%d connections are in use after the last call", stats.InUse)
			}
		})
	}
}

// endSessions ends every other session of the server.
const endSessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity " +
	"WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"

// TestPostgresTooManyConnections proves P14: a server without a free connection is overloaded, and is used again once
// it has one.
func TestPostgresTooManyConnections(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	_, closeAll := openProduction(t, pgConfig(server.DSN))
	closeAll()
	admin := connect(t, server.DSN)
	execute(t, admin, "CREATE ROLE plain LOGIN PASSWORD 'plain' CONNECTION LIMIT 1; "+
		"GRANT USAGE ON SCHEMA marketdata TO plain; GRANT SELECT ON ALL TABLES IN SCHEMA marketdata TO plain")
	t.Run("P14/before", func(t *testing.T) {
		dsn := withUser(t, server.DSN, "plain", "plain")
		other := connect(t, dsn)
		_, _, err := postgres.Open(t.Context(), postgres.Config{DSN: secret.New(dsn)})
		if !errors.Is(err, ports.ErrOverloaded) {
			t.Errorf("opened without a free connection: %v", err)
		}

		_ = other.Close(t.Context())
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // until the session ends
			store, closeStore, err := postgres.Open(t.Context(), postgres.Config{DSN: secret.New(dsn), MaxConns: 1})
			if err == nil {
				defer closeStore()
				err = read(t.Context(), store)
			}
			if err == nil {
				return
			}
			if !errors.Is(err, ports.ErrOverloaded) || time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	})
}

// TestPostgresCancelStorm proves P16: canceled reads leave the connections of the pool as they are.
func TestPostgresCancelStorm(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	_, closeAll := openProduction(t, pgConfig(server.DSN))
	closeAll()
	admin := connect(t, server.DSN)
	t.Run("P16/middle", func(t *testing.T) {
		const conns, cancels = 4, 200
		store, closeStore, err := postgres.Open(t.Context(), postgres.Config{
			DSN: secret.New(server.DSN), MinConns: conns, MaxConns: conns, AcquireTimeout: 10 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}

		defer closeStore()
		before := sessions(t, admin)
		var calls sync.WaitGroup
		for range conns {
			calls.Go(func() {
				for n := range cancels / conns {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n%10)*200*time.Microsecond)
					if err := read(ctx, store); err != nil && !errors.Is(err, ports.ErrTimeout) {
						t.Errorf("a canceled read: %v", err)
					}
					cancel()
				}
			})
		}
		calls.Wait()
		if err := read(t.Context(), store); err != nil {
			t.Errorf("after the storm: %v", err)
		}
		if after := sessions(t, admin); after > before+conns {
			t.Errorf("the server has %d sessions, and had %d before", after, before)
		}
	})
}

// sessions returns how many sessions of clients the server has.
func sessions(t *testing.T, admin *pgx.Conn) (n int) {
	t.Helper()
	const count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
	if err := admin.QueryRow(t.Context(), count).Scan(&n); err != nil {
		t.Fatal(fmt.Errorf("count the sessions: %w", err))
	}

	return n
}
