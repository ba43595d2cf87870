package redis_test

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
)

// It is compiled and not run, because it needs a server.
func ExampleOpen() { //nolint:testableexamples // it needs a server
	ctx := context.Background()
	cache, closeCache, err := redis.Open(ctx, redis.Config{
		URL: secret.New("redis://marketdata:secret@127.0.0.1:6379/0"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	defer closeCache()
	changes, err := cache.Subscribe(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}

	for change, err := range changes {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(change.Store, change.Key, change.Range)
	}
}
