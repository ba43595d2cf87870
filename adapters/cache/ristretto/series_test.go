package ristretto_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
)

func chunkKey(i int) ports.ChunkKey {
	const length = 4096 * 60_000_000
	return ports.ChunkKey{
		Store: "memory", Series: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()},
		Start: domain.Micros(i) * length, End: domain.Micros(i+1) * length,
	}
}

func chunk(tb testing.TB, i, bars int) ports.Chunk {
	tb.Helper()
	key := chunkKey(i)
	b := domain.NewSeriesBuilder(key.Series, bars)
	for n := range bars {
		price, err := domain.NewDecimal(int64(i+n+1), 2)
		if err != nil {
			tb.Fatal(err)
		}

		err = b.Append(domain.Bar{
			OpenTime: (key.Start + domain.Micros(n)*60_000_000).Time(), Open: price, High: price, Low: price, Close: price,
		})
		if err != nil {
			tb.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		tb.Fatal(err)
	}

	return ports.Chunk{Bars: s, ClosedBefore: domain.Micros(i)}
}

func TestSeriesContract(t *testing.T) {
	t.Parallel()
	contract.Cache(t, func(tb testing.TB) contract.CacheSubject[ports.ChunkKey, ports.Chunk] {
		c, err := ristretto.NewSeries(1 << 20)
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(c.Close)

		return contract.CacheSubject[ports.ChunkKey, ports.Chunk]{
			Cache: c,
			Key:   chunkKey,
			Value: func(i int) ports.Chunk { return chunk(tb, i, i%3) },
			Equal: func(a, b ports.Chunk) bool { return a.ClosedBefore == b.ClosedBefore && a.Bars.Equal(b.Bars) },
		}
	}, true)
}

// Ten times as many bytes as there is room for leave the heap within the room and a tenth.
func TestSeriesStayWithinTheirBytes(t *testing.T) {
	const room, bars = 32 << 20, 4096
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)

		return int64(m.HeapAlloc)
	}
	before := heap()
	c, err := ristretto.NewSeries(room)
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	kept := 0
	for i := range 10 * room / (bars * 56) {
		c.Put(t.Context(), chunkKey(i), chunk(t, i, bars), time.Hour)
	}
	for i := range 10 * room / (bars * 56) {
		if _, ok := c.Get(t.Context(), chunkKey(i)); ok {
			kept++
		}
	}

	if grown := heap() - before; grown > room*11/10 {
		t.Errorf("the heap grew by %d bytes, the cache has room for %d", grown, room)
	}
	if kept < room/(bars*56)*8/10 {
		t.Errorf("only %d chunks are kept", kept)
	}
	runtime.KeepAlive(c)
}
