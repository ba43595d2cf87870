package production_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/onestate"
	"github.com/gal-friday/marketdata/tests/router"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// openSources opens a process, and returns its stores and the application over them.
func openSources(t *testing.T, cfg wiring.Config, c ports.Clock) ([]app.Source, *app.Service) {
	t.Helper()
	sources, _, closeStores, err := production.Stores(t.Context(), cfg, production.Options{Clock: c, Redis: redis.OpenShared})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStores)
	md, err := app.New(sources, c, nil, app.Config{})
	if err != nil {
		t.Fatal(err)
	}

	return sources, md
}

// tickStore returns the store of trades and quotes.
func tickStore(t *testing.T, sources []app.Source) ports.TickStore {
	t.Helper()
	i := slices.IndexFunc(sources, func(s app.Source) bool { return s.Ticks != nil })
	if i < 0 {
		t.Fatal("no store of trades and quotes")
	}

	return sources[i].Ticks
}

// hammerReaders opens a process that writes and reads, and another one that reads, on the same servers. It returns the
// stores of the first, and both as readers, each of which reads so many answers in each way; in the long form, 500.
func hammerReaders(
	t *testing.T, configure func(testing.TB, *wiring.Cache), answers int,
) ([]app.Source, []onestate.Reader) {
	t.Helper()
	if effort.IsDeep() {
		answers = 500
	}
	cfg := config(t)
	configure(t, &cfg.Cache)
	cfg.Cache.Policy.Lease = 20 * time.Millisecond
	cfg.Postgres.MaxConns = 8
	c := clock.NewSimulated(hammerDay.AddDate(0, 0, 2))
	sources, here := openSources(t, cfg, c)
	_, there := openSources(t, cfg, c)

	return sources, []onestate.Reader{{Service: here, Writes: true, Answers: answers}, {Service: there, Answers: answers}}
}

var hammerDay = noon.Truncate(24 * time.Hour)

// TestEveryAnswerIsOneState has a process that writes and reads, and another one that reads. Every answer is one state
// of the series, of PostgreSQL (hours) and of InfluxDB (minutes): with a cache, with Redis behind it, and without a
// cache.
func TestEveryAnswerIsOneState(t *testing.T) {
	t.Parallel()
	for name, configure := range caches {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sources, readers := hammerReaders(t, configure, 20)
			for _, s := range []*onestate.Series{
				{Key: domain.SeriesKey{Symbol: "HOURS/USD", Grid: domain.Hour1.UTC()}, Coarse: domain.Day1.UTC(), Bars: 24},
				{Key: domain.SeriesKey{Symbol: "MINUTES/USD", Grid: domain.Minute1.UTC()}, Coarse: domain.Hour1.UTC(), Bars: 60},
			} {
				s.Start = hammerDay
				s.Hammer(t, router.Router(sources), readers...)
			}
		})
	}
}

// TestEveryAnswerOfTradesIsOneState is TestEveryAnswerIsOneState for trades, which no cache keeps.
func TestEveryAnswerOfTradesIsOneState(t *testing.T) {
	t.Parallel()
	sources, readers := hammerReaders(t, caches["cached"], 8) // each of thousands of trades

	// More trades than a page of a stream has, over several days, each of which is a block.
	trades := onestate.Series{
		Key:   domain.SeriesKey{Symbol: "TRADES/USD", Grid: domain.Minute1.UTC()},
		Start: hammerDay.AddDate(0, 0, -2), Bars: 5_400,
	}
	trades.HammerTrades(t, tickStore(t, sources), readers...)
}
