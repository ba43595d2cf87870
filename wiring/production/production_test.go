package production_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

var noon = time.Date(2024, time.March, 4, 12, 0, 0, 0, time.UTC)

// bars returns a few consecutive bars from noon.
func bars(tb testing.TB, symbol domain.Symbol, f domain.Frequency) domain.Series {
	tb.Helper()
	b := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: symbol, Grid: f.UTC()}, 0)
	at := f.UTC().Floor(noon)
	for range 3 {
		p := domain.MustDecimal("67000.123456789012345678")
		if err := b.Append(domain.Bar{OpenTime: at, Open: p, High: p, Low: p, Close: p, Volume: domain.MustDecimal("1.5"), Trades: 2}); err != nil {
			tb.Fatal(err)
		}

		at = f.UTC().Next(at)
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func open(tb testing.TB, cfg wiring.Config, opts production.Options) *app.Service {
	tb.Helper()
	opts.Redis = redis.OpenShared
	md, closeAll, err := production.Open(tb.Context(), cfg, opts)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeAll)

	return md
}

// Writes, reads, coverage and deletions of minutes go to the time-series store, those of hours and days to the
// relational store. Both share one catalog.
func TestRoutingByFrequency(t *testing.T) {
	t.Parallel()
	md := open(t, config(t), production.Options{})
	for f, store := range map[domain.Frequency]domain.StoreName{
		domain.Second1: "influx", domain.Minute1: "influx", domain.Minute30: "influx",
		domain.Hour1: "postgres", domain.Day1: "postgres", domain.Month1: "postgres",
	} {
		want := bars(t, "COINBASE:BTC/USD", f)
		if report, err := md.Ingest(t.Context(), want, domain.Range{}, ports.ConflictReplace); err != nil || report.Inserted != want.Len() {
			t.Fatalf("%s: %+v, %v", f, report, err)
		}
		if report, err := md.Ingest(t.Context(), want, domain.Range{}, ports.ConflictReplace); err != nil || report.Unchanged != want.Len() {
			t.Fatalf("%s again: %+v, %v", f, report, err)
		}

		r := want.Range()
		got, err := md.Fetch(t.Context(), domain.DataRequest{Key: want.Key(), Start: r.Start, End: r.End})
		if err != nil || !got.Series.Equal(want) || len(got.Uncovered) > 0 {
			t.Fatalf("%s: %v, %v; want %v", f, got, err, want)
		}

		for _, leg := range got.Provenance {
			if leg.Store != store {
				t.Errorf("%s was served by %s; want %s", f, leg.Store, store)
			}
		}
	}

	held, err := ports.Collect(md.Coverage(t.Context(), "COINBASE:BTC/USD"))
	if err != nil || len(held) != 6 {
		t.Fatalf("%v, %v; want an extent a frequency", held, err)
	}

	for _, e := range held {
		if high := e.Key.Grid.Frequency().Nominal() < time.Hour; high != (e.Store == "influx") || e.Inferred {
			t.Errorf("%+v", e)
		}
	}

	metas, err := ports.Collect(md.Symbols(t.Context(), ports.SymbolQuery{}))
	if err != nil || len(metas) != 1 || metas[0].Venue != "COINBASE" {
		t.Errorf("%v, %v; want one symbol", metas, err)
	}
	minutes := bars(t, "COINBASE:BTC/USD", domain.Minute1)
	if report, err := md.Delete(t.Context(), minutes.Key(), minutes.Range()); err != nil || report.Deleted != 3 {
		t.Errorf("%+v, %v; want three deleted", report, err)
	}
	if got, err := md.Fetch(t.Context(), domain.DataRequest{Key: minutes.Key(), Start: noon, End: noon.Add(time.Minute)}); err != nil ||
		got.Series.Len() != 0 || len(got.Uncovered) != 1 {
		t.Errorf("%v, %v; want nothing, and nobody who knows", got, err)
	}
}

// HighFrequencyBelow moves the border between the stores. Without InfluxDB all bars are in PostgreSQL.
func TestRoutingIsConfigured(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.HighFrequencyBelow = domain.Week1
	alone := config(t)
	alone.Influx = wiring.Influx{}
	for name, test := range map[string]struct {
		cfg   wiring.Config
		f     domain.Frequency
		store domain.StoreName
	}{
		"days below a week": {cfg, domain.Day1, "influx"},
		"minutes alone":     {alone, domain.Minute1, "postgres"},
	} {
		md := open(t, test.cfg, production.Options{})
		want := bars(t, "BTC/USD", test.f)
		if _, err := md.Ingest(t.Context(), want, domain.Range{}, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}

		got, err := md.Fetch(t.Context(), domain.DataRequest{Key: want.Key()})
		if err != nil || !got.Series.Equal(want) || got.Provenance[0].Store != test.store {
			t.Errorf("%s: %v, %v; want it from %s", name, got, err, test.store)
		}
	}
}

func TestTradesAndQuotes(t *testing.T) {
	t.Parallel()
	md := open(t, config(t), production.Options{})
	one := domain.MustDecimal("1.5")
	trades, err := domain.NewTicks("XRP/ETH", domain.Trade{Time: noon, Seq: 7, Price: one, Size: one, Side: domain.SideSell})
	if err != nil {
		t.Fatal(err)
	}

	quotes, err := domain.NewTicks("XRP/ETH", domain.Quote{Time: noon, Bid: one, Ask: one, BidSize: one, AskSize: one})
	if err != nil {
		t.Fatal(err)
	}

	if report, err := md.IngestTrades(t.Context(), trades, trades.Range(), ports.ConflictReplace); err != nil || report.Inserted != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if report, err := md.IngestQuotes(t.Context(), quotes, quotes.Range(), ports.ConflictReplace); err != nil || report.Inserted != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	r := domain.TickRequest{Symbol: "XRP/ETH", Start: noon, End: noon.Add(time.Microsecond)}
	if got, err := md.FetchTrades(t.Context(), r); err != nil || !got.Ticks.Equal(trades) || len(got.Uncovered) > 0 {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := md.FetchQuotes(t.Context(), r); err != nil || !got.Ticks.Equal(quotes) || len(got.Uncovered) > 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// Open uses the pool, client and clock of Options, and closing leaves them open.
func TestWhatIsHandedInIsNotClosed(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	pool, err := pgxpool.New(t.Context(), cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	defer pool.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := influxdb2.NewClientWithOptions(cfg.Influx.URL, cfg.Influx.Token.Reveal(),
		influxdb2.DefaultOptions().SetHTTPClient(&http.Client{Transport: transport}))
	defer client.Close()

	cfg.Postgres.DSN, cfg.Influx.URL, cfg.Influx.Token = wiring.Secret{}, "", wiring.Secret{}
	opts := production.Options{PostgresPool: pool, InfluxClient: client, Clock: clock.NewSimulated(noon.Add(time.Hour))}
	for range 2 {
		md, closeAll, err := production.Open(t.Context(), cfg, opts)
		if err != nil {
			t.Fatal(err)
		}

		for _, f := range []domain.Frequency{domain.Minute1, domain.Hour1} {
			s := bars(t, "BTC/USD", f)
			_, err := md.Ingest(t.Context(), s, domain.Range{}, ports.ConflictReplace)
			if late := f == domain.Hour1; late != errors.Is(err, ports.ErrNotClosed) { // not closed at the clock of Options
				t.Errorf("%s: %v", f, err)
			}
		}

		if pool.Stat().TotalConns() == 0 {
			t.Error("the pool was not used")
		}
		closeAll()
	}

	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("the pool was closed: %v", err)
	}
	if up, err := client.Ping(t.Context()); err != nil || !up {
		t.Errorf("the client was closed: %v", err)
	}
}

// nowhere returns an address on which nothing listens.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	defer l.Close()

	return l.Addr().String()
}

const canary = "canary-81d0"

// Open returns errors of the right kind and without secrets, and leaves nothing open, which goleak checks after all
// tests.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*wiring.Config)
		kind  error
		says  string
	}{
		"no relational store": {func(c *wiring.Config) { c.Postgres.DSN = wiring.Secret{} }, ports.ErrInvalid, "MARKETDATA_POSTGRES_DSN"},
		"no DSN": {func(c *wiring.Config) {
			c.Postgres.DSN = wiring.NewSecret("postgres://trader:" + canary + "@db:port/market")
		}, ports.ErrInvalid, "postgres://user@host"},
		"postgres certificates": {func(c *wiring.Config) {
			c.Postgres.DSN = wiring.NewSecret("postgres://trader:" + canary + "@db/market?sslmode=verify-full&sslrootcert=absent.pem")
		}, ports.ErrInvalid, "open absent.pem: no such file"},
		"postgres database": {func(c *wiring.Config) {
			u, err := url.Parse(c.Postgres.DSN.Reveal())
			if err != nil {
				t.Fatal(err)
			}

			u.Path = "/none"
			c.Postgres.DSN = wiring.NewSecret(u.String())
		}, ports.ErrSchema, `create it with CREATE DATABASE "none"`},
		"postgres tables": {func(c *wiring.Config) { c.Postgres.DSN = wiring.NewSecret(servers.Postgres(t)) },
			ports.ErrSchema, ": the tables are missing; run marketdata migrate to create the tables"},
		"influx without credentials": {func(c *wiring.Config) { c.Influx.Token = wiring.Secret{} }, ports.ErrAuth,
			"set MARKETDATA_INFLUX_TOKEN"},
		"postgres down": {func(c *wiring.Config) {
			c.Postgres.DSN = wiring.NewSecret("postgres://trader:" + canary + "@" + nowhere(t) + "/market?sslmode=disable")
		}, ports.ErrUnavailable, "postgres"},
		"postgres password": {func(c *wiring.Config) {
			u, err := url.Parse(c.Postgres.DSN.Reveal())
			if err != nil {
				t.Fatal(err)
			}

			u.User = url.UserPassword(u.User.Username(), canary)
			c.Postgres.DSN = wiring.NewSecret(u.String())
		}, ports.ErrAuth, "postgres"},
		"influx password":  {func(c *wiring.Config) { c.Influx.Token = wiring.NewSecret("admin:" + canary) }, ports.ErrAuth, "influx"},
		"no such database": {func(c *wiring.Config) { c.Influx.Database = "none" }, ports.ErrSchema, "none"},
		"certificates":     {func(c *wiring.Config) { c.Influx.CAFile = filepath.Join(t.TempDir(), "ca.pem") }, ports.ErrInvalid, "ca.pem"},
		"a bad limit":      {func(c *wiring.Config) { c.Postgres.StatementTimeout = -1 }, ports.ErrInvalid, "statement_timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			test.spoil(&cfg)
			var log syncBuffer
			md, closeAll, err := production.Open(t.Context(), cfg, production.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) || md != nil || closeAll != nil {
				t.Fatalf("got %v; want %v that says %q", err, test.kind, test.says)
			}

			t.Log(err)
			printed := fmt.Sprintf("%v %+v %#v %s %+v", err, err, err, &log, cfg)
			for _, secret := range []string{canary, cfg.Postgres.DSN.Reveal(), cfg.Influx.Token.Reveal()} {
				if secret != "" && strings.Contains(printed, secret) {
					t.Errorf("tells the secret: %s", printed)
				}
			}
		})
	}
}

// syncBuffer is a log that is safe for concurrent use.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// waitFor waits until the log contains a text, because messages are logged after the call that they are of.
func (s *syncBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(s.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log lacks %q: %s", text, s)
		}
	}
}

// A slow call is logged with its subject and without secrets. A call that the server stops is a timeout.
func TestSlowQueriesAreLoggedAndStopped(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Postgres.SlowQuery, cfg.Influx.SlowQuery = time.Millisecond, time.Nanosecond
	var log syncBuffer
	md := open(t, cfg, production.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	days := bars(t, "BTC/USD", domain.Day1)
	if _, err := md.Ingest(t.Context(), days, domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if _, err := md.Ingest(t.Context(), bars(t, "ETH/USD", domain.Minute1), domain.Range{}, ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	dsn := cfg.Postgres.DSN.Reveal()
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer pool.Close()
	locked, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := locked.Exec(t.Context(), "LOCK TABLE marketdata.bars IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}

	var freed sync.WaitGroup
	freed.Go(func() { // while the read waits for the lock
		for {
			var waiting int
			const query = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
			if err := pool.QueryRow(t.Context(), query).Scan(&waiting); err != nil || waiting > 0 {
				break
			}
		}

		_, _ = locked.Exec(t.Context(), "SELECT pg_sleep(0.01)")
		_ = locked.Rollback(context.WithoutCancel(t.Context()))
	})
	got, err := md.Fetch(t.Context(), domain.DataRequest{Key: days.Key()})
	freed.Wait()
	if err != nil || !got.Series.Equal(days) {
		t.Errorf("%v, %v", got, err)
	}
	for _, want := range []string{
		`msg="slow query" store=postgres op="read bars" subject="BTC/USD 1d"`,
		`msg="slow query" store=influx op="write bars" subject="ETH/USD 1m"`,
	} {
		log.waitFor(t, want)
	}

	for _, secret := range []string{dsn, cfg.Influx.Token.Reveal()} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log tells a secret:\n%s", &log)
		}
	}

	cfg.Postgres.StatementTimeout = time.Second // long enough for Open
	short := open(t, cfg, production.Options{})
	again, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Exec(t.Context(), "LOCK TABLE marketdata.bars IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}

	if _, err := short.Fetch(t.Context(), domain.DataRequest{Key: days.Key()}); !errors.Is(err, ports.ErrTimeout) {
		t.Errorf("a statement that waits forever: %v", err)
	}
	if err := again.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

// Open creates the tables if the settings say so, and changes nothing when it finds them.
func TestMigrateOnOpen(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Postgres.DSN = wiring.NewSecret(servers.Postgres(t))
	cfg.Postgres.MigrateOnOpen = true
	hour := barAt(t, domain.Hour1, "1")
	ingest(t, open(t, cfg, production.Options{}), hour)
	if got, _ := fetch(t, open(t, cfg, production.Options{}), hour); !got.Equal(hour) {
		t.Errorf("got %s, want %s", got, hour)
	}
}

// dropDatabase drops the database. The cleanup of the fixture drops the one that the test creates in its place.
func dropDatabase(t *testing.T, cfg wiring.Influx) {
	t.Helper()
	runInfluxQL(t, cfg, "DROP DATABASE "+cfg.Database)
}

// runInfluxQL runs a statement as an administrator of InfluxDB 1.8.
func runInfluxQL(t *testing.T, cfg wiring.Influx, statement string) {
	t.Helper()
	form := url.Values{"q": {statement}, "db": {cfg.Database}}.Encode()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, cfg.URL+"/query?"+form, nil)
	if err != nil {
		t.Fatal(err)
	}

	user, password, _ := strings.Cut(cfg.Token.Reveal(), ":")
	request.SetBasicAuth(user, password)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || bytes.Contains(body, []byte("error")) {
		t.Fatalf("%s: %s %s, %v", statement, response.Status, body, err)
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	if cfg.Influx.Org != "" {
		t.Skip("on InfluxDB 2 a bucket and its mapping are created by other means")
	}
	cfg.Postgres.DSN = wiring.NewSecret(servers.Postgres(t))
	dropDatabase(t, cfg.Influx)
	if _, _, err := production.Open(t.Context(), cfg, production.Options{}); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("there is no database yet: %v", err)
	}
	done, err := production.Migrate(t.Context(), cfg, production.Options{})
	if err != nil || len(done) != 2 || done[0].Before != "" || done[0].After == "" || done[1].Before != "" ||
		done[1].After != cfg.Influx.Database {
		t.Fatalf("%+v, %v; want both stores made", done, err)
	}

	again, err := production.Migrate(t.Context(), cfg, production.Options{})
	if err != nil || len(again) != 2 || slices.ContainsFunc(again, func(m production.Migration) bool { return m.Before != m.After }) {
		t.Errorf("%+v, %v; want no change", again, err)
	}
	md := open(t, cfg, production.Options{})
	diagnosis := diagnoseInTime(t, func() (ports.Diagnosis, error) { return md.Diagnose(t.Context()) })
	if len(diagnosis.Stores) != 2 || diagnosis.State() == ports.HealthDown {
		t.Errorf("%+v; want both stores up", diagnosis)
	}
	if _, err := production.Migrate(t.Context(), wiring.Config{}, production.Options{}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("no server: %v", err)
	}
}
