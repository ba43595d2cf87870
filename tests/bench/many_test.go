package bench

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/wiring/backtest"
)

// manyStore is a store for the benchmarks of many series.
type manyStore interface {
	ports.Store
	ports.SymbolCatalog
}

// many writes n bars of each symbol and returns the keys.
func many(b *testing.B, store ports.BarWriter, symbols, n int) []domain.SeriesKey {
	b.Helper()
	keys := make([]domain.SeriesKey, symbols)
	walk := gen.Walk("BTC/USD", n).Columns()
	for i := range keys {
		keys[i] = gen.MinuteKey(domain.Symbol(fmt.Sprintf("COIN%d/USD", i)))
		s := must(domain.NewSeriesFromColumns(keys[i], walk))
		must(ports.WriteBars(b.Context(), store, s, s.Range(), ports.ConflictReplace))
	}

	return keys
}

// 500 bars of each of 500 symbols in one call, beside a Fetch for each; M/s is millions of bars per second.
func benchmarkMany(b *testing.B, store manyStore, local bool) {
	b.Helper()
	const symbols, n = 500, 500
	ctx := b.Context()
	keys := many(b, store, symbols, n)
	now := clock.NewSimulated(gen.Walk("BTC/USD", n).Range().End)
	md := must(app.New([]app.Source{{Name: "store", Bars: store, Catalog: store, Local: local}}, now, nil, app.Config{}))
	report(b, symbols*n,
		way{name: "ours", run: func() { fetchMany(ctx, md, keys, n) }},
		way{name: "single", run: func() { fetchEach(ctx, md, keys, n) }},
	)
}

// fetchMany fetches the last n bars of each key in one call.
func fetchMany(ctx context.Context, md *app.Service, keys []domain.SeriesKey, n int) {
	requests := make([]domain.DataRequest, len(keys))
	for i, k := range keys {
		requests[i] = domain.DataRequest{Key: k, Last: n}
	}
	for _, answer := range md.FetchMany(ctx, requests) {
		check(answer.Err)
		wantBars(answer.Result.Series, n)
	}
}

// fetchEach fetches the same in one call per key.
func fetchEach(ctx context.Context, md *app.Service, keys []domain.SeriesKey, n int) {
	for _, k := range keys {
		wantBars(must(md.Fetch(ctx, domain.DataRequest{Key: k, Last: n})).Series, n)
	}
}

func wantBars(s domain.Series, n int) {
	if s.Len() != n {
		panic(fmt.Sprintf("%d bars of %d", s.Len(), n))
	}
}

func BenchmarkManyMemory500x500(b *testing.B) { benchmarkMany(b, memory.New(), true) }

func BenchmarkManyPostgres500x500(b *testing.B) { benchmarkMany(b, newPostgres(b).store, false) }

// The last 500 bars of each of 500 symbols through a new cache: in one call, beside a Fetch for each, and beside one
// call when all are cached. The cache reads a whole chunk of each, which is more than the request.
func BenchmarkManyPostgresCached500x500(b *testing.B) {
	const symbols, held, n = 500, 2_500, 500
	x, ctx := newPostgres(b), b.Context()
	keys := many(b, x.store, symbols, held)
	must(x.pool.Exec(ctx, "VACUUM ANALYZE marketdata.bars"))
	now := clock.NewSimulated(gen.Walk("BTC/USD", held).Range().End)
	cached := newCached(x.store, now, defaultCacheBytes, nil)
	empty := func() {
		cached.close()
		cached = newCached(x.store, now, defaultCacheBytes, nil)
	}
	report(b, symbols*n,
		way{name: "ours", before: empty, run: func() { fetchMany(ctx, cached.Service, keys, n) }},
		way{name: "single", before: empty, run: func() { fetchEach(ctx, cached.Service, keys, n) }},
		way{name: "warm", run: func() { fetchMany(ctx, cached.Service, keys, n) }},
	)
	cached.close()
}

// batchStore is a store that reads many series in one call.
type batchStore interface {
	ports.Store
	ports.BatchReader
}

// The last n bars of 500 symbols in one batch, beside a read for each, one after the other and four at a time.
func benchmarkBatch(b *testing.B, store batchStore, n int) {
	b.Helper()
	const symbols, atOnce = 500, 4
	ctx := b.Context()
	keys := many(b, store, symbols, 2*n)
	queries := make([]ports.BarQuery, symbols)
	for i, k := range keys {
		queries[i] = ports.BarQuery{Key: k, Range: gen.Walk(k.Symbol, 2*n).Range(), Last: n}
	}
	report(b, symbols*n,
		way{name: "ours", run: func() {
			bars := 0
			for piece, err := range store.ReadBatch(ctx, queries) {
				check(err)
				bars += piece.Bars.Len()
			}
			if bars != symbols*n {
				panic(fmt.Sprintf("%d bars of %d", bars, symbols*n))
			}
		}},
		way{name: "single", run: func() {
			for _, q := range queries {
				readAll(ctx, store, q, n)
			}
		}},
		way{name: "four", run: func() {
			var readers sync.WaitGroup
			for first := range atOnce {
				readers.Go(func() {
					for i := first; i < symbols; i += atOnce {
						readAll(ctx, store, queries[i], n)
					}
				})
			}

			readers.Wait()
		}},
	)
}

func BenchmarkBatchPostgres500x500(b *testing.B) { benchmarkBatch(b, newPostgres(b).store, 500) }

func BenchmarkBatchPostgres500x10(b *testing.B) { benchmarkBatch(b, newPostgres(b).store, 10) }

func BenchmarkBatchInflux500x500(b *testing.B) {
	store, _ := newInflux(b)
	benchmarkBatch(b, store, 500)
}

func BenchmarkBatchInflux500x10(b *testing.B) {
	store, _ := newInflux(b)
	benchmarkBatch(b, store, 10)
}

// The extents of 10,000 series at once; M/s is millions of series a second.
func benchmarkCoverage(b *testing.B, store ports.Store) {
	b.Helper()
	const series = 10_000
	many(b, store, series, 1)
	report(b, series, way{name: "ours", run: func() {
		if got := must(ports.Collect(store.Extents(b.Context(), ports.ExtentQuery{}))); len(got) != series {
			panic(fmt.Sprintf("%d extents of %d", len(got), series))
		}
	}})
}

func BenchmarkCoverageMemory10k(b *testing.B) { benchmarkCoverage(b, memory.New()) }

func BenchmarkCoveragePostgres10k(b *testing.B) { benchmarkCoverage(b, newPostgres(b).store) }

// The newest bar of one series in a store of 10,000, as a backtest over a whole market asks for it.
func BenchmarkLatestMemoryOf10k(b *testing.B) {
	const series = 10_000
	store := memory.New()
	keys := many(b, store, series, 1)
	now := clock.NewSimulated(gen.Walk("BTC/USD", 1).Range().End)
	md := must(backtest.New(store, now, app.Config{}))
	next := 0
	latency(b, func() {
		next++
		if r := must(md.Fetch(b.Context(), domain.DataRequest{Key: keys[next%series], Last: 1})); r.Series.Len() != 1 {
			panic("no bar")
		}
	})
}
