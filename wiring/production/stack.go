package production

import (
	"context"
	"errors"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/ports"
)

// newSources is who holds what, and what stands before each store, a line a layer, the innermost first. The relational
// store is the first: of a symbol it knows what is known beyond the name.
func newSources(
	ctx context.Context, s settings, opts Options, pg *postgres.Store, ts *influx.Store, caches chunks.Caches, clock ports.Clock,
) ([]app.Source, func(), error) {
	l := newLayers(ctx, s, opts, caches, clock, postgres.NewInvalidations(pg))
	relational := app.Source{Name: postgres.Name, Ticks: pg, Catalog: pg, Health: pg, Pool: pg.PoolStats}
	relational.Aggregate, relational.Explain = pg, pg
	relational.Bars = pg        // bars, and the claims on them, as they lie in the tables
	l.readOnce(&relational, pg) // a bar that closed is read once; others' writes are heard, and ours told
	sources := []app.Source{relational}

	if ts != nil {
		timeSeries := app.Source{Name: influx.Name, Takes: domain.FrequencyRange{Below: s.HighFrequencyBelow}, Catalog: ts, Health: ts}
		timeSeries.Bars = ingest.WithClaims(ts, pg) // InfluxDB has no place for claims: the relational store keeps them
		l.readOnce(&timeSeries, ts)                 // as above; over the claims, on which it depends what is believed
		sources[0].Takes = domain.FrequencyRange{From: s.HighFrequencyBelow}
		sources = append(sources, timeSeries)
	}

	if opts.Stores != nil {
		sources = opts.Stores(sources) // others' stores, as they are
	}
	if l.err != nil {
		l.close()
		return nil, nil, l.err
	}

	l.wait(ctx)
	return sources, l.close, nil
}

// layers is what the layers of all stores have in common.
type layers struct {
	settings settings
	opts     Options
	caches   chunks.Caches
	clock    ports.Clock
	notices  ports.Invalidations

	stores []*chunks.Store
	err    error // why there is no layer

	listen    func(func(context.Context) error) // in the background, until close
	stop      context.CancelFunc
	listening sync.WaitGroup
}

func newLayers(
	ctx context.Context, s settings, opts Options, caches chunks.Caches, clock ports.Clock, notices ports.Invalidations,
) *layers {
	l := &layers{settings: s, opts: opts, caches: caches, clock: clock, notices: notices}
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.listen = func(follow func(context.Context) error) {
		l.listening.Go(func() { _ = follow(ctx) }) // it ends with ctx alone, and logs what happens before
	}

	return l
}

// readOnce puts the cache before the bars of the source, until close. Where it is disabled nothing is read through it,
// but writes are told to the processes that do.
func (l *layers) readOnce(source *app.Source, many ports.BatchReader) {
	cfg := l.settings.Cache.Policy
	cfg.Name, cfg.Logger, cfg.Batch = source.Name, l.opts.Logger, many
	store, err := chunks.New(source.Bars, l.caches, l.notices, l.clock, cfg)
	if err != nil {
		l.err = errors.Join(l.err, err)
		return
	}

	l.stores = append(l.stores, store)
	source.Bars = store
	if !l.settings.Cache.Disabled {
		source.Cache = store
		l.listen(store.Follow)
	}
}

// hearingTime is how long it is waited for what others write to be heard, so that the first requests use the cache too.
const hearingTime = 250 * time.Millisecond

func (l *layers) wait(ctx context.Context) {
	if l.settings.Cache.Disabled {
		return
	}

	ctx, cancel := context.WithTimeout(ctx, hearingTime)
	defer cancel()
	for _, store := range l.stores {
		select {
		case <-store.Tried():
		case <-ctx.Done():
		}
	}
}

// close ends what runs in the background, and waits for it. It closes neither the stores of bars nor the caches.
func (l *layers) close() {
	l.stop()
	l.listening.Wait()
	for _, store := range l.stores {
		store.Close()
	}
}
