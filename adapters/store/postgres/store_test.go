package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
)

// with changes one part of a DSN.
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

func dsnWithUser(t *testing.T, dsn, user, password string) string {
	return changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.User = url.UserPassword(user, password) })
}

// count reads to the end.
func countBars(ctx context.Context, s *postgres.Store, q ports.BarQuery) (n int, err error) {
	for piece, failed := range s.ReadBars(ctx, q) {
		n, err = n+piece.Len(), failed
	}
	return n, err
}

func writeBars(t *testing.T, s *postgres.Store, bars domain.Series) {
	t.Helper()
	if _, err := s.WriteBars(t.Context(), bars, bars.Range()); err != nil {
		t.Fatal(err)
	}
}

func queryAll(bars domain.Series) ports.BarQuery {
	return ports.BarQuery{Key: bars.Key(), Range: bars.Range()}
}

func wantKind(t *testing.T, err, kind error) *ports.Error {
	t.Helper()
	var e *ports.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) {
		t.Fatalf("got error %v, want one that is %q", err, kind)
	}

	return e
}

// eventually polls a condition that the server reaches in its own time.
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
	for _, part := range []string{"dsn", "connections", "acquire timeout", "batch rows"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("no word of %s in %v", part, err)
		}
	}

	if !errors.Is(err, ports.ErrInvalid) {
		t.Error("not invalid")
	}
}

func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-canary"
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, dsn := range []string{
		"postgres://u:" + secret + "@127.0.0.1:1/db", "host=127.0.0.1 port=1 user=u password=" + secret,
		"postgres://u:" + secret + "@127.0.0.1:1:1:/db", "postgres://u:" + secret + "@%zz/", "password=" + secret + " nonsense",
		dsnWithUser(t, servers.Postgres(t), "postgres", secret),
	} {
		cfg := postgres.Config{DSN: dsn, Logger: logger}
		_, _, err := postgres.Open(t.Context(), cfg)
		if err == nil {
			t.Fatal("opened")
		}

		logger.Info("opening", "config", cfg, "error", err)
		for _, shown := range []string{
			err.Error(), fmt.Sprintf("%+v %#v", err, err), fmt.Sprintf("%v %+v %#v %s", cfg, cfg, cfg, cfg), log.String(),
		} {
			if strings.Contains(shown, secret) {
				t.Errorf("shown: %s", shown)
			}
		}
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	for name, c := range map[string]struct {
		dsn  string
		kind error
	}{
		"refused":      {changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.Host = "127.0.0.1:1" }), ports.ErrUnavailable},
		"password":     {dsnWithUser(t, dsn, "postgres", "wrong"), ports.ErrAuth},
		"database":     {changeDSN(t, dsn, func(u *url.URL, _ url.Values) { u.Path = "/nowhere" }), ports.ErrSchema},
		"tls":          {changeDSN(t, dsn, func(_ *url.URL, q url.Values) { q.Set("sslmode", "require") }), ports.ErrAuth},
		"quoting":      {changeDSN(t, dsn, func(_ *url.URL, q url.Values) { q.Set("standard_conforming_strings", "off") }), ports.ErrSchema},
		"zone":         {changeDSN(t, dsn, func(_ *url.URL, q url.Values) { q.Set("TimeZone", "Asia/Tokyo") }), ports.ErrSchema},
		"unknown form": {"postgres://:bad:port", ports.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := postgres.Open(t.Context(), postgres.Config{DSN: c.dsn, AcquireTimeout: 5 * time.Second})
			wantKind(t, err, c.kind)
		})
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	empty, closeEmpty, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, MaxConns: 2, AcquireTimeout: 5 * time.Second})
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
	dsn := servers.Postgres(t)
	bars := gen.Walk("BTC/USD", 20_000)
	writeBars(t, open(t, postgres.Config{DSN: dsn}), bars)
	s, closeStore, err := postgres.Open(t.Context(), postgres.Config{DSN: dsn, MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	for _, err := range s.ReadBars(t.Context(), queryAll(bars)) {
		if err != nil {
			t.Fatal(err)
		}

		for try := 1; ; try++ { // a busy machine may need a few
			began := time.Now()
			_, err = countBars(t.Context(), s, queryAll(bars))
			took := time.Since(began)
			if e := wantKind(t, err, ports.ErrOverloaded); e.Phase != ports.PhaseAcquire || errors.Is(err, context.DeadlineExceeded) {
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

// busy is how many statements the server works on in the database.
func activeStatements(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	err = conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()`).Scan(&n)
	return n, err
}

func TestEndedReadsLeaveTheServerIdle(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	s := open(t, postgres.Config{DSN: dsn})
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
			for _, err := range s.ReadBars(t.Context(), queryAll(bars)) {
				return err
			}
			return errors.New("no piece")
		},
		"cancel": func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range s.ReadBars(ctx, queryAll(bars)) {
				if err != nil {
					wantKind(t, err, ports.ErrCanceled)
					return nil
				}
				cancel()
			}

			return errors.New("not cancelled")
		},
	} {
		// A busy machine, or the race detector, takes longer than 250 ms over what was sent before the server heard of
		// it, but never as long as over all.
		for try := 1; ; try++ {
			conns := s.PoolStats()
			began := time.Now()
			if err := end(); err != nil {
				t.Fatal(name, err)
			}

			eventually(t, 20*time.Second, idle)
			took := time.Since(began) // until the server is idle too
			if after := s.PoolStats(); after.InUse != 0 || after.Idle < conns.Idle {
				t.Errorf("%s: the pool went from %+v to %+v", name, conns, after)
			}
			if took <= max(250*time.Millisecond, whole/2) {
				break
			}
			if try == 5 {
				t.Fatalf("%s took %s in the last of %d tries", name, took, try)
			}
		}
	}
}

// A statement that the server ends, or its connection, is told apart from a caller who gave up.
func TestServerSideEnds(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	bars := gen.Walk("BTC/USD", 400_000)
	writeBars(t, open(t, postgres.Config{DSN: dsn}), bars)
	s := open(t, postgres.Config{DSN: dsn, StatementTimeout: time.Second}) // enough to open it
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
		t.Errorf("the driver's error is not to be had: %v", err)
	}
	if _, err := other.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}

	s = open(t, postgres.Config{DSN: dsn}) // a slow machine must not end the statement before the connection is ended
	killed := false
	for _, failed := range s.ReadBars(t.Context(), queryAll(bars)) {
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

func TestInjectedPoolIsUsedAndNotClosed(t *testing.T) {
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
			s, closeStore, err := postgres.New(pool, postgres.Config{AcquireTimeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}

			bars := gen.Walk("BTC/USD", 1_000)
			writeBars(t, s, bars)
			for piece, err := range s.ReadBars(t.Context(), queryAll(bars)) {
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

func TestClaims(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	ctx := t.Context()
	key := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Second1.UTC()}
	day := func(n int) time.Time { return time.Date(2024, 1, n, 0, 0, 0, 0, time.UTC) }
	days := func(from, to int) domain.Range { return domain.Range{Start: day(from), End: day(to)} }
	for _, step := range []struct {
		change func(context.Context, domain.SeriesKey, domain.Range) error
		r      domain.Range
		want   []domain.Range
	}{
		{s.RemoveCoverage, days(1, 9), nil},
		{s.DeclareCoverage, days(1, 2), []domain.Range{days(1, 2)}},
		{s.DeclareCoverage, days(3, 4), []domain.Range{days(1, 2), days(3, 4)}},
		{s.DeclareCoverage, days(2, 3), []domain.Range{days(1, 4)}},
		{s.DeclareCoverage, days(1, 4), []domain.Range{days(1, 4)}},
		{s.RemoveCoverage, days(2, 3), []domain.Range{days(1, 2), days(3, 4)}},
		{s.RemoveCoverage, days(1, 9), nil},
	} {
		if err := step.change(ctx, key, step.r); err != nil {
			t.Fatal(err)
		}

		extents, err := s.Extents(ctx, key.Symbol)
		if err != nil {
			t.Fatal(err)
		}

		var got []domain.Range
		for _, e := range extents {
			got = append(got, e.Range)
		}
		if fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Fatalf("after %s: %v, want %v", step.r, got, step.want)
		}
	}
	if known, err := s.Symbols(ctx, ports.SymbolQuery{}); err != nil || len(known) != 1 {
		t.Fatal(known, err)
	}
}

// Calls that touch the same rows in opposite orders wait for each other, and none is a deadlock's victim.
func TestWritersInOppositeOrders(t *testing.T) {
	t.Parallel()
	s := open(t, postgres.Config{})
	metas := make([]domain.SymbolMeta, 200)
	for i := range metas {
		metas[i] = domain.NewSymbolMeta(domain.Symbol(fmt.Sprintf("COIN%03d/USD", i)))
	}
	reversed := slices.Clone(metas)
	slices.Reverse(reversed)
	bars := gen.Walk("BTC/USD", 2_000)
	errs := make(chan error)
	calls := []func(i int) error{
		func(int) error { return s.PutSymbols(t.Context(), metas...) },
		func(int) error { return s.PutSymbols(t.Context(), reversed...) },
		func(i int) error {
			_, err := s.WriteBars(t.Context(), bars.Slice(i, 2_000-i), bars.Range())
			return err
		},
		func(i int) error {
			_, err := s.ReplaceBars(t.Context(), bars.Slice(10*i, 10*i+500), bars.Range())
			return err
		},
	}
	for _, call := range calls {
		go func() {
			var err error
			for i := 0; i < 10 && err == nil; i++ {
				err = call(i)
			}
			errs <- err
		}()
	}

	for range calls {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// Roles that hold only the grants that the package names.
func TestNarrowRoles(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	owner := open(t, postgres.Config{DSN: dsn})
	writeBars(t, owner, gen.Walk("BTC/USD", 1_000))
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}

	database := strings.TrimPrefix(u.Path, "/")
	const tables = "marketdata.symbols, marketdata.bars, marketdata.trades, marketdata.quotes, " +
		"marketdata.extents, marketdata.tick_extents"
	reader, importer := "reader_"+database, "importer_"+database
	t.Cleanup(func() {
		if err := exec(context.Background(), dsn, "DROP OWNED BY "+reader+", "+importer,
			"DROP ROLE "+reader, "DROP ROLE "+importer); err != nil {
			t.Error(err)
		}
	})
	if err := exec(t.Context(), dsn,
		"CREATE ROLE "+reader+" LOGIN PASSWORD 'r'", "CREATE ROLE "+importer+" LOGIN PASSWORD 'i'",
		"REVOKE ALL ON DATABASE "+database+" FROM PUBLIC",
		"GRANT CONNECT ON DATABASE "+database+" TO "+reader+", "+importer,
		"GRANT USAGE ON SCHEMA marketdata TO "+reader+", "+importer,
		"GRANT SELECT ON "+tables+" TO "+reader+", "+importer,
		"GRANT INSERT, UPDATE, DELETE ON "+tables+" TO "+importer,
		"GRANT TEMPORARY ON DATABASE "+database+" TO "+importer,
		"GRANT EXECUTE ON FUNCTION marketdata.ensure_partitions(text, timestamptz[]) TO "+importer,
	); err != nil {
		t.Fatal(err)
	}

	openAs := func(user, password string) *postgres.Store {
		s, closeStore, err := postgres.Open(t.Context(), postgres.Config{
			DSN: dsnWithUser(t, dsn, user, password), MaxConns: 2, AcquireTimeout: 5 * time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}

		t.Cleanup(closeStore)
		return s
	}
	late := gen.Walk("ETH/USD", 1_000_000) // into 2021: a partition that is not there yet
	late = late.Slice(late.Len()-1_000, late.Len())

	r := openAs(reader, "r")
	if err := r.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := countBars(t.Context(), r, queryAll(gen.Walk("BTC/USD", 1_000))); n != 1_000 || err != nil {
		t.Error(n, err)
	}
	_, err = r.WriteBars(t.Context(), late, late.Range())
	wantKind(t, err, ports.ErrPermission)
	_, err = r.ReplaceBars(t.Context(), domain.EmptySeries(gen.Walk("BTC/USD", 1).Key()), late.Range())
	wantKind(t, err, ports.ErrPermission)

	i := openAs(importer, "i")
	writeBars(t, i, late)
	if n, err := countBars(t.Context(), i, queryAll(late)); n != 1_000 || err != nil {
		t.Error(n, err)
	}
	wantKind(t, i.Migrate(t.Context()), ports.ErrPermission)
}
