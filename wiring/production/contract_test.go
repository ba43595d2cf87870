package production_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/router"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// config returns a configuration with a new database on each server. It has few connections, long timeouts and small
// caches, because many tests share the machine.
func config(tb testing.TB) wiring.Config {
	tb.Helper()
	cfg, _ := configWith(tb)
	return cfg
}

// configWith also returns the server of InfluxDB.
func configWith(tb testing.TB) (wiring.Config, servers.InfluxServer) {
	tb.Helper()
	influx := servers.Influx(tb)
	cfg := wiring.Config{
		Cache: wiring.Cache{Bytes: 4 << 20},
		Postgres: wiring.Postgres{
			DSN: wiring.NewSecret(migrated.Postgres(tb)), MinConns: 1, MaxConns: 8,
			AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
		},
		Influx: wiring.Influx{
			URL: influx.URL, Token: wiring.NewSecret(influx.Token), Org: influx.Org, Bucket: influx.Bucket,
			Database: influx.Database,
		},
	}

	return cfg, influx
}

// caches returns the cache configurations to test. With Redis, bars that a law wrote or deleted may also be stale
// there.
var caches = map[string]func(testing.TB, *wiring.Cache){
	"cached": func(testing.TB, *wiring.Cache) {},
	"with redis": func(tb testing.TB, c *wiring.Cache) {
		tb.Helper()
		c.Redis = wiring.Redis{URL: wiring.NewSecret(servers.Redis(tb)), Timeout: 5 * time.Second} // a busy machine
	},
	"disabled": func(_ testing.TB, c *wiring.Cache) { c.Disabled = true },
}

// newRoutedStore returns the stores as the application uses them: one store of bars, routed by frequency, and one
// catalog.
func newRoutedStore(cache wiring.Cache) contract.Open {
	return func(tb testing.TB) contract.Store {
		tb.Helper()
		cfg := config(tb)
		cfg.Cache.Disabled, cfg.Cache.Redis = cache.Disabled, cache.Redis
		sources, symbols, closeStores, err := production.Stores(tb.Context(), cfg, production.Options{Redis: redis.OpenShared})
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(closeStores)
		for _, s := range sources {
			if s.Bars != nil && (s.Cache == nil) != cache.Disabled { // Redis is a source without bars
				tb.Fatalf("%s has a cache: %t", s.Name, s.Cache != nil)
			}
		}

		joined, err := app.New(sources, clock.NewSystem(), nil, app.Config{})
		if err != nil {
			tb.Fatal(err)
		}

		return contract.Store{
			Bars: router.Router(sources), Catalog: catalog{joined}, Symbols: symbols, Ticks: sources[0].Ticks,
		}
	}
}

// catalog adapts the application's catalog to the port: the application rejects an invalid symbol, and the laws of the
// port want it to be absent.
type catalog struct{ joined *app.Service }

func (c catalog) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		requested := len(q.Symbols)
		q.Symbols = slices.DeleteFunc(slices.Clone(q.Symbols), func(s domain.Symbol) bool { return s.Validate() != nil })
		if requested > 0 && len(q.Symbols) == 0 {
			return nil, ctx.Err()
		}

		return ports.Collect(c.joined.Symbols(ctx, q))
	})
}

// profile waives the law that writes to InfluxDB do not keep. Routing does not change that.
var profile = contract.Profile{Waivers: []contract.Waiver{{
	Law:    "state/blocks_have_their_versions",
	Reason: "a write to InfluxDB uncovers all from the first to the last instant that it changes, and the blocks there get its version",
}}}

// TestContract proves that the stores keep the laws with Redis behind the cache. The long form does so with the cache
// alone and without it, too: the packages of the cache and of the stores test those by themselves.
func TestContract(t *testing.T) {
	t.Parallel()
	const shared = "with redis"
	tested := caches
	if !effort.IsDeep() {
		tested = map[string]func(testing.TB, *wiring.Cache){shared: caches[shared]}
	}
	for name, configure := range tested {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cache wiring.Cache
			configure(t, &cache)
			contract.BarStore(t, newRoutedStore(cache), profile)
			if cache.Disabled {
				contract.SymbolCatalog(t, newRoutedStore(cache), contract.Profile{})
				contract.TickStore(t, newRoutedStore(cache), contract.Profile{})
			}
		})
	}
}
