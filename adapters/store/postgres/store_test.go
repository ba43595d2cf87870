package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// changeDSN returns the DSN after a change of its parts.
func changeDSN(t *testing.T, dsn string, change func(u *url.URL, query url.Values)) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("not a URL")
	}

	query := u.Query()
	change(u, query)
	u.RawQuery = query.Encode()

	return u.String()
}

// dsnWithUser returns the DSN with another user and password.
func dsnWithUser(t *testing.T, dsn, user, password string) string {
	return changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.User = url.UserPassword(user, password) })
}

// countBars reads to the end and returns the number of bars.
func countBars(ctx context.Context, s *postgres.Store, q ports.BarQuery) (n int, err error) {
	for piece, failed := range s.ReadBars(ctx, q).Rows() {
		n, err = n+piece.Len(), failed
	}
	return n, err
}

// writeBars writes bars and declares their range as covered.
func writeBars(t *testing.T, s *postgres.Store, bars domain.Series) {
	t.Helper()
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
}

// queryAll returns the query of a series over its own range.
func queryAll(bars domain.Series) ports.BarQuery {
	return ports.BarQuery{Key: bars.Key(), Range: bars.Range()}
}

// wantKind fails the test unless err is a *ports.Error of the kind.
func wantKind(t *testing.T, err, kind error) *ports.Error {
	t.Helper()
	var e *ports.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) {
		t.Fatalf("got error %v, want kind %q", err, kind)
	}

	return e
}

// eventually polls check until it returns nil, because the server reaches some states asynchronously.
func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for tick := time.Tick(5 * time.Millisecond); ; <-tick {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestConfigReportsEveryFault(t *testing.T) {
	t.Parallel()
	err := postgres.Config{MinConns: 9, MaxConns: 3, AcquireTimeout: -1, BatchRows: -1}.Validate()
	for _, part := range []string{"max_conns 3", "acquire_timeout", "batch_rows"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s is missing in %v", part, err)
		}
	}

	if !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("%v is not ErrInvalid", err)
	}
}

func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const canary = "s3cr3t-canary"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, dsn := range []string{
		"postgres://u:" + canary + "@127.0.0.1:1/db", "host=127.0.0.1 port=1 user=u password=" + canary,
		"postgres://u:" + canary + "@127.0.0.1:1:1:/db", "postgres://u:" + canary + "@%zz/",
		"password=" + canary + " nonsense",
		"postgres://u@127.0.0.1:1/db?password=" + canary + "#" + canary, "postgres://u@127.0.0.1:1/db#" + canary,
		"postgres://u#" + canary + "@127.0.0.1:1/db",
		dsnWithUser(t, servers.Postgres(t), "postgres", canary),
	} {
		cfg := postgres.Config{DSN: secret.New(dsn), Logger: logger}
		_, _, err := postgres.Open(t.Context(), cfg)
		if err == nil {
			t.Fatal("opened")
		}

		logger.Info("opening", "config", cfg, "error", err)
		for _, shown := range []string{
			err.Error(), fmt.Sprintf("%+v %#v", err, err),
			fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), fmt.Sprint(postgres.DetailsOf(cfg)), log.String(),
		} {
			if strings.Contains(shown, canary) {
				t.Errorf("the secret is in %s", shown)
			}
		}
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	withHost := func(host string) string {
		return changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.Host = host })
	}
	withParameter := func(name, value string) string {
		return changeDSN(t, dsn, func(_ *url.URL, q url.Values) { q.Set(name, value) })
	}
	for name, c := range map[string]struct {
		dsn  string
		kind error
	}{
		"refused":      {withHost("127.0.0.1:1"), ports.ErrUnavailable},
		"password":     {dsnWithUser(t, dsn, "postgres", "wrong"), ports.ErrAuth},
		"database":     {changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.Path = "/nowhere" }), ports.ErrSchema},
		"tls":          {withParameter("sslmode", "require"), ports.ErrAuth},
		"quoting":      {withParameter("standard_conforming_strings", "off"), ports.ErrSchema},
		"zone":         {withParameter("TimeZone", "Asia/Tokyo"), ports.ErrSchema},
		"row security": {withParameter("row_security", "on"), ports.ErrSchema},
		"parameter":    {withParameter("passwort", "x"), ports.ErrInvalid},
		"value":        {withParameter("TimeZone", "Mars/Olympus"), ports.ErrInvalid},
		"invalid DSN":  {"postgres://:bad:port", ports.ErrInvalid},
		"fragment":     {dsn[:strings.Index(dsn, "?")] + "#part", ports.ErrInvalid},
		"# in a user":  {"postgres://u#v@127.0.0.1:1/market", ports.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := postgres.Open(t.Context(), postgres.Config{DSN: secret.New(c.dsn), AcquireTimeout: 5 * time.Second})
			wantKind(t, err, c.kind)
		})
	}
}

func TestOpenPoolErrors(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	for name, c := range map[string]struct {
		dsn  string
		kind error
	}{
		"refused":  {changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.Host = "127.0.0.1:1" }), ports.ErrUnavailable},
		"password": {dsnWithUser(t, dsn, "postgres", "wrong"), ports.ErrAuth},
		"quoting": {
			changeDSN(t, dsn, func(_ *url.URL, q url.Values) { q.Set("standard_conforming_strings", "off") }), ports.ErrSchema,
		},
		"encoding": {
			changeDSN(t, dsn, func(_ *url.URL, q url.Values) { q.Set("client_encoding", "LATIN1") }), ports.ErrSchema,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, err := pgxpool.New(t.Context(), c.dsn)
			if err != nil {
				t.Fatal(err)
			}

			defer pool.Close()
			_, _, err = postgres.OpenPool(t.Context(), pool, postgres.Config{AcquireTimeout: 5 * time.Second})
			wantKind(t, err, c.kind)
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	empty, closeEmpty, err := postgres.Open(t.Context(), postgres.Config{
		DSN: secret.New(dsn), MaxConns: 2, AcquireTimeout: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}

	defer closeEmpty()
	wantKind(t, empty.Check(t.Context()), ports.ErrSchema)
	if err := empty.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := empty.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := exec(t.Context(), dsn, "ALTER TABLE marketdata.bars RENAME volume TO amount"); err != nil {
		t.Fatal(err)
	}

	wantKind(t, empty.Check(t.Context()), ports.ErrSchema)
}

func TestBusyPoolIsOverloaded(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	bars := gen.Walk("BTC/USD", 20_000)
	writeBars(t, open(t, postgres.Config{DSN: secret.New(dsn)}), bars)
	s, closeStore, err := postgres.Open(t.Context(), postgres.Config{DSN: secret.New(dsn), MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	for _, err := range s.ReadBars(t.Context(), queryAll(bars)).Rows() {
		if err != nil {
			t.Fatal(err)
		}

		for try := 1; ; try++ { // a busy machine may need several
			began := time.Now()
			_, err = countBars(t.Context(), s, queryAll(bars))
			took := time.Since(began)
			e := wantKind(t, err, ports.ErrOverloaded)
			if e.Phase != ports.PhaseAcquire || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("phase %q, error %v", e.Phase, err)
			}
			if took <= 2*time.Second {
				break
			}
			if try == 5 {
				t.Errorf("refused after %s in the last of %d tries", took, try)
				break
			}
		}
		if stats := s.PoolStats(); stats.InUse != 1 || stats.Max != 1 || stats.Waits < 1 {
			t.Errorf("%+v", stats)
		}

		break
	}
	if n, err := countBars(t.Context(), s, queryAll(bars)); n != bars.Len() || err != nil {
		t.Fatal(n, err)
	}
}

// activeStatements returns how many statements the server runs in the database, without the one of conn.
func activeStatements(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`).Scan(&n)
	return n, err
}

func TestEndedReadsLeaveTheServerIdle(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{DSN: secret.New(dsn)})
	bars := gen.Walk("BTC/USD", 600_000)
	writeBars(t, s, bars)
	watch, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer watch.Close(context.WithoutCancel(t.Context()))
	idle := func() error {
		n, err := activeStatements(t.Context(), watch)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d statements still run", n)
		}

		return err
	}
	began := time.Now()
	if n, err := countBars(t.Context(), s, queryAll(bars)); n != bars.Len() || err != nil {
		t.Fatal(n, err)
	}

	whole := time.Since(began)
	for name, end := range map[string]func() error{
		"break": func() error {
			for _, err := range s.ReadBars(t.Context(), queryAll(bars)).Rows() {
				return err
			}
			return errors.New("no piece")
		},
		"cancel": func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range s.ReadBars(ctx, queryAll(bars)).Rows() {
				if err != nil {
					wantKind(t, err, ports.ErrCanceled)
					return nil
				}
				cancel()
			}

			return errors.New("not cancelled")
		},
	} {
		// On a busy machine, or with the race detector, the rows that the server sent before it received the
		// cancellation take longer than 250 ms, but never as long as all rows; and the connection is closed, because
		// the rest of the answer does not arrive in time. Neither may be so in every try.
		for try := 1; ; try++ {
			conns := s.PoolStats()
			began := time.Now()
			if err := end(); err != nil {
				t.Fatal(name, err)
			}

			eventually(t, 20*time.Second, idle)
			took := time.Since(began) // until the server is idle too
			eventually(t, 20*time.Second, func() error {
				if n := s.PoolStats().InUse; n != 0 {
					return fmt.Errorf("%s: %d connections are in use", name, n)
				}
				return nil
			})
			isKept := s.PoolStats().Idle >= conns.Idle
			if isKept && took <= max(250*time.Millisecond, whole/2) {
				break
			}
			if try == 5 {
				t.Fatalf("%s took %s in the last of %d tries; the connection was kept: %t", name, took, try, isKept)
			}
		}
	}
}

// TestServerEndsRead proves that a statement or a connection that the server ends is not reported as a canceled call.
func TestServerEndsRead(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	bars := gen.Walk("BTC/USD", 400_000)
	writeBars(t, open(t, postgres.Config{DSN: secret.New(dsn)}), bars)
	s := open(t, postgres.Config{DSN: secret.New(dsn), StatementTimeout: time.Second}) // enough to open it
	other, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer other.Close(context.WithoutCancel(t.Context()))

	if _, err := other.Exec(t.Context(), "BEGIN; LOCK TABLE marketdata.bars"); err != nil {
		t.Fatal(err)
	}

	_, err = countBars(t.Context(), s, queryAll(bars))
	wantKind(t, err, ports.ErrTimeout)
	var state *pgconn.PgError
	if !errors.As(err, &state) || state.Code != "57014" {
		t.Errorf("the driver's error is not in the chain of %v", err)
	}
	if _, err := other.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}

	s = open(t, postgres.Config{DSN: secret.New(dsn)}) // a slow machine must not end the statement before the connection
	killed := false
	for _, failed := range s.ReadBars(t.Context(), queryAll(bars)).Rows() {
		if err = failed; !killed {
			killed = true
			if _, err := other.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
				t.Fatal(err)
			}
		}
	}

	wantKind(t, err, ports.ErrUnavailable)
	eventually(t, 20*time.Second, func() error {
		_, err := countBars(t.Context(), s, ports.BarQuery{Key: bars.Key(), Range: bars.Range(), First: 1})
		return err
	})
}

func TestCallersPoolIsUsedAndNotClosed(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"simple_protocol", "cache_statement"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dsn := changeDSN(t, servers.Postgres(t), func(_ *url.URL, q url.Values) {
				q.Set("default_query_exec_mode", mode)
				q.Set("TimeZone", "America/New_York")
			})
			pool, err := pgxpool.New(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}

			defer pool.Close()
			s, closeStore, err := postgres.OpenPool(t.Context(), pool, postgres.Config{
				AcquireTimeout: 5 * time.Second, MigrateOnOpen: true,
			})
			if err != nil {
				t.Fatal(err)
			}

			bars := gen.Walk("BTC/USD", 1_000)
			writeBars(t, s, bars)
			for piece, err := range s.ReadBars(t.Context(), queryAll(bars)).Rows() {
				if err != nil || !piece.Equal(bars) {
					t.Fatal(piece, err)
				}
			}

			closeStore()
			if err := pool.Ping(t.Context()); err != nil {
				t.Fatal("closed:", err)
			}
		})
	}
}

func TestSlowCallsAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := open(t, postgres.Config{SlowQuery: time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	writeBars(t, s, gen.Walk("BTC/USD", 5_000))
	if !strings.Contains(log.String(), "slow query") || !strings.Contains(log.String(), "BTC/USD 1m") {
		t.Fatalf("logged %q", log.String())
	}
}
