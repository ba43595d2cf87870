package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/gal-friday/marketdata/ports"
)

// Config says which server is used, and how.
type Config struct {
	// URL is redis://user:password@host:port/database, or rediss:// for TLS. Required. It is a secret.
	URL string

	// TLS is used with rediss:// in the place of the system's roots. Nil is those.
	TLS *tls.Config

	// Prefix begins every key and the channel's name. Defaults to "marketdata:".
	Prefix string

	// Timeout bounds every operation. Defaults to 25ms.
	Timeout time.Duration
}

// String hides the secret.
func (c Config) String() string {
	return fmt.Sprintf("redis prefix %q timeout %s", c.Prefix, c.Timeout)
}

// GoString hides it too.
func (c Config) GoString() string { return c.String() }

// The defaults of Config.
const (
	DefaultPrefix  = "marketdata:"
	DefaultTimeout = 25 * time.Millisecond
)

// Validate reports every fault. It does not repeat the URL.
func (c Config) Validate() error {
	var faults []error
	if _, err := redis.ParseURL(c.URL); err != nil {
		faults = append(faults, errors.New("url: not one like redis://user:password@host:port/0"))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout %s: must not be negative", c.Timeout))
	}
	return errors.Join(faults...)
}

// Cache is a ports.SeriesCache, and the ports.Invalidations of those who share it. It is safe for concurrent use.
type Cache struct {
	client  *redis.Client
	prefix  string
	timeout time.Duration
	name    string // tells our own invalidations from others'

	breaker   breaker
	distrust  atomic.Int64 // what was read from a store at or before it is not believed
	hits      atomic.Int64
	misses    atomic.Int64
	poisoned  atomic.Int64
	failed    atomic.Int64
	leftAlone atomic.Int64
}

var (
	_ ports.SeriesCache   = (*Cache)(nil)
	_ ports.Invalidations = (*Cache)(nil)
)

// Open returns a Cache. It connects when it is used, so it does not fail where the server is down. The function closes it.
func Open(_ context.Context, cfg Config) (*Cache, func(), error) {
	if err := cfg.Validate(); err != nil {
		return nil, nil, fmt.Errorf("redis: %w", err)
	}
	options, err := redis.ParseURL(cfg.URL)
	if err != nil {
		return nil, nil, errors.New("redis: url") // Validate has seen it
	}
	if options.TLSConfig != nil && cfg.TLS != nil {
		options.TLSConfig = cfg.TLS
	}
	timeout := cmp.Or(cfg.Timeout, DefaultTimeout)
	step := timeout * 4 / 5 // also to connect, which go-redis does not end with the context
	options.DialTimeout, options.PoolTimeout, options.ReadTimeout, options.WriteTimeout = step, step, step, step
	options.MaxRetries, options.DialerRetries = -1, 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true // one round trip less in a new connection
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	c := &Cache{
		client: redis.NewClient(options), prefix: cmp.Or(cfg.Prefix, DefaultPrefix), timeout: timeout, name: rand.Text(),
	}
	c.distrust.Store(math.MinInt64)
	return c, func() { _ = c.client.Close() }, nil // what it would report is that connections were broken
}

// errLeftAlone is the error of an operation that was not tried.
var errLeftAlone = errors.New("the server did not answer lately and is left alone for a few seconds")

// do asks the server within the time.
func (c *Cache) do(ctx context.Context, ask func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !c.breaker.allow() {
		c.leftAlone.Add(1)
		return errLeftAlone
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	err := ask(limited)
	var answer redis.Error // an answer all the same
	isAnswer := err == nil || errors.As(err, &answer)
	if isAnswer || ctx.Err() == nil { // who gave up says nothing of the server
		c.breaker.report(isAnswer)
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		c.failed.Add(1)
	}
	return err
}

// Get returns the chunk under the key.
func (c *Cache) Get(ctx context.Context, key ports.ChunkKey) (ports.Chunk, bool) {
	var value []byte
	err := c.do(ctx, func(ctx context.Context) (err error) {
		value, err = c.client.GetRange(ctx, c.key(key), 0, maxValue).Bytes() // never more than can be one
		return err
	})
	if err != nil || len(value) == 0 {
		c.misses.Add(1)
		return ports.Chunk{}, false
	}
	chunk, err := decode(key, value)
	if errors.Is(err, errPoisoned) {
		c.poisoned.Add(1)
		return ports.Chunk{}, false
	}
	if err != nil || chunk.Read <= c.distrust.Load() {
		c.misses.Add(1)
		return ports.Chunk{}, false
	}
	c.hits.Add(1)
	return chunk, true
}

// Put keeps the chunk.
func (c *Cache) Put(ctx context.Context, key ports.ChunkKey, chunk ports.Chunk, ttl time.Duration) {
	if ttl < time.Millisecond { // the server's unit
		c.Delete(ctx, key)
		return
	}
	c.write(ctx, func(ctx context.Context) error { // packed here, so that a server left alone costs nothing
		value, err := encode(key, chunk)
		if err != nil {
			return c.client.Unlink(ctx, c.key(key)).Err()
		}
		return c.client.Set(ctx, c.key(key), value, ttl).Err()
	})
}

// Delete forgets what is kept under the keys.
func (c *Cache) Delete(ctx context.Context, keys ...ports.ChunkKey) {
	if len(keys) == 0 {
		return
	}
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = c.key(k)
	}
	c.write(ctx, func(ctx context.Context) error { return c.client.Unlink(ctx, texts...).Err() })
}

// skew is how far the clocks of processes that share the server may be apart.
const skew = 5 * time.Second

// write changes what is kept. Where the server did not say that it did, it may hold what it should not, or come to hold it.
func (c *Cache) write(ctx context.Context, ask func(context.Context) error) {
	if err := c.do(ctx, ask); err == nil {
		return
	}
	now := time.Now().Add(skew).UnixMicro()
	for {
		old := c.distrust.Load()
		if old >= now || c.distrust.CompareAndSwap(old, now) {
			return
		}
	}
}

func (c *Cache) key(k ports.ChunkKey) string { return c.prefix + "chunk:" + k.String() }

// Stats counts what happened since Open.
type Stats struct {
	Hits, Misses int64
	Poisoned     int64 // values that were not what they should be
	Failed       int64 // operations that the server did not answer, or refused
	LeftAlone    int64 // operations that were not tried, since the server did not answer those before
}

// Stats returns the counts so far.
func (c *Cache) Stats() Stats {
	return Stats{c.hits.Load(), c.misses.Load(), c.poisoned.Load(), c.failed.Load(), c.leftAlone.Load()}
}
