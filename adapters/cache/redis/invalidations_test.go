package redis_test

import (
	"context"
	"crypto/rand"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers"
)

func TestInvalidationsContract(t *testing.T) {
	t.Parallel()
	contract.Invalidations(t, func(tb testing.TB) contract.InvalidationsSubject {
		url, prefix := servers.Redis(tb), rand.Text()
		options, err := goredis.ParseURL(url)
		if err != nil {
			tb.Fatal(err)
		}
		behind := goredis.NewClient(options)
		tb.Cleanup(func() { _ = behind.Close() })
		var peers []ports.Invalidations
		for range 3 {
			c, end, err := redis.Open(tb.Context(), redis.Config{URL: url, Prefix: prefix, Timeout: patient})
			if err != nil {
				tb.Fatal(err)
			}
			tb.Cleanup(end)
			peers = append(peers, c)
		}
		channel := prefix + "invalidations"
		return contract.InvalidationsSubject{
			Peers: peers,
			Held: func(ctx context.Context) (int, error) {
				held, err := behind.PubSubNumSub(ctx, channel).Result()
				return int(held[channel]), err
			},
			Cut: func(ctx context.Context) error { return behind.ClientKillByFilter(ctx, "TYPE", "pubsub").Err() },
		}
	})
}
