package production_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// eventually polls until an effect of another process or a server is visible.
func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); {
		if time.Now().After(deadline) {
			tb.Fatalf("not so after 30 s: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// barAt returns one bar of the frequency at noon, at a price.
func barAt(tb testing.TB, f domain.Frequency, price string) domain.Series {
	tb.Helper()
	p := domain.MustDecimal(price)
	s, err := domain.NewSeries(domain.SeriesKey{Symbol: "BTC/USD", Grid: f.UTC()},
		domain.Bar{OpenTime: f.UTC().Floor(noon), Open: p, High: p, Low: p, Close: p, Volume: p, Trades: 1})
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func ingest(tb testing.TB, md *app.Service, s domain.Series) {
	tb.Helper()
	if _, err := md.Ingest(tb.Context(), s, domain.Range{}, ports.ConflictReplace); err != nil {
		tb.Fatal(err)
	}
}

// fetch returns the bars of the series, and whether all came from the cache of the process.
func fetch(tb testing.TB, md *app.Service, want domain.Series) (got domain.Series, cached bool) {
	tb.Helper()
	r := want.Range()
	result, err := md.Fetch(tb.Context(), domain.DataRequest{Key: want.Key(), Start: r.Start, End: r.End})
	if err != nil {
		tb.Fatal(err)
	}

	fromStore := func(o domain.Origin) bool { return !o.Cached }

	return result.Series, len(result.Provenance) > 0 && !slices.ContainsFunc(result.Provenance, fromStore)
}

// warm fetches until the bars come from the cache of the process.
func warm(tb testing.TB, md *app.Service, want domain.Series) {
	tb.Helper()
	eventually(tb, "the bars come from the cache", func() bool {
		got, cached := fetch(tb, md, want)
		if !got.Equal(want) {
			tb.Fatalf("got %v; want %v", got, want)
		}

		return cached
	})
}

// waitForPrice waits until the process returns the write of another process, and checks that it stays visible.
func waitForPrice(tb testing.TB, md *app.Service, want domain.Series) {
	tb.Helper()
	eventually(tb, "what another process wrote is seen", func() bool {
		got, _ := fetch(tb, md, want)
		return got.Equal(want)
	})
	warm(tb, md, want)
}

var both = []domain.Frequency{domain.Minute1, domain.Hour1} // one of each store

// Other processes see a write with a shared Redis, with Redis down, and without Redis. Bars come from the cache before
// and after the write.
func TestWritesAreSeenByOtherProcesses(t *testing.T) {
	t.Parallel()
	for name, redis := range map[string]func(*testing.T) string{
		"alone":      func(*testing.T) string { return "" },
		"with redis": func(t *testing.T) string { return servers.Redis(t) },
		"redis down": func(t *testing.T) string { return "redis://" + nowhere(t) + "/0" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Cache.Redis.URL = wiring.NewSecret(redis(t))
			here, there := open(t, cfg, production.Options{}), open(t, cfg, production.Options{})
			for _, f := range both {
				for _, price := range []string{"1", "2", "3"} {
					want := barAt(t, f, price)
					ingest(t, here, want)
					if got, _ := fetch(t, here, want); !got.Equal(want) {
						t.Fatalf("%s: its own process sees %v; want %v", f, got, want)
					}

					waitForPrice(t, there, want)
					warm(t, here, want)
				}

				gone := barAt(t, f, "3")
				if _, err := there.Delete(t.Context(), gone.Key(), gone.Range()); err != nil {
					t.Fatal(err)
				}

				eventually(t, "what another process deleted is gone", func() bool {
					got, _ := fetch(t, here, gone)
					return got.Len() == 0
				})
			}
		})
	}
}

// A process takes from Redis what another process read, and does not read the store.
func TestRedisIsShared(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Cache.Redis = wiring.Redis{URL: wiring.NewSecret(servers.Redis(t)), Timeout: 5 * time.Second} // a busy machine
	here, there := open(t, cfg, production.Options{}), open(t, cfg, production.Options{})
	other := barAt(t, domain.Day1, "1")
	ingest(t, here, other)
	for _, md := range []*app.Service{here, there} { // both are connected
		warm(t, md, other)
	}

	want := barAt(t, domain.Hour1, "7")
	ingest(t, here, want)
	warm(t, here, want)
	if got, cached := fetch(t, there, want); !got.Equal(want) || !cached {
		t.Errorf("got %v, from a cache: %v; want what the other process put into Redis", got, cached)
	}

	elsewhere := config(t) // another database, by the same names
	elsewhere.Cache = cfg.Cache
	stranger := open(t, elsewhere, production.Options{})
	mine := barAt(t, domain.Hour1, "80")
	ingest(t, stranger, mine)
	warm(t, stranger, mine)
	warm(t, there, want)
}

// A process with a disabled cache reads the stores each time, and other processes see its writes.
func TestDisabledCache(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cached := open(t, cfg, production.Options{})
	cfg.Cache.Disabled = true
	bare := open(t, cfg, production.Options{})
	for _, f := range both {
		for _, price := range []string{"1", "2"} {
			want := barAt(t, f, price)
			ingest(t, bare, want)
			waitForPrice(t, cached, want)
			for range 3 {
				if got, cached := fetch(t, bare, want); !got.Equal(want) || cached {
					t.Errorf("%s: %v, from the cache: %v", f, got, cached)
				}
			}
		}
	}
}

// A process that receives no hints sees the writes of others when a lease ends. Bars of a store without versions take
// longer.
func TestListeningIsCut(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Cache.Policy.UnversionedTTL = time.Second
	here, there := open(t, cfg, production.Options{}), open(t, cfg, production.Options{})
	conn, err := pgx.Connect(t.Context(), cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, f := range both {
		before := barAt(t, f, "1")
		ingest(t, here, before)
		for _, md := range []*app.Service{here, there} { // both are connected
			warm(t, md, before)
		}
	}

	// The database refuses connections until both frequencies were checked, so a slow machine cannot fail the test.
	allowConnections(t, cfg, false)
	const cut = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE '%hints'`
	var listeners int
	err = conn.QueryRow(t.Context(), cut).Scan(&listeners)
	if err != nil || listeners != 4 { // two stores in two processes
		t.Fatalf("%d listeners were cut, %v", listeners, err)
	}

	for _, f := range both {
		want := barAt(t, f, "2")
		ingest(t, here, want)
		waitForPrice(t, there, want)
	}

	allowConnections(t, cfg, true) // the processes reconnect within a second
	for _, f := range both {
		ingest(t, here, barAt(t, f, "3"))
		waitForPrice(t, there, barAt(t, f, "3"))
	}
}

// allowConnections sets whether the database of cfg accepts new connections. Existing connections stay open.
func allowConnections(t *testing.T, cfg wiring.Config, allow bool) {
	t.Helper()
	dsn, err := url.Parse(cfg.Postgres.DSN.Reveal())
	if err != nil {
		t.Fatal(err)
	}

	database := strings.TrimPrefix(dsn.Path, "/")
	dsn.Path = "/postgres" // a session cannot close its own database
	conn, err := pgx.Connect(t.Context(), dsn.String())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Close(context.WithoutCancel(t.Context()))
	sql := fmt.Sprintf("ALTER DATABASE %s ALLOW_CONNECTIONS %t", pgx.Identifier{database}.Sanitize(), allow)
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// A program that does not link Redis refuses a configuration with one, before any I/O.
func TestRedisThatIsNotLinked(t *testing.T) {
	t.Parallel()
	cfg := wiring.Config{Postgres: wiring.Postgres{DSN: wiring.NewSecret("postgres://" + nowhere(t) + "/nowhere")}}
	cfg.Cache.Redis.URL = wiring.NewSecret("redis://" + nowhere(t) + "/0")
	for name, ask := range map[string]func() error{
		"open":     func() error { _, _, err := production.Open(t.Context(), cfg, production.Options{}); return err },
		"diagnose": func() error { _, err := production.Diagnose(t.Context(), cfg, production.Options{}); return err },
	} {
		if err := ask(); !errors.Is(err, ports.ErrInvalid) || !strings.Contains(err.Error(), "production.Options.Redis") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := production.Grants(cfg, "reader", "trader"); err != nil {
		t.Errorf("the grants of a role need no cache: %v", err)
	}
}

// Open returns an error for an invalid configuration of Redis, without the password. A Redis that is down is no error.
func TestRedisConfiguration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*wiring.Redis)
		says  string
	}{
		"address": {func(r *wiring.Redis) {
			r.URL = wiring.NewSecret((&url.URL{
				Scheme: "redis", Host: "127.0.0.1:1", Path: "/database", User: url.UserPassword("u", canary),
			}).String())
		}, "url"},
		"certificates": {func(r *wiring.Redis) {
			r.URL, r.CAFile = wiring.NewSecret("rediss://u:"+canary+"@127.0.0.1:1/0"), "absent.pem"
		}, "absent.pem"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			test.spoil(&cfg.Cache.Redis)
			md, closeAll, err := production.Open(t.Context(), cfg, production.Options{Redis: redis.OpenShared})
			if err == nil || md != nil || closeAll != nil ||
				!strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v; want one that says %q", err, test.says)
			}
		})
	}
}
