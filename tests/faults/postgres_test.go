//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/faults"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

const (
	maxClose = 2 * time.Second        // whatever the server does
	grace    = 250 * time.Millisecond // of a call after its deadline, on real servers
	slack    = 250 * time.Millisecond // of a busy machine that runs the tests
)

var hour = time.Date(2024, time.March, 4, 12, 0, 0, 0, time.UTC)

// hourly is a request for the bars that openProduction stores.
var hourly = domain.DataRequest{
	Key: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}, Start: hour, End: hour.Add(3 * time.Hour),
}

// hours returns three bars of an hour.
func hours(tb testing.TB) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Hour1.UTC()}, 3)
	for i := range 3 {
		p := domain.MustDecimal("67000.5")
		bar := domain.Bar{OpenTime: hour.Add(time.Duration(i) * time.Hour), Open: p, High: p, Low: p, Close: p, Volume: p}
		if err := b.Append(bar); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

// pgConfig returns the configuration of a server that creates its tables when it is opened, without a cache.
func pgConfig(dsn string) wiring.Config {
	cfg := wiring.Config{Postgres: wiring.Postgres{DSN: secret.New(dsn), MigrateOnOpen: true}}
	cfg.Cache.Disabled = true

	return cfg
}

// openProduction opens the wiring of production and stores the bars of hours. The caller must close it.
func openProduction(t *testing.T, cfg wiring.Config) (*app.Service, func()) {
	t.Helper()
	md, closeAll := openEmpty(t, cfg)
	storeHours(t.Context(), t, md)

	return md, closeAll
}

// storeHours stores the bars of hours.
func storeHours(ctx context.Context, t *testing.T, md *app.Service) {
	t.Helper()
	if _, err := md.Ingest(ctx, hours(t), domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
}

// fetch requests the bars of hours, and fails the test if they are wrong and there is no error.
func fetch(ctx context.Context, t *testing.T, md *app.Service) error {
	t.Helper()
	result, err := md.Fetch(ctx, hourly)
	if err == nil && (result.Series.Len() != 3 || len(result.Uncovered) > 0) {
		t.Errorf("%d bars and no error", result.Series.Len())
	}

	return err
}

// wantWithin fails the test if f takes longer than the limit.
func wantWithin(t *testing.T, what string, limit time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > limit {
		t.Errorf("%s took %s, limit %s", what, took, limit)
	}
}

// withHost returns a DSN with another host:port.
func withHost(t *testing.T, dsn, host string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("the DSN is no URL") // err would repeat the password
	}

	u.Host = host

	return u.String()
}

// withUser returns a DSN with another user.
func withUser(t *testing.T, dsn, user, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal("the DSN is no URL") // err would repeat the password
	}

	u.User = url.UserPassword(user, password)

	return u.String()
}

// silence is a way to make a server silent, and to end that.
type silence struct {
	name  string
	start func(t *testing.T)
	end   func(t *testing.T)
}

// TestPostgresSilent proves that no call and no closing waits for a server that accepts connections and answers
// nothing.
func TestPostgresSilent(t *testing.T) {
	server := servers.StartPostgres(t)
	proxy := faults.NewProxy(t, server.Address)
	dsn := withHost(t, server.DSN, proxy.Address)
	for _, s := range []silence{
		{"P6", func(t *testing.T) { server.Suspend(t) }, func(t *testing.T) { server.Resume(t) }},
		{"P4", func(*testing.T) { proxy.SetSilent(true) }, func(*testing.T) {
			proxy.Cut()
			proxy.SetSilent(false)
		}},
	} {
		for _, isCached := range []bool{false, true} {
			cfg := pgConfig(dsn)
			cfg.Cache.Disabled = !isCached
			name := map[bool]string{false: "cold", true: "warm"}[isCached]
			t.Run(s.name+"/close/"+name, func(t *testing.T) {
				md, closeAll := openProduction(t, cfg)
				if err := fetch(t.Context(), t, md); err != nil {
					t.Error(err)
				}

				s.start(t)
				defer s.end(t)
				wantWithin(t, "closing", maxClose, closeAll)
			})
			t.Run(s.name+"/interrupt/"+name, func(t *testing.T) { testInterrupt(t, s, cfg) })
		}
		t.Run(s.name+"/deadline/cold", func(t *testing.T) { testDeadline(t, s, pgConfig(dsn)) })
		t.Run(s.name+"/open/cold", func(t *testing.T) {
			s.start(t)
			defer s.end(t)
			wantWithin(t, "opening", 3*time.Second, func() {
				_, _, err := production.Open(t.Context(), pgConfig(dsn), production.Options{})
				if !errors.Is(err, ports.ErrTimeout) {
					t.Errorf("opened: %v", err)
				}
			})
		})
		t.Run(s.name+"/store/cold", func(t *testing.T) { testStoreDeadline(t, s, dsn) })
	}
}

// testInterrupt cancels requests as Ctrl-C does, and closes.
func testInterrupt(t *testing.T, s silence, cfg wiring.Config) {
	md, closeAll := openProduction(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.start(t)
	defer s.end(t)
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			request := hourly
			request.Key.Symbol = domain.Symbol(fmt.Sprint("OTHER", i))
			if _, err := md.Fetch(ctx, request); err == nil {
				t.Error("fetched from a silent server")
			}
		})
	}
	time.Sleep(100 * time.Millisecond)
	wantWithin(t, "the end after an interrupt", 3*time.Second, func() {
		cancel()
		wantWithin(t, "a canceled call", grace+slack, running.Wait)
		wantWithin(t, "closing", maxClose, closeAll)
	})
}

// testDeadline proves that a call returns in time, and that at most one more fails once the server answers again.
func testDeadline(t *testing.T, s silence, cfg wiring.Config) {
	md, closeAll := openProduction(t, cfg)
	defer closeAll()
	s.start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantWithin(t, "a call with a deadline of 200ms", 200*time.Millisecond+grace+slack, func() {
		if err := fetch(ctx, t, md); !errors.Is(err, ports.ErrTimeout) {
			t.Errorf("fetched: %v", err)
		}
	})

	s.end(t)
	if first := fetch(t.Context(), t, md); first != nil { // on a connection that the silence broke
		if err := fetch(t.Context(), t, md); err != nil {
			t.Errorf("after the silence: %v, and again: %v", first, err)
		}
	}
}

// testStoreDeadline proves that the store itself returns in time, without the application's help.
func testStoreDeadline(t *testing.T, s silence, dsn string) {
	store, closeStore, err := postgres.Open(t.Context(), postgres.Config{DSN: secret.New(dsn), MigrateOnOpen: true})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	if err := read(t.Context(), store); err != nil {
		t.Fatal(err)
	}

	s.start(t)
	defer s.end(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	wantWithin(t, "a read with a deadline of 200ms", 200*time.Millisecond+grace+slack, func() {
		if err := read(ctx, store); !errors.Is(err, ports.ErrTimeout) {
			t.Errorf("read: %v", err)
		}
	})
}

// read reads the bars of hours, which need not exist.
func read(ctx context.Context, s *postgres.Store) error {
	q := ports.BarQuery{Key: hourly.Key}
	q.Range = domain.Range{Start: hourly.Start, End: hourly.End}
	for _, err := range s.ReadBars(ctx, q) {
		if err != nil {
			return err
		}
	}

	return nil
}

// TestPostgresDeadConnections proves that the dead connections of a pool cost one failed call, and not one each.
func TestPostgresDeadConnections(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	proxy := faults.NewProxy(t, server.Address)
	const conns = 20
	t.Run("P11/idle", func(t *testing.T) {
		store, closeStore, err := postgres.Open(t.Context(), postgres.Config{
			DSN: secret.New(withHost(t, server.DSN, proxy.Address)), MinConns: conns, MaxConns: conns, MigrateOnOpen: true,
		})
		if err != nil {
			t.Fatal(err)
		}

		defer closeStore()
		for store.PoolStats().Idle < conns {
			time.Sleep(10 * time.Millisecond)
		}

		// Every connection was used just now, so that the pool does not check it for its age.
		var reads sync.WaitGroup
		for range 4 * conns {
			reads.Go(func() {
				if err := read(t.Context(), store); err != nil && !errors.Is(err, ports.ErrOverloaded) {
					t.Error(err)
				}
			})
		}
		reads.Wait()
		proxy.Cut()
		failed := 0
		for range 2 * conns {
			if read(t.Context(), store) != nil {
				failed++
			}
		}
		if failed > 1 {
			t.Errorf("%d failed reads after the connections were cut, want at most 1", failed)
		}
	})
}

// TestPostgresRestart proves that a worker that waits as its errors say fails at most once after a restart: beside
// calls that succeeded until then, and where so many fail that the circuit breaker opens.
func TestPostgresRestart(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	for name, signal := range map[string]syscall.Signal{
		"P11/fast": syscall.SIGINT, "P11/immediate": syscall.SIGQUIT,
	} {
		t.Run(name, func(t *testing.T) {
			md, closeAll := openProduction(t, pgConfig(server.DSN))
			defer closeAll()
			workers := restartWorkers{md: md, pause: time.Millisecond}
			workers.start(t)
			time.Sleep(200 * time.Millisecond)
			server.Restart(t, signal)
			workers.finish()
		})
	}

	t.Run("P11/breaker", func(t *testing.T) {
		proxy := faults.NewProxy(t, server.Address)
		md, closeAll := openProduction(t, pgConfig(withHost(t, server.DSN, proxy.Address)))
		defer closeAll()
		proxy.Cut()
		proxy.LimitResponses(0) // connections end before the first byte of the server
		workers := restartWorkers{md: md, pause: 10 * time.Millisecond}
		workers.start(t)
		time.Sleep(2 * time.Second)
		if workers.refused.Load() == 0 {
			t.Error("the circuit breaker did not open")
		}
		proxy.LimitResponses(-1)
		workers.finish()
	})
}

// restartWorkers fetch until the server works again.
type restartWorkers struct {
	md    *app.Service
	pause time.Duration // after a fetch, unless its error says more

	refused           atomic.Int64 // fetches that an open breaker refused
	recovered, isDone atomic.Bool
	running           sync.WaitGroup
}

func (w *restartWorkers) start(t *testing.T) {
	for range 16 {
		w.running.Go(func() {
			failed, succeeded := 0, 0
			for !w.isDone.Load() || succeeded == 0 {
				wasRecovered := w.recovered.Load() // before the call
				err := fetch(t.Context(), t, w.md)
				from, _ := errors.AsType[*ports.Error](err)
				switch {
				case err == nil:
					succeeded++
				case wasRecovered:
					failed++
				case !errors.Is(err, ports.ErrUnavailable) && !errors.Is(err, ports.ErrTimeout) &&
					!errors.Is(err, ports.ErrOverloaded):
					t.Errorf("while the server restarts: %v", err)
				}
				if failed > 1 {
					t.Errorf("%d failed reads of a worker after the restart, the last: %v", failed, err)
					return
				}

				pause := w.pause
				if from != nil && from.RetryAfter > 0 {
					w.refused.Add(1)
					pause = from.RetryAfter
				}
				time.Sleep(pause)
			}
		})
	}
}

// finish says that the server works, and waits until every worker had bars for a while.
func (w *restartWorkers) finish() {
	w.recovered.Store(true)
	time.Sleep(time.Second)
	w.isDone.Store(true)
	w.running.Wait()
}

// TestPostgresPoolExhausted proves that a call that gets no connection says so in time, and is not retried.
func TestPostgresPoolExhausted(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	t.Run("P15/acquire", func(t *testing.T) {
		cfg := pgConfig(server.DSN)
		cfg.Postgres.MinConns, cfg.Postgres.MaxConns = 1, 2
		md, closeAll := openProduction(t, cfg)
		defer closeAll()
		admin, err := pgx.Connect(t.Context(), server.DSN)
		if err != nil {
			t.Fatal(err)
		}

		defer admin.Close(t.Context())
		if _, err := admin.Exec(t.Context(), "BEGIN; LOCK TABLE marketdata.bars"); err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		for range cfg.Postgres.MaxConns {
			waiting.Go(func() { _ = fetch(ctx, t, md) }) // ends with the test
		}
		defer waiting.Wait()
		defer cancel()
		const locked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
		for n := 0; n < cfg.Postgres.MaxConns; time.Sleep(10 * time.Millisecond) {
			if err := admin.QueryRow(t.Context(), locked).Scan(&n); err != nil {
				t.Fatal(err)
			}
		}

		limit := cfg.WithDefaults().Postgres.AcquireTimeout
		wantWithin(t, "a call without a connection", limit+grace, func() {
			from := (*ports.Error)(nil)
			err := fetch(t.Context(), t, md)
			if !errors.Is(err, ports.ErrOverloaded) || !errors.As(err, &from) || from.Phase != ports.PhaseAcquire {
				t.Errorf("got %v, want overloaded in the phase acquire", err)
			}
		})
	})
}

// TestPostgresPasswordFile proves that a new password needs no restart.
func TestPostgresPasswordFile(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	admin, err := pgx.Connect(t.Context(), server.DSN)
	if err != nil {
		t.Fatal(err)
	}

	defer admin.Close(t.Context())
	path := filepath.Join(t.TempDir(), "password")
	rotateSlowly := func(t *testing.T, password string, between func()) {
		t.Helper()
		if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		between()
		if _, err := admin.Exec(t.Context(), "ALTER ROLE rotated PASSWORD '"+password+"'"); err != nil {
			t.Fatal(err)
		}
	}
	rotate := func(t *testing.T, password string) {
		t.Helper()
		rotateSlowly(t, password, func() {})
	}
	if _, err := admin.Exec(t.Context(), "CREATE ROLE rotated LOGIN SUPERUSER"); err != nil {
		t.Fatal(err)
	}

	rotate(t, "first")
	u, err := url.Parse(server.DSN)
	if err != nil {
		t.Fatal("the DSN is no URL")
	}

	u.User = url.User("rotated")
	cfg := pgConfig(u.String())
	cfg.Postgres.PasswordFile, cfg.Postgres.MinConns, cfg.Postgres.MaxConns = path, 1, 20
	t.Run("P18/middle", func(t *testing.T) {
		md, closeAll := openProduction(t, cfg)
		defer closeAll()
		rotate(t, "second")
		var running sync.WaitGroup
		for range 16 { // more than connections were open before
			running.Go(func() {
				for range 20 {
					if err := fetch(t.Context(), t, md); err != nil {
						t.Errorf("after the rotation: %v", err)
					}
				}
			})
		}
		running.Wait()
		md2, closeSecond := openProduction(t, cfg) // also migrates
		defer closeSecond()
		if err := fetch(t.Context(), t, md2); err != nil {
			t.Error(err)
		}
	})
	t.Run("P18/rotations", func(t *testing.T) {
		md, closeAll := openProduction(t, cfg)
		defer closeAll()
		reading, stop := context.WithCancel(t.Context())
		var reads [4]atomic.Int64 // by reader
		var running sync.WaitGroup
		for i := range reads {
			running.Go(func() {
				for reading.Err() == nil {
					if err := fetch(t.Context(), t, md); err != nil {
						t.Errorf("beside a rotation: %v", err)
					}
					reads[i].Add(1)
				}
			})
		}

		// A read meets one broken connection, and makes a new one in the middle of the rotation.
		const dropIdle = "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity " +
			"WHERE usename = 'rotated' AND state = 'idle' LIMIT 1) AS idle"
		for i := range 20 {
			for r := range reads { // a read that a rotation disturbed ends before the next one
				for before := reads[r].Load(); reads[r].Load() < before+2; {
					time.Sleep(time.Millisecond)
				}
			}
			rotateSlowly(t, fmt.Sprint("rotation ", i), func() {
				if _, err := admin.Exec(t.Context(), dropIdle); err != nil {
					t.Fatal(err)
				}
			})
		}
		stop()
		running.Wait()
	})
	for name, text := range map[string]string{"P17/wrong": "another", "P17/empty": "\n"} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}

			_, _, err := production.Open(t.Context(), cfg, production.Options{})
			if !errors.Is(err, ports.ErrAuth) {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// TestPostgresCommand proves that Ctrl-C ends the command while it waits for a server that became silent in the middle
// of a statement.
func TestPostgresCommand(t *testing.T) {
	t.Parallel()
	server := servers.StartPostgres(t)
	program := filepath.Join(t.TempDir(), "marketdata")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/marketdata")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v: %s", err, out)
	}

	t.Run("P6/command", func(t *testing.T) {
		_, closeAll := openProduction(t, pgConfig(server.DSN))
		closeAll()
		admin, err := pgx.Connect(t.Context(), server.DSN)
		if err != nil {
			t.Fatal(err)
		}

		defer admin.Close(t.Context())
		if _, err := admin.Exec(t.Context(), "BEGIN; LOCK TABLE marketdata.bars"); err != nil {
			t.Fatal(err)
		}

		command := exec.CommandContext(t.Context(), program, "fetch", "BTC/USD", "1h", "--start", "2024-03-04", "--end", "2024-03-05")
		command.Env = []string{"HOME=" + t.TempDir(), wiring.EnvPrefix + "POSTGRES_DSN=" + server.DSN}
		var out bytes.Buffer
		command.Stdout, command.Stderr = &out, &out
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}

		const waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
		began := time.Now()
		for waiting := 0; waiting == 0; time.Sleep(10 * time.Millisecond) {
			if time.Since(began) > 10*time.Second {
				_ = command.Process.Kill()
				_ = command.Wait()
				t.Fatalf("the command does not wait for the lock; it wrote %q", out.String())
			}
			if err := admin.QueryRow(t.Context(), waits).Scan(&waiting); err != nil {
				t.Fatal(err)
			}
		}
		server.Suspend(t)
		defer server.Resume(t)
		if err := command.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}

		wantWithin(t, "the end of the command after an interrupt", 3*time.Second, func() {
			if err := command.Wait(); err == nil {
				t.Error("the command succeeded")
			}
		})
		if !strings.Contains(out.String(), "interrupted") {
			t.Errorf("the command wrote %q", out.String())
		}
	})
}
