//go:build unix

package faults_test

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/faults"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

const (
	ensurePartition = "SELECT marketdata.ensure_partitions('bars', ARRAY[timestamptz '2024-03-04 12:00Z'])"
	partitionOfBars = "SELECT c.oid::regclass::text, pg_relation_filepath(c.oid) FROM pg_inherits " +
		"JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'marketdata.bars'::regclass"
	takeAllLocks = "SELECT pg_advisory_lock(n) FROM generate_series(1, 1000000) n"
)

// TestPostgresResources proves P25 and P27 on a server whose disk or memory is full, and on one that ends an idle
// transaction: a write fails with its kind, stores nothing, and succeeds after the fault.
func TestPostgresResources(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	proxy := faults.NewProxy(t, server.Address)
	admin := connect(t, server.DSN)
	for name, c := range map[string]struct {
		kind  error
		start func(t *testing.T, md *app.Service) (end func(t *testing.T))
	}{
		"P25/disk":   {ports.ErrOverloaded, func(t *testing.T, _ *app.Service) func(*testing.T) { return fillDisk(t, admin) }},
		"P25/memory": {ports.ErrOverloaded, func(t *testing.T, _ *app.Service) func(*testing.T) { return fillMemory(t, server.DSN) }},
		"P27/middle": {ports.ErrUnavailable, func(t *testing.T, md *app.Service) func(*testing.T) { return endIdle(t, md, admin, proxy) }},
	} {
		t.Run(name, func(t *testing.T) {
			md, closeAll := openEmpty(t, pgConfig(withHost(t, server.DSN, proxy.Address)))
			defer closeAll()
			execute(t, admin, "TRUNCATE marketdata.bars, marketdata.series, marketdata.coverage, marketdata.blocks; "+ensurePartition)
			end := c.start(t, md)
			const limit = 5 * time.Second
			wantWithin(t, "a write", limit, func() {
				_, err := md.Ingest(t.Context(), hours(t), domain.Range{}, ports.ConflictFail)
				if from, ok := errors.AsType[*ports.Error](err); !ok || !errors.Is(err, c.kind) ||
					errors.Is(c.kind, ports.ErrOverloaded) && from.Retryable {
					t.Errorf("the write: %v, want %v", err, c.kind)
				}
			})
			end(t)
			result, err := md.Fetch(t.Context(), hourly)
			if err != nil && !errors.Is(err, ports.ErrNotFound) || result.Series.Len() > 0 {
				t.Errorf("after a write that failed: %d bars, %v", result.Series.Len(), err)
			}
			report, err := md.Ingest(t.Context(), hours(t), domain.Range{}, ports.ConflictFail)
			if err != nil || report.Inserted != 3 {
				t.Errorf("after the fault: %+v, %v", report, err)
			}
			if err := fetch(t.Context(), t, md); err != nil {
				t.Error(err)
			}
		})
	}
}

// openEmpty opens the wiring of production on a server without rows. The caller must close it.
func openEmpty(t *testing.T, cfg wiring.Config) (*app.Service, func()) {
	t.Helper()
	md, closeAll, err := production.Open(t.Context(), cfg, production.Options{})
	if err != nil {
		t.Fatal(err)
	}

	return md, closeAll
}

// fillDisk replaces the empty file of a partition with the device that is always full.
func fillDisk(t *testing.T, admin *pgx.Conn) (end func(t *testing.T)) {
	t.Helper()
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skipf("this system has no %s", full)
	}

	var table, path string // from the current directory of the server
	if err := admin.QueryRow(t.Context(), partitionOfBars).Scan(&table, &path); err != nil {
		t.Fatal(err)
	}

	execute(t, admin, "COPY (SELECT) TO PROGRAM 'ln -sf "+full+" "+path+"'")

	return func(t *testing.T) { execute(t, admin, "TRUNCATE "+table) } // makes a new file
}

// fillMemory takes locks until the server has no memory for another one.
func fillMemory(t *testing.T, dsn string) (end func(t *testing.T)) {
	t.Helper()
	locks := connect(t, dsn)
	var full *pgconn.PgError
	if _, err := locks.Exec(t.Context(), takeAllLocks); !errors.As(err, &full) || full.Code != "53200" {
		t.Fatalf("take all locks: %v", err)
	}

	return func(t *testing.T) {
		execute(t, locks, "SELECT pg_advisory_unlock_all()")
	}
}

// endIdle makes the server end transactions that are idle for a moment, and the proxy hold back one commit for longer.
func endIdle(t *testing.T, md *app.Service, admin *pgx.Conn, proxy *faults.Proxy) (end func(t *testing.T)) {
	t.Helper()
	execute(t, admin, "ALTER ROLE postgres SET idle_in_transaction_session_timeout = '50ms'")
	proxy.Cut() // the setting is of new sessions
	if _, err := md.Fetch(t.Context(), hourly); err != nil && !errors.Is(err, ports.ErrNotFound) {
		t.Fatal(err)
	}

	var held atomic.Bool
	proxy.InspectRequests(func(request []byte) faults.Verdict {
		if isWrite(request) && !held.Swap(true) {
			time.Sleep(200 * time.Millisecond)
		}

		return faults.Forward
	})

	return func(t *testing.T) {
		proxy.InspectRequests(nil)
		execute(t, admin, "ALTER ROLE postgres RESET idle_in_transaction_session_timeout")
		proxy.Cut()
		if !held.Load() {
			t.Error("no commit was held back")
		}
	}
}
