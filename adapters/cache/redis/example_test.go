package redis_test

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// It is compiled and not run, because it needs a server.
func ExampleOpen() { //nolint:testableexamples // it needs a server
	blocks, closeBlocks, err := redis.Open(redis.Config{
		URL: secret.New("redis://marketdata:secret@127.0.0.1:6379/0"),
		Key: secret.New("derived from the deployment"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer closeBlocks()
	series := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()}
	keys := []blockcache.Key{
		{Store: "postgres", Series: series, Index: 7000},
		{Store: "postgres", Series: series, Index: 7001},
	}
	for i, block := range blocks.GetBlocks(context.Background(), keys) {
		fmt.Println(keys[i].Index, block.Version, block.Bars)
	}
}
