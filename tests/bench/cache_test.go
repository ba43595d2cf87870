package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
)

// cachedStore is a store with a cache in front of it, and the application over both.
type cachedStore struct {
	*app.Service
	cache *seriescache.Store
	local blockcache.Cache
	close func()
}

const cachedName = "store"

// defaultCacheBytes is the default of the configuration.
const defaultCacheBytes = 256 << 20

// newCached returns the store with a new local cache of the given bytes and a shared one, unless it is nil. The store
// must keep versions.
func newCached(store manyStore, now ports.Clock, bytes int64, shared blockcache.SharedCache) cachedStore {
	local := must(ristretto.NewBlocks(bytes))
	symbols := must(ristretto.NewSymbols(million))
	cfg := seriescache.Config{Name: cachedName}
	cfg.Batch, _ = store.(ports.BatchReader) // not every store has one
	cached := must(seriescache.New(seriescache.Dependencies{
		Store: store, States: store.(ports.StateReader), Clock: now,
		Caches: seriescache.Caches{Local: local, Shared: shared},
	}, cfg))
	source := app.Source{Name: cachedName, Bars: cached, Catalog: store, Cache: cached}

	return cachedStore{must(app.New([]app.Source{source}, now, symbols, app.Config{})), cached, local, func() {
		cached.Close()
		local.Close()
		symbols.Close()
	}}
}

// cacheBench is n bars in PostgreSQL, read through a cache.
type cacheBench struct {
	cachedStore
	counted *countedStore
	bars    domain.Series
}

func newCacheBench(b *testing.B, n int) cacheBench {
	b.Helper()
	x := newPostgres(b)
	bars := gen.Walk("BTC/USD", n)
	must(ports.WriteBars(b.Context(), x.store, bars, bars.Range(), ports.ConflictReplace))
	must(x.pool.Exec(b.Context(), "VACUUM ANALYZE marketdata.bars"))
	counted := &countedStore{next: x.store}
	cached := newCached(counted, clock.NewSystem(), defaultCacheBytes, nil)
	b.Cleanup(cached.close)

	return cacheBench{cached, counted, bars}
}

// blockBars is the number of bars in a full block.
const blockBars = domain.MaxBlockBars

// firstBlock is the number of the first bar of a Walk that begins a block.
func firstBlock() int { return int(blockBars - gen.WalkStart.Unix()/60%blockBars) }

// request returns a request for n bars, from bar i on.
func (x cacheBench) request(i, n int) domain.DataRequest {
	r := x.bars.Slice(i, i+n).Range()
	return domain.DataRequest{Key: x.bars.Key(), Start: r.Start, End: r.End}
}

// fetch fetches the request and requires a bar in each slot.
func fetch(ctx context.Context, p ports.HistoricalDataProvider, r domain.DataRequest) domain.Series {
	bars := must(p.Fetch(ctx, r)).Series
	if want := int(r.End.Sub(r.Start) / time.Minute); bars.Len() != want {
		panic(fmt.Sprintf("%d bars of %d", bars.Len(), want))
	}

	return bars
}

// countedStore counts the reads of bars and the bars that it returns.
type countedStore struct {
	next        manyStore
	reads, bars atomic.Int64
}

func (s *countedStore) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		s.reads.Add(1)
		for piece, err := range s.next.ReadBars(ctx, q) {
			s.bars.Add(int64(piece.Rows.Len()))
			if !yield(piece, err) {
				return
			}
		}
	}
}

func (s *countedStore) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	return s.next.WriteBatch(ctx, writes)
}

func (s *countedStore) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	return s.next.DeleteBars(ctx, key, r)
}

func (s *countedStore) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return s.next.ReplaceBars(ctx, bars, r)
}

func (s *countedStore) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	return s.next.(ports.StateReader).ReadStates(ctx, queries)
}

func (s *countedStore) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		return ports.Collect(s.next.Extents(ctx, q))
	})
}

func (s *countedStore) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		return ports.Collect(s.next.Symbols(ctx, q))
	})
}

// A cached result from one block: the memory of the block, without a copy.
func BenchmarkCacheOneBlock4000(b *testing.B) {
	const n = 4_000
	x, ctx, first := newCacheBench(b, 3*blockBars), b.Context(), firstBlock()
	r := x.request(first, n)
	fetch(ctx, x, r)
	index := domain.BarBlocks(r.Key.Grid).Index(domain.MicrosFloor(x.bars.OpenTime(first)))
	block, ok := x.local.Get(blockcache.Key{Store: cachedName, Series: r.Key, Index: index})
	if got := fetch(ctx, x, r); !ok || &got.Columns().OpenMicros[0] != &block.Bars.Columns().OpenMicros[0] {
		b.Error("the answer is not the memory of the block")
	}
	latency(b, func() { fetch(ctx, x, r) })
	asked(b, "us", 5)
	asked(b, "allocs", 10)
}

// A cached result from several blocks, copied once, beside a read of the same bars from PostgreSQL.
func BenchmarkCacheSeveralBlocks10k(b *testing.B) {
	const n = 10_000
	x, ctx := newCacheBench(b, 5*blockBars), b.Context()
	r := x.request(firstBlock()+100, n)
	fetch(ctx, x, r)
	latency(b, func() { fetch(ctx, x, r) })
	asked(b, "allocs", 20)
	b.ReportMetric(allocated(func() { fetch(ctx, x, r) })/n, "B/bar")
	asked(b, "B/bar", 60) // seven words, and what the allocator rounds up
	const times = 50      // too short for one to be measured
	medians := compare(b,
		way{name: "cached", run: func() {
			for range times {
				fetch(ctx, x, r)
			}
		}},
		way{name: "postgres", run: func() {
			readAll(ctx, x.counted.next, ports.BarQuery{Key: r.Key, Range: domain.Range{Start: r.Start, End: r.End}}, n)
		}},
	)
	b.ReportMetric(100*medians[0].Seconds()/times/medians[1].Seconds(), "%of-postgres")
	asked(b, "%of-postgres", 3)
}

// allocated returns the bytes that a call allocates.
func allocated(call func()) float64 {
	const calls = 100
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		call()
	}
	runtime.ReadMemStats(&after)

	return float64(after.TotalAlloc-before.TotalAlloc) / calls
}

// A streamed result from the cache, whose pieces are the memory of the blocks, beside the same from PostgreSQL.
func BenchmarkCacheLeg(b *testing.B) {
	const most = 500_000
	x, ctx := newCacheBench(b, most), b.Context()
	readAll(ctx, x.cache, ports.BarQuery{Key: x.bars.Key(), Range: x.bars.Range()}, most)
	for _, n := range []int{200, 10_000, most} {
		q := ports.BarQuery{Key: x.bars.Key(), Range: x.bars.Slice(most-n, most).Range()}
		times := max(1, 10_000/n) // too short for one to be measured
		read := func(store ports.BarReader) func() {
			return func() {
				for range times {
					readAll(ctx, store, q, n)
				}
			}
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			report(b, n*times, way{name: "cached", run: read(x.cache)}, way{name: "postgres", run: read(x.counted.next)})
		})
	}
}

// A window of 1,000 bars slides bar by bar over 100,000 bars: how often PostgreSQL returns each bar.
func BenchmarkCacheWindow(b *testing.B) {
	const n, window = 100_000, 1_000
	x, ctx := newCacheBench(b, n), b.Context()
	began := time.Now()
	for i := range n - window + 1 {
		fetch(ctx, x, x.request(i, window))
	}
	took := time.Since(began)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took.Microseconds())/(n-window+1), "us")
	b.ReportMetric(float64(x.counted.bars.Load())/n, "reads/bar")
	asked(b, "reads/bar", 1.05)
}

// A thousand concurrent callers request a symbol that is not cached: how many reads of bars PostgreSQL receives.
func BenchmarkCacheStampede(b *testing.B) {
	const callers, n = 1_000, 4_000
	x, ctx := newCacheBench(b, 3*blockBars), b.Context()
	r := x.request(firstBlock(), n)
	ready := make(chan struct{})
	var asking sync.WaitGroup
	for range callers {
		asking.Go(func() {
			<-ready
			fetch(ctx, x, r)
		})
	}

	began := time.Now()
	close(ready)
	asking.Wait()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(time.Since(began).Microseconds()), "us")
	b.ReportMetric(float64(x.counted.reads.Load()), "reads")
	asked(b, "reads", 1)
}

// noBlocks is a local cache without room, so that every block comes from the shared cache.
type noBlocks struct{}

func (noBlocks) Get(blockcache.Key) (blockcache.Block, bool) { return blockcache.Block{}, false }

func (noBlocks) Put(blockcache.Key, blockcache.Block) {}

// One block from Redis, authenticated and decoded, beside the same bars from PostgreSQL.
func BenchmarkCacheRedisBlock(b *testing.B) {
	x, ctx := newPostgres(b), b.Context()
	bars := gen.Walk("BTC/USD", 3*blockBars)
	must(ports.WriteBars(ctx, x.store, bars, bars.Range(), ports.ConflictReplace))
	must(x.pool.Exec(ctx, "VACUUM ANALYZE marketdata.bars"))
	shared, closeShared, err := redis.Open(redis.Config{
		URL: secret.New(servers.Redis(b)), Prefix: b.Name() + rand.Text(), Key: secret.New(rand.Text()),
	})
	check(err)
	b.Cleanup(closeShared)
	cached := must(seriescache.New(seriescache.Dependencies{
		Store: x.store, States: x.store, Clock: clock.NewSystem(), Caches: seriescache.Caches{Local: noBlocks{}, Shared: shared},
	}, seriescache.Config{Name: cachedName}))
	b.Cleanup(cached.Close)

	first := firstBlock()
	q := ports.BarQuery{Key: bars.Key(), Range: bars.Slice(first, first+blockBars).Range()}
	const times = 20
	report(b, times*blockBars,
		way{name: "redis", run: func() {
			for range times {
				readAll(ctx, cached, q, blockBars)
			}
		}},
		way{name: "postgres", run: func() {
			for range times {
				readAll(ctx, x.store, q, blockBars)
			}
		}},
	)
	if hits := shared.Stats().Hits; hits < times*rounds {
		b.Errorf("%d blocks came out of redis", hits)
	}
}

// The maximum that a cache of 32 MiB adds to the heap, with everything it needs, while ten times as much goes through
// it: in full blocks, in blocks between two size classes of the allocator, and in many blocks of seven bars.
func BenchmarkCacheMemory32MiB(b *testing.B) {
	const limit, load = 32 << 20, 10 * 32 << 20
	const barBytes, thinBlockBytes = 56, 1_000 // about
	for _, m := range []struct {
		name           string
		grid           domain.Grid
		minute         func(i int) int // of bar i
		bars, symbols  int
		readsOfASymbol int
	}{
		{"full", domain.Minute1.UTC(), func(i int) int { return i }, 500_000, load/barBytes/500_000 + 1, 1},
		{"gaps", domain.Minute1.UTC(), func(i int) int { return i + i/8 }, 500_000, load/barBytes/500_000 + 1, 1},
		{"thin", domain.Second1.UTC(), func(i int) int { return 10 * i }, 230_000, load/thinBlockBytes/(230_000/7) + 1, 50},
	} {
		b.Run(m.name, func(b *testing.B) {
			ctx, store := b.Context(), memory.New()
			columns := gen.Walk("BTC/USD", m.bars).Columns()
			columns.OpenMicros = slices.Clone(columns.OpenMicros)
			for i := range columns.OpenMicros {
				columns.OpenMicros[i] = columns.OpenMicros[0] + int64(m.minute(i))*time.Minute.Microseconds()
			}
			var all []domain.Series
			for i := range m.symbols {
				key := domain.SeriesKey{Symbol: domain.Symbol(fmt.Sprintf("COIN%d/USD", i)), Grid: m.grid}
				all = append(all, must(domain.NewSeriesFromColumns(key, columns)))
				must(ports.WriteBars(ctx, store, all[i], all[i].Range(), ports.ConflictReplace))
			}

			before, most := heap(), 0.0
			cached := newCached(store, clock.NewSystem(), limit, nil)
			defer cached.close()
			for _, s := range all {
				part := s.Len() / m.readsOfASymbol
				for at := 0; at < s.Len(); at += part {
					q := ports.BarQuery{Key: s.Key(), Range: s.Slice(at, at+part).Range()}
					readAll(ctx, cached.cache, q, part)
				}

				most = max(most, heap()-before)
			}

			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(cached.cache.Stats().Misses), "blocks")
			b.ReportMetric(most/(1<<20), "MiB")
			asked(b, "MiB", 1.1*limit/(1<<20))
			runtime.KeepAlive(store)
		})
	}
}

// heap returns the bytes in use after a garbage collection.
func heap() float64 {
	runtime.GC()
	runtime.GC() // what pools keep goes at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return float64(m.HeapAlloc)
}
