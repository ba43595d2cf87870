package production_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/router"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// config names a fresh database on each server. The machine is shared by many tests, so connections are few and slow, and caches
// small.
func config(tb testing.TB) wiring.Config {
	tb.Helper()
	influx := servers.Influx(tb)
	return wiring.Config{
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
}

// caches is what may stand before the stores. With redis, what a law wrote or deleted is no longer there either.
var caches = map[string]func(testing.TB, *wiring.Cache){
	"cached": func(testing.TB, *wiring.Cache) {},
	"with redis": func(tb testing.TB, c *wiring.Cache) {
		tb.Helper()
		c.Redis = wiring.Redis{URL: wiring.NewSecret(servers.Redis(tb)), Timeout: 5 * time.Second} // a busy machine
	},
	"disabled": func(_ testing.TB, c *wiring.Cache) { c.Disabled = true },
}

// routed is the stores as the application sees them: one store of bars, by frequency, and one catalog.
func routed(cache wiring.Cache) contract.Open {
	return func(tb testing.TB) contract.Store {
		tb.Helper()
		cfg := config(tb)
		cfg.Cache.Disabled, cfg.Cache.Redis = cache.Disabled, cache.Redis
		sources, symbols, closeStores, err := production.Stores(tb.Context(), cfg, production.Options{})
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(closeStores)
		for _, s := range sources {
			if (s.Cache == nil) != cache.Disabled {
				tb.Fatalf("%s has a cache: %t", s.Name, s.Cache != nil)
			}
			if s.Cache != nil {
				heard(tb, s)
			}
		}

		joined, err := app.New(sources, clock.NewSystem(), nil, app.Config{})
		if err != nil {
			tb.Fatal(err)
		}

		return contract.Store{Bars: router.Router(sources), Catalog: catalog{joined}, Symbols: symbols, Ticks: sources[0].Ticks,
			UnversionedBars: true, UnversionedTicks: true,
		}
	}
}

// heard waits until the source hears of others' writes, so that its cache is used.
func heard(tb testing.TB, s app.Source) {
	tb.Helper()
	const probe domain.Symbol = "HEARD/PROBE"
	eventually(tb, "the cache of "+string(s.Name)+" is used", func() bool {
		if _, err := s.Bars.Extents(tb.Context(), probe); err != nil {
			tb.Fatal(err)
		}

		_, near := s.Cache.LocalExtents(probe)
		return near
	})
}

// catalog is the application's, which refuses what is no symbol, as a port whose laws have it absent.
type catalog struct{ joined *app.Service }

func (c catalog) Symbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	asked := len(q.Symbols)
	q.Symbols = slices.DeleteFunc(slices.Clone(q.Symbols), func(s domain.Symbol) bool { return s.Validate() != nil })
	if asked > 0 && len(q.Symbols) == 0 {
		return nil, ctx.Err()
	}

	return c.joined.Symbols(ctx, q)
}

// What InfluxDB cannot do does not come of routing to it.
var profile = func() contract.Profile {
	var p contract.Profile
	for _, law := range []string{"write/whole_or_nothing", "write/cancelled_is_whole_or_nothing", "replace/whole_or_nothing"} {
		p.Waivers = append(p.Waivers, contract.Waiver{
			Law: law, Reason: "InfluxDB has no transaction: a write is done series by series and batch by batch, and a retry completes it",
		})
	}

	return p
}()

// The stores keep their laws through the cache in use, alone and with redis behind it, and without it. What no cache stands before is
// tried once.
func TestContract(t *testing.T) {
	t.Parallel()
	for name, configure := range caches {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cache wiring.Cache
			configure(t, &cache)
			contract.BarStore(t, routed(cache), profile)
			if cache.Disabled {
				contract.SymbolCatalog(t, routed(cache), contract.Profile{})
				contract.TickStore(t, routed(cache), contract.Profile{})
			}
		})
	}
}
