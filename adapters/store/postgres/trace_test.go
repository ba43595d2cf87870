package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

const aTrace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

type traceKey struct{}

func traceOf(ctx context.Context) string {
	trace, _ := ctx.Value(traceKey{}).(string)
	return trace
}

// TestTraceConnections looks at the sessions of the server while a read waits for a lock, and after it.
func TestTraceConnections(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{
		DSN: secret.New(dsn), MinConns: 1, MaxConns: 1, TraceConnections: true, Traceparent: traceOf,
	})
	bars := commitBar(t, 0)
	writeBars(t, s, bars)

	other, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer other.Close(context.WithoutCancel(t.Context()))
	observer, err := pgx.Connect(t.Context(), dsn) // outside a transaction, which would see the first state only
	if err != nil {
		t.Fatal(err)
	}

	defer observer.Close(context.WithoutCancel(t.Context()))
	// sessionOf returns the application name of the one connection of the pool, and its statement.
	sessionOf := func() (name, sql string) {
		t.Helper()
		err := observer.QueryRow(t.Context(), `SELECT application_name, query FROM pg_stat_activity
			WHERE datname = current_database() AND pid NOT IN (pg_backend_pid(), $1)`, other.PgConn().PID()).Scan(&name, &sql)
		if err != nil {
			t.Fatal(err)
		}

		return name, sql
	}

	for _, c := range []struct {
		name, trace, want string
		read              func(ctx context.Context) error
		label             string
	}{
		{"a read", aTrace, aTrace, func(ctx context.Context) error {
			_, err := countBars(ctx, s, queryAll(bars))
			return err
		}, "read bars"},
		{"a single statement", aTrace, aTrace, func(ctx context.Context) error {
			_, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{}))
			return err
		}, "extents"},
		{"a write", aTrace, aTrace, func(ctx context.Context) error {
			_, err := ports.WriteBars(ctx, s, bars, bars.Range(), ports.ConflictFail)
			return err
		}, "write bars"},
		{"no trace", "", "marketdata", func(ctx context.Context) error {
			_, err := countBars(ctx, s, queryAll(bars))
			return err
		}, "read bars"},
	} {
		ctx := context.WithValue(t.Context(), traceKey{}, c.trace)
		if err := c.read(ctx); err != nil { // prepares the statements, which is no part of a transaction
			t.Fatal(err)
		}
		if _, err := other.Exec(t.Context(), "BEGIN; LOCK TABLE marketdata.coverage, marketdata.bars"); err != nil {
			t.Fatal(err)
		}

		done := make(chan error, 1)
		go func() { done <- c.read(ctx) }()
		eventually(t, 10*time.Second, func() error {
			name, sql := sessionOf()
			if name != c.want || !strings.HasPrefix(sql, "/* marketdata: "+c.label+" */") {
				return fmt.Errorf("%s: the session is %q with %.80q", c.name, name, sql)
			}

			return nil
		})
		if _, err := other.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		eventually(t, 10*time.Second, func() error {
			if name, sql := sessionOf(); name != "marketdata" {
				return fmt.Errorf("%s: afterwards the session is %q with %.80q", c.name, name, sql)
			}

			return nil
		})
	}
}

// A canceled call, and one that fails, leave no trace.
func TestTraceEndsWithTheCall(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	pool, err := pgxpool.New(t.Context(), dsn+"&pool_max_conns=1&application_name=mine")
	if err != nil {
		t.Fatal(err)
	}

	defer pool.Close()
	s, closeStore, err := postgres.OpenPool(t.Context(), pool, postgres.Config{TraceConnections: true, Traceparent: traceOf})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	bars := commitBar(t, 0)
	writeBars(t, s, bars)
	ctx := context.WithValue(t.Context(), traceKey{}, aTrace)
	for range s.ReadBars(ctx, queryAll(bars)) { // breaks off
		break
	}
	if err := exec(t.Context(), dsn, "ALTER TABLE marketdata.coverage RENAME TO gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := ports.Collect(s.Extents(ctx, ports.ExtentQuery{})); err == nil {
		t.Error("a table is missing, and no error")
	}
	if _, err := ports.WriteBars(ctx, s, bars, bars.Range(), ports.ConflictFail); err == nil {
		t.Error("a table is missing, and no error")
	}

	var name string
	if err := pool.QueryRow(t.Context(), "SHOW application_name").Scan(&name); err != nil || name != "mine" {
		t.Errorf("the next user of the connection has the name %q, %v", name, err)
	}
}

func TestTracesNeedTheirSource(t *testing.T) {
	t.Parallel()
	_, _, err := postgres.Open(t.Context(), postgres.Config{
		DSN: secret.New("postgres://localhost:1/none"), TraceConnections: true,
	})
	if wantKind(t, err, ports.ErrInvalid); !strings.Contains(err.Error(), "trace_connections") {
		t.Error(err)
	}
}
