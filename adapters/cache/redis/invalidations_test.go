package redis_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
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
			c, end, err := redis.Open(tb.Context(), redis.Config{
				URL: secret.New(url + "?client_name=" + prefix), Prefix: prefix, Timeout: patient,
			})
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
			Cut: func(ctx context.Context) error { return killSubscribers(ctx, behind, prefix) },
		}
	})
}

// killSubscribers breaks the connections of a name that subscribe; others may use the server too.
func killSubscribers(ctx context.Context, server *goredis.Client, name string) error {
	list, err := server.Do(ctx, "CLIENT", "LIST", "TYPE", "pubsub").Text()
	if err != nil {
		return err
	}

	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if slices.Contains(fields, "name="+name) {
			if err := server.ClientKillByFilter(ctx, "ID", strings.TrimPrefix(fields[0], "id=")).Err(); err != nil {
				return err
			}
		}
	}

	return nil
}
