package seriescache_test

import (
	"crypto/rand"
	"testing"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestContractOverRedis runs the contract with a cache that processes share.
func TestContractOverRedis(t *testing.T) {
	t.Parallel()
	url := servers.Redis(t)
	testContract(t, true, func(tb testing.TB) blockcache.SharedCache {
		shared, end, err := redis.Open(redis.Config{URL: secret.New(url), Prefix: rand.Text(), Key: secret.New(rand.Text() + rand.Text())})
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(end)

		return shared
	})
}
