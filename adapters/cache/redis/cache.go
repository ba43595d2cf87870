package redis

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/breaker"
	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// Config configures a Cache.
type Config = redisconfig.Config

const (
	// maxBatch is the maximum number of blocks in a round trip. It bounds the memory of the answer, to 8 MiB, and its
	// duration: full blocks have some 60 KiB.
	maxBatch = 16

	// expiry frees the memory of blocks that nobody puts again.
	expiry = 7 * 24 * time.Hour

	// openAfter is how many round trips fail in a row before the server is not asked any more, but for probes.
	openAfter = 3
)

// Cache is a blockcache.SharedCache. It is safe for concurrent use.
type Cache struct {
	client  *redis.Client
	codec   *valueCodec // a pointer, because fmt would print its key
	timeout time.Duration
	breaker *breaker.Breaker // of round trips

	hits, misses, rejected atomic.Int64 // blocks
	failed, skipped        atomic.Int64 // round trips

	version atomic.Pointer[string] // of the server; nil before a check found it out
}

var _ blockcache.SharedCache = (*Cache)(nil)

// Open returns a Cache and the function that closes it. Open does not connect, so it does not fail if the server is
// down. An error of the configuration wraps domain.ErrInvalid; Config.Key is required.
func Open(cfg Config) (*Cache, func(), error) {
	options, err := newOptions(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("redis: %w", err)
	}
	key := []byte(cfg.Key.Reveal())
	if len(key) < redisconfig.MinKeySize {
		return nil, nil, fmt.Errorf("redis: key of %d bytes: must have at least %d: %w",
			len(key), redisconfig.MinKeySize, domain.ErrInvalid)
	}

	cfg = cfg.WithDefaults()
	c := &Cache{
		client:  connect(options, cfg.Timeout),
		codec:   &valueCodec{prefix: cfg.Prefix, macKey: key},
		timeout: cfg.Timeout,
		breaker: breaker.Consecutive(openAfter),
	}

	return c, func() { _ = c.client.Close() }, nil // it would only report broken connections
}

// OpenShared is Open as production.Options.Redis takes it. The cache is a ports.HealthChecker too.
func OpenShared(cfg Config) (blockcache.SharedCache, func(), error) {
	c, closeCache, err := Open(cfg)
	if err != nil {
		return nil, nil, err // and not a *Cache that is nil
	}

	return c, closeCache, nil
}

// GetBlocks returns the blocks of the keys, as blockcache.SharedCache says. It makes one round trip for 16 keys.
func (c *Cache) GetBlocks(ctx context.Context, keys []blockcache.Key) []blockcache.Block {
	blocks := make([]blockcache.Block, len(keys))
	hits := 0
	for from := 0; from < len(keys); from += maxBatch {
		to := min(from+maxBatch, len(keys))
		permit, isAllowed := c.acquire(ctx)
		if !isAllowed {
			break
		}
		n, err := c.getBatch(ctx, permit, keys[from:to], blocks[from:to])
		hits += n
		if isFailure(err) {
			break
		}
	}

	c.hits.Add(int64(hits))
	c.misses.Add(int64(len(keys) - hits))

	return blocks
}

// getBatch sets the blocks of the keys in one round trip and returns how many it set, also beside an error. It uses
// GETRANGE, because MGET would bring values of any length into memory.
func (c *Cache) getBatch(
	ctx context.Context, permit breaker.Permit, keys []blockcache.Key, blocks []blockcache.Block,
) (hits int, err error) {
	values := make([]*redis.StringCmd, len(keys))
	pipe := c.client.Pipeline()
	for i, key := range keys {
		values[i] = pipe.GetRange(ctx, c.codec.name(key), 0, maxValue) // one byte more than a value may have
	}
	err = c.roundTrip(ctx, permit, pipe)

	for i, key := range keys {
		value, err := values[i].Bytes()
		if err != nil || len(value) == 0 {
			continue
		}

		if blocks[i], err = c.codec.decode(key, value); err != nil {
			c.rejected.Add(1)
		} else {
			hits++
		}
	}

	return hits, err
}

// PutBlocks stores the blocks, as blockcache.SharedCache says. It makes one round trip for 16 blocks.
func (c *Cache) PutBlocks(ctx context.Context, keys []blockcache.Key, blocks []blockcache.Block) {
	for from := 0; from < len(keys); from += maxBatch {
		to := min(from+maxBatch, len(keys))
		permit, isAllowed := c.acquire(ctx)
		if !isAllowed || isFailure(c.putBatch(ctx, permit, keys[from:to], blocks[from:to])) {
			return
		}
	}
}

// putBatch stores the blocks in one round trip.
func (c *Cache) putBatch(
	ctx context.Context, permit breaker.Permit, keys []blockcache.Key, blocks []blockcache.Block,
) error {
	pipe := c.client.Pipeline()
	for i, key := range keys {
		if value, err := c.codec.encode(key, blocks[i]); err == nil {
			pipe.Set(ctx, c.codec.name(key), value, expiry)
		}
	}
	if pipe.Len() == 0 {
		permit.Release()
		return nil
	}

	return c.roundTrip(ctx, permit, pipe)
}

// acquire returns the permit of a round trip, unless the caller gave up or the breaker is open.
func (c *Cache) acquire(ctx context.Context) (permit breaker.Permit, isAllowed bool) {
	if ctx.Err() != nil {
		return permit, false
	}
	permit, refusal := c.breaker.Acquire()
	if refusal != nil {
		c.skipped.Add(1)
	}

	return permit, refusal == nil
}

// roundTrip sends the commands and reads the replies within the timeout. It returns the first error of a command.
func (c *Cache) roundTrip(ctx context.Context, permit breaker.Permit, pipe redis.Pipeliner) error {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	_, err := pipe.Exec(limited)
	switch {
	case !isFailure(err):
		permit.Succeed()
	case ctx.Err() != nil: // a caller that gave up says nothing about the server
		permit.Release()
	default:
		permit.Fail(err)
	}
	if err != nil {
		c.failed.Add(1)
	}

	return err
}

// isFailure reports whether there was no answer. A server that refuses a command answers.
func isFailure(err error) bool {
	var refusal redis.Error
	return err != nil && !errors.As(err, &refusal)
}

// Stats counts events since Open. Every key of a GetBlocks is a hit or a miss.
type Stats struct {
	Hits, Misses int64
	Rejected     int64 // misses because the value under the key was not put by a process with the same Config.Key
	Failed       int64 // round trips that the server did not answer in time, or in which it refused a command
	Skipped      int64 // calls that were not made or not completed, because the server did not answer those before
}

// Stats returns the counts so far.
func (c *Cache) Stats() Stats {
	return Stats{c.hits.Load(), c.misses.Load(), c.rejected.Load(), c.failed.Load(), c.skipped.Load()}
}
