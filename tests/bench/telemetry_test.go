package bench

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/adapters/telemetry"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// The cost of the telemetry of a cached result, beside the same without telemetry.
func BenchmarkCacheTelemetry(b *testing.B) {
	const n, times, turns = 4_000, 100, 1_000
	ctx, store, now := b.Context(), memory.New(), clock.NewSystem()
	bars := gen.Walk("BTC/USD", 3*blockBars)
	must(ports.WriteBars(ctx, store, bars, bars.Range(), ports.ConflictReplace))
	plain := newCached(store, now, defaultCacheBytes, nil)
	b.Cleanup(plain.close)
	source := app.Source{Name: cachedName, Bars: plain.cache, Catalog: store, Cache: plain.cache}
	measured := must(app.New([]app.Source{source}, now, nil, app.Config{Telemetry: telemetry.New()}))

	window := bars.Slice(firstBlock(), firstBlock()+n).Range()
	r := domain.DataRequest{Key: bars.Key(), Start: window.Start, End: window.End}
	fetches := func(p ports.HistoricalDataProvider) time.Duration {
		start := time.Now()
		for range times {
			fetch(ctx, p, r)
		}

		return time.Since(start)
	}
	var without, more []time.Duration // of turns that follow each other, because the difference is less than the noise
	for range turns {
		one := fetches(plain)
		without, more = append(without, one), append(more, fetches(measured)-one)
	}
	allocations := func(p ports.HistoricalDataProvider) float64 {
		return testing.AllocsPerRun(100, func() { fetch(ctx, p, r) })
	}

	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(percentile(without, 0.5).Nanoseconds())/times, "plain-ns")
	b.ReportMetric(float64(percentile(more, 0.5).Nanoseconds())/times, "more-ns")
	asked(b, "more-ns", 150)
	b.ReportMetric(allocations(measured)-allocations(plain), "more-allocs")
	asked(b, "more-allocs", 0)
}
