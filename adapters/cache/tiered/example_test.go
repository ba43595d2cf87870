package tiered_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/cache/tiered"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A value that only the slower cache has is copied to the faster one when it is read. The second cache is in memory
// here; in production it is the one of package redis.
func ExampleNewSeries() {
	var caches [2]*ristretto.Cache[ports.ChunkKey, ports.Chunk]
	for i := range caches {
		cache, err := ristretto.NewSeries(1 << 20)
		if err != nil {
			fmt.Println(err)
			return
		}

		defer cache.Close()
		caches[i] = cache
	}

	ctx := context.Background()
	key := ports.ChunkKey{Store: "postgres", Series: domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}}
	chunk := ports.Chunk{Validated: true, ValidUntil: ports.WallMicros(time.Now().Add(time.Hour).UnixMicro())}
	caches[1].Put(ctx, key, chunk, time.Hour)

	both := tiered.NewSeries(caches[0], caches[1])
	_, ok := both.Get(ctx, key)
	fmt.Println("found:", ok)
	_, ok = caches[0].Get(ctx, key)
	fmt.Println("copied to the first:", ok)
	// Output:
	// found: true
	// copied to the first: true
}
