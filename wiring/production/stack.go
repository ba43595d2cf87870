package production

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/adapters/resilience"
	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// backends are the open stores and caches.
type backends struct {
	postgres *postgres.Store
	influx   *influx.Store // nil where none is configured
	caches   seriescache.Caches
	clock    ports.Clock
}

// newSources returns the stores of the application with their layers, the innermost layer first. The relational store
// is the first, because its catalog has the metadata of the symbols. The returned function stops the layers; it closes
// neither the stores nor the caches.
func newSources(ctx context.Context, s settings, opts Options, b backends) ([]app.Source, func(), error) {
	pg, ts := b.postgres, b.influx
	versioned, err := pg.KeepsVersions(ctx)
	if err != nil {
		return nil, nil, err
	}

	l := newLayers(ctx, s, opts, b)
	policy := l.postgres
	var states ports.StateReader // nil where the tables are views, which keep no versions
	if versioned {
		states = policy.States(pg)
	}

	relational := app.Source{
		Name: postgres.Name, Bars: policy.Bars(pg), Ticks: policy.Ticks(pg), Catalog: policy.Catalog(pg),
		Aggregate: policy.Aggregator(pg), Explain: policy.Explainer(pg), Health: policy.Health(pg), Pool: pg.PoolStats,
	}

	// The cache also sends and receives hints of writes.
	l.addCache(&relational, seriescache.Dependencies{States: states}, policy.Batch(pg))
	sources := []app.Source{relational}

	if ts != nil {
		timeSeries := app.Source{Name: influx.Name, Catalog: l.influx.Catalog(ts), Health: l.influx.Health(ts)}
		timeSeries.Takes = domain.FrequencyRange{Below: s.HighFrequencyBelow}
		l.addTimeSeries(ctx, &timeSeries, b, versioned)
		sources[0].Takes = domain.FrequencyRange{From: s.HighFrequencyBelow}
		sources = append(sources, timeSeries)
	}

	if opts.Stores != nil {
		sources = opts.Stores(sources) // added stores get no layers
	}
	if b.caches.Shared != nil {
		sources = append(sources, cacheSource(b.caches.Shared))
	}

	if l.err != nil {
		l.close()
		return nil, nil, l.err
	}

	return sources, l.close, nil
}

// layers builds the policies and the caches in front of the stores and owns their background goroutines. It is for one
// goroutine.
type layers struct {
	settings settings
	opts     Options
	caches   seriescache.Caches
	clock    ports.Clock
	hints    blockcache.Hints

	postgres, influx *resilience.Policy // of the calls of each server

	stores []*seriescache.Store
	err    error // the errors of addCache, joined

	start   func(run func(context.Context) error) // starts run in the background; close ends it
	stop    context.CancelFunc
	running sync.WaitGroup
}

func newLayers(ctx context.Context, s settings, opts Options, b backends) *layers {
	l := &layers{
		settings: s, opts: opts, caches: b.caches, clock: b.clock, hints: postgres.NewHints(b.postgres),
	}
	limits := resilience.NewLimits(s.MaxInFlightBytes, int64(*s.Service.MaxBars))
	l.postgres, l.influx = resilience.New(postgres.Name, limits), resilience.New(influx.Name, limits)
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.start = func(run func(context.Context) error) {
		l.running.Go(func() { _ = run(ctx) }) // its only error is that of ctx; it logs all others
	}

	return l
}

// addTimeSeries checks InfluxDB and sets its bars. PostgreSQL keeps their state, because InfluxDB has no transactions.
// Views in its place keep none, and bars that others write have none. If PostgreSQL describes the bars of another
// InfluxDB, the error is that of CheckIdentity.
func (l *layers) addTimeSeries(ctx context.Context, source *app.Source, b backends, versioned bool) {
	if l.settings.Influx.Existing.Frequency != 0 {
		l.err = errors.Join(l.err, checkInflux(ctx, l.settings, l.opts, b.influx.Check))
		source.Bars = l.influx.Bars(b.influx)
		l.addCache(source, seriescache.Dependencies{}, l.influx.Batch(b.influx))
		return
	}

	bars := ingest.WithLedger(influx.Name, processName(), l.influx.LedgeredBars(b.influx), l.postgres.Ledger(b.postgres))
	l.err = errors.Join(l.err, checkInflux(ctx, l.settings, l.opts, bars.CheckIdentity))
	var d seriescache.Dependencies
	if versioned {
		d.States, d.Foreign = bars, true
	}
	source.Bars, source.Unfinished, source.Health = bars, bars, l.influx.Health(ledgeredHealth{b.influx, bars})
	l.addCache(source, d, bars)
}

// ledgeredHealth checks the time-series store, and that it is the one whose bars PostgreSQL describes.
type ledgeredHealth struct {
	*influx.Store
	bars *ingest.LedgeredStore
}

var (
	_ ports.RetentionReporter = ledgeredHealth{}
	_ ports.DetailReporter    = ledgeredHealth{}
	_ ports.ProblemReporter   = ledgeredHealth{}
)

// Check implements ports.HealthChecker.
func (h ledgeredHealth) Check(ctx context.Context) error {
	if err := h.Store.Check(ctx); err != nil {
		return err
	}

	return h.bars.CheckIdentity(ctx)
}

// cacheSource returns the shared cache as a store that is diagnosed and nothing else.
func cacheSource(c blockcache.SharedCache) app.Source {
	source := app.Source{Name: redisconfig.Name, Optional: true}
	source.Health, _ = c.(ports.HealthChecker)

	return source
}

// processName names this process to people.
func processName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown host"
	}

	return fmt.Sprintf("process %d on %s", os.Getpid(), host)
}

// addCache wraps the bars of the source in the cache. If the cache is disabled, writes still send hints, because other
// processes may have their cache enabled. d says how the store keeps versions.
func (l *layers) addCache(source *app.Source, d seriescache.Dependencies, batch ports.BatchReader) {
	cfg := l.settings.Cache.Policy
	cfg.Name, cfg.Logger, cfg.Batch = source.Name, l.opts.Logger, batch
	d.Store, d.Hints, d.Clock = source.Bars, l.hints, l.clock
	if !l.settings.Cache.Disabled {
		d.Caches = l.caches
	}
	store, err := seriescache.New(d, cfg)
	if err != nil {
		l.err = errors.Join(l.err, err)
		return
	}

	l.stores = append(l.stores, store)
	source.Bars = store
	if !l.settings.Cache.Disabled {
		source.Cache = store
		l.start(store.Watch)
	}
}

// close stops the background goroutines and waits for them. It closes neither the stores of bars nor the caches.
func (l *layers) close() {
	l.stop()
	l.running.Wait()
	var closing sync.WaitGroup // beside each other, because each may wait for a server that does not respond
	for _, store := range l.stores {
		closing.Go(store.Close)
	}
	closing.Wait()
}
