package production_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// withRedis returns a configuration with a new database on each server, and a shared Redis.
func withRedis(t *testing.T) wiring.Config {
	t.Helper()
	cfg := config(t)
	cfg.Cache.Redis = wiring.Redis{URL: wiring.NewSecret(servers.Redis(t)), Timeout: 5 * time.Second}

	return cfg
}

// diagnoseInTime diagnoses again while a check has no time, because a check has half a second, and this machine may be
// busy with other tests.
func diagnoseInTime(t *testing.T, diagnose func() (ports.Diagnosis, error)) (d ports.Diagnosis) {
	t.Helper()
	for range 30 {
		var err error
		if d, err = diagnose(); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(d.Stores, isTimeout) {
			break
		}
	}

	return d
}

func diagnose(t *testing.T, cfg wiring.Config) map[domain.StoreName]ports.StoreDiagnosis {
	t.Helper()
	d := diagnoseInTime(t, func() (ports.Diagnosis, error) {
		return production.Diagnose(t.Context(), cfg, production.Options{Redis: redis.OpenShared})
	})
	stores := map[domain.StoreName]ports.StoreDiagnosis{}
	for i, s := range d.Stores {
		if want := []domain.StoreName{"postgres", "influx", "redis"}[i]; s.Store != want {
			t.Errorf("row %d is %s, want %s", i, s.Store, want)
		}
		if (s.State == ports.HealthOK) != (len(s.Problems) == 0) {
			t.Errorf("%s is %s with the problems %v", s.Store, s.State, s.Problems)
		}
		stores[s.Store] = s
	}

	return stores
}

func isTimeout(d ports.StoreDiagnosis) bool {
	return slices.ContainsFunc(d.Problems, func(p ports.Problem) bool { return errors.Is(p.Err, ports.ErrTimeout) })
}

// Each store has a row with its details, whatever is wrong with the others.
func TestDiagnoseTellsDetails(t *testing.T) {
	t.Parallel()
	cfg := withRedis(t)
	u, err := url.Parse(cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	stores := diagnose(t, cfg)
	if len(stores) != 3 {
		t.Fatalf("got %v", stores)
	}
	pg := stores["postgres"].Details
	if pg.Address != u.Host || pg.User != u.User.Username() || "/"+pg.Database != u.Path || pg.Version == "" || pg.Schema == "" {
		t.Errorf("got %+v", pg)
	}
	ts := stores["influx"].Details
	if ts.Address != cfg.Influx.URL || ts.Database != cfg.Influx.Database || ts.Version == "" {
		t.Errorf("got %+v", ts)
	}
	cache := stores["redis"].Details
	if cache.Address == "" || cache.Database == "" || cache.Version == "" {
		t.Errorf("got %+v", cache)
	}
}

// What is wrong with one store is told whole, with its kind, and hides no other. No text has a secret.
func TestDiagnoseTellsEachProblem(t *testing.T) {
	t.Parallel()
	down := func(c *wiring.Config) {
		c.Postgres.DSN = wiring.NewSecret("postgres://trader:" + canary + "@" + nowhere(t) + "/market?sslmode=disable")
	}
	for name, test := range map[string]struct {
		spoil func(*wiring.Config)
		store domain.StoreName
		state ports.Health
		kind  error
		says  string
	}{
		"postgres down":   {down, "postgres", ports.HealthDown, ports.ErrUnavailable, "connect"},
		"postgres schema": {func(c *wiring.Config) { c.Postgres.DSN = wiring.NewSecret(servers.Postgres(t)) }, "postgres", ports.HealthDown, ports.ErrSchema, "the tables are missing"},
		"influx down": {func(c *wiring.Config) { c.Influx.URL = "http://" + nowhere(t) }, "influx", ports.HealthDown,
			ports.ErrUnavailable, "connect"},
		"influx password": {func(c *wiring.Config) { c.Influx.Token = wiring.NewSecret("admin:" + canary) }, "influx", ports.HealthDown,
			ports.ErrAuth, "401"},
		"influx database": {func(c *wiring.Config) { c.Influx.Database = "none" }, "influx", ports.HealthDown, ports.ErrSchema, "none"},
		"redis down": {func(c *wiring.Config) {
			c.Cache.Redis.URL = wiring.NewSecret("redis://u:" + canary + "@" + nowhere(t) + "/3")
		},
			"redis", ports.HealthDegraded, ports.ErrUnavailable, "connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := withRedis(t)
			test.spoil(&cfg)
			stores := diagnose(t, cfg)
			s := stores[test.store]
			if s.State != test.state || len(s.Problems) != 1 || !errors.Is(s.Problems[0].Err, test.kind) ||
				!strings.Contains(s.Problems[0].Detail, test.says) {
				t.Fatalf("got %+v", s)
			}
			if s.Details.Address == "" || s.Details.Database == "" {
				t.Errorf("got the details %+v", s.Details)
			}
			if text := s.Reason + s.Problems[0].Detail + s.Problems[0].Remedy; strings.Contains(text, canary) {
				t.Errorf("tells the secret: %s", text)
			}
			for other, d := range stores {
				if other != test.store && d.State == ports.HealthDown {
					t.Errorf("%s: %+v", other, d)
				}
			}
		})
	}
}

// Several stores that are down have a row each.
func TestDiagnoseTellsAllProblems(t *testing.T) {
	t.Parallel()
	cfg := wiring.Config{}
	cfg.Postgres.DSN = wiring.NewSecret("postgres://trader@" + nowhere(t) + "/market?sslmode=disable")
	cfg.Influx.URL, cfg.Cache.Redis.URL = "http://"+nowhere(t), wiring.NewSecret("redis://"+nowhere(t))
	stores := diagnose(t, cfg)
	if pg := stores["postgres"]; pg.State != ports.HealthDown || pg.Details.User != "trader" || pg.Details.Database != "market" {
		t.Errorf("got %+v", pg)
	}
	if ts, cache := stores["influx"], stores["redis"]; ts.State != ports.HealthDown || cache.State != ports.HealthDegraded {
		t.Errorf("got %+v, %+v", ts, cache)
	}

	cfg.Influx.CAFile = "absent.pem"
	if _, err := production.Diagnose(t.Context(), cfg, production.Options{Redis: redis.OpenShared}); !errors.Is(err, ports.ErrInvalid) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cfg.Influx.CAFile = ""
	if _, err := production.Diagnose(ctx, cfg, production.Options{Redis: redis.OpenShared}); !errors.Is(err, ports.ErrCanceled) {
		t.Errorf("got %v", err)
	}
}

// gate passes requests to a server, unless it is closed.
type gate struct {
	http.Transport
	isClosed atomic.Bool
}

func (g *gate) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.isClosed.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}

	return g.Transport.RoundTrip(r)
}

// newGate returns a closed gate, and a client of the server that goes through it.
func newGate(t *testing.T, cfg wiring.Influx) (*gate, influxdb2.Client) {
	t.Helper()
	g := &gate{}
	g.isClosed.Store(true)
	client := influxdb2.NewClientWithOptions(cfg.URL, cfg.Token.Reveal(),
		influxdb2.DefaultOptions().SetHTTPClient(&http.Client{Transport: g}))
	t.Cleanup(func() { client.Close(); g.CloseIdleConnections() })

	return g, client
}

// With InfluxDB down, a program starts and serves hours; minutes are unavailable, neither missing nor empty. As soon as
// InfluxDB responds it is used, if PostgreSQL describes its bars.
func TestOpenWithoutInflux(t *testing.T) {
	t.Parallel()
	cfg, minute := newDeployment(t)
	hour := barAt(t, domain.Hour1, "1")
	ingest(t, open(t, cfg, production.Options{}), hour)
	g, client := newGate(t, cfg.Influx)
	if _, _, err := production.Open(t.Context(), cfg, production.Options{InfluxClient: client, RequireInflux: true}); !errors.Is(err, ports.ErrUnavailable) {
		t.Errorf("RequireInflux: got %v", err)
	}

	var log syncBuffer
	md := open(t, cfg, production.Options{InfluxClient: client, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	log.waitFor(t, "influx does not respond")
	if got, _ := fetch(t, md, hour); !got.Equal(hour) {
		t.Errorf("got %s", got)
	}
	r := minute.Range()
	request := domain.DataRequest{Key: minute.Key(), Start: r.Start, End: r.End}
	unavailable := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ports.ErrUnavailable) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	_, err := md.Fetch(t.Context(), request)
	unavailable("fetch", err)
	later := domain.DataRequest{Key: hour.Key(), Start: r.Start.AddDate(0, 0, -1), End: r.Start}
	_, err = md.Fetch(t.Context(), later) // hours that only minutes could make
	unavailable("fetch what PostgreSQL does not cover", err)
	_, err = ports.Collect(md.Coverage(t.Context()))
	unavailable("coverage", err)
	_, err = md.Ingest(t.Context(), minute, domain.Range{}, ports.ConflictReplace)
	unavailable("ingest", err)
	diagnoseStores := func() (ports.Diagnosis, error) { return md.Diagnose(t.Context()) }
	if d := diagnoseInTime(t, diagnoseStores); d.Stores[1].State != ports.HealthDown || d.Stores[0].State == ports.HealthDown ||
		!errors.Is(d.Stores[1].Problems[0].Err, ports.ErrUnavailable) {
		t.Errorf("got %+v", d)
	}

	g.isClosed.Store(false)
	if got, _ := fetch(t, md, minute); !got.Equal(minute) {
		t.Errorf("got %s", got)
	}
	if d := diagnoseInTime(t, diagnoseStores); d.Stores[1].State == ports.HealthDown {
		t.Errorf("got %+v", d)
	}
}

// An InfluxDB that was down when the program started, and is not the one that PostgreSQL describes, is never read nor
// written.
func TestAnotherInfluxAppears(t *testing.T) {
	t.Parallel()
	cfg, minute := newDeployment(t)
	other, _ := newDeployment(t)
	g, client := newGate(t, other.Influx)
	cfg.Influx = other.Influx
	md := open(t, cfg, production.Options{InfluxClient: client})
	g.isClosed.Store(false)
	for range 2 {
		r := minute.Range()
		_, err := md.Fetch(t.Context(), domain.DataRequest{Key: minute.Key(), Start: r.Start, End: r.End})
		_, coverageErr := ports.Collect(md.Coverage(t.Context()))
		_, writeErr := md.Ingest(t.Context(), minute, domain.Range{}, ports.ConflictReplace)
		for _, err := range []error{err, coverageErr, writeErr} {
			if !errors.Is(err, ports.ErrSchema) || !strings.Contains(err.Error(), "configure that one") {
				t.Errorf("got %v", err)
			}
		}
	}
}

// An InfluxDB that is not the one PostgreSQL describes is down, as for every other command.
func TestDiagnoseComparesIdentities(t *testing.T) {
	t.Parallel()
	cfg, _ := newDeployment(t)
	cfg.Influx = config(t).Influx
	if s := diagnose(t, cfg)["influx"]; s.State != ports.HealthDown || !errors.Is(s.Problems[0].Err, ports.ErrSchema) ||
		!strings.Contains(s.Problems[0].Detail, "no identity") {
		t.Errorf("got %+v", s)
	}
}
