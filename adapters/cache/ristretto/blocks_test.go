package ristretto_test

import (
	"runtime"
	"testing"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/contract"
)

func blockKey(i int) blockcache.Key {
	return blockcache.Key{
		Store: "memory", Series: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}, Index: int64(i),
	}
}

func block(tb testing.TB, i, bars int) blockcache.Block {
	tb.Helper()
	key := blockKey(i)
	start, _ := domain.BarBlocks(key.Series.Grid).Bounds(key.Index)
	b := domain.NewSeriesBuilder(key.Series, bars)
	for n := range bars {
		price, err := domain.NewDecimal(int64(i+n+1), 2)
		if err != nil {
			tb.Fatal(err)
		}

		err = b.Append(domain.Bar{
			OpenTime: (start + domain.Micros(n)*60_000_000).Time(), Open: price, High: price, Low: price, Close: price,
		})
		if err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return blockcache.Block{Version: domain.Version{Revision: int64(i) + 1, Nonce: uint64(i)}, Bars: s}
}

func openBlocks(tb testing.TB, maxBytes int64) *ristretto.Blocks {
	tb.Helper()
	c, err := ristretto.NewBlocks(maxBytes)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(c.Close)

	return c
}

func TestBlocksContract(t *testing.T) {
	t.Parallel()
	contract.BlockCache(t, func(tb testing.TB) blockcache.Cache { return openBlocks(tb, 1<<20) })
}

// TestBlocksStayWithinMaxBytes puts ten times as many bytes as the cache may store. The heap must not grow by more than
// the limit and a tenth.
func TestBlocksStayWithinMaxBytes(t *testing.T) { //nolint:paralleltest // the heap is measured
	const maxBytes, bars = 32 << 20, 4096
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)

		return int64(m.HeapAlloc)
	}
	before := heap()
	c := openBlocks(t, maxBytes)
	stored := 0
	for i := range 10 * maxBytes / (bars * 56) {
		c.Put(blockKey(i), block(t, i, bars))
	}
	for i := range 10 * maxBytes / (bars * 56) {
		if _, ok := c.Get(blockKey(i)); ok {
			stored++
		}
	}

	if grown := heap() - before; grown > maxBytes*11/10 {
		t.Errorf("the heap grew by %d bytes, the limit of the cache is %d", grown, maxBytes)
	}
	if stored < maxBytes/(bars*56)*8/10 {
		t.Errorf("only %d blocks are stored", stored)
	}
	runtime.KeepAlive(c)
}

// TestBlocksGetDoesNotAllocate counts the allocations of the adapter: ristretto allocates a buffer every 64 calls.
func TestBlocksGetDoesNotAllocate(t *testing.T) { //nolint:paralleltest // allocations are counted
	c := openBlocks(t, 1<<20)
	c.Put(blockKey(1), block(t, 1, 100))
	if n := testing.AllocsPerRun(1000, func() { c.Get(blockKey(1)) }); n > 0 {
		t.Errorf("Get allocates %v times", n)
	}
}

func BenchmarkBlocksGet(b *testing.B) {
	c := openBlocks(b, 1<<20)
	key := blockKey(3)
	c.Put(key, block(b, 3, 100))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(key); !ok {
			b.Fatal("the block is not stored")
		}
	}
}
