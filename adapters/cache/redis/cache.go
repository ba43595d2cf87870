package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gal-friday/marketdata/adapters/cache/redis/redisconfig"
	"github.com/gal-friday/marketdata/ports"
)

// Config configures a Cache.
type Config = redisconfig.Config

// Cache is a ports.SeriesCache, and the ports.Invalidations of those who share it. It is safe for concurrent use.
type Cache struct {
	client  *redis.Client
	prefix  string
	timeout time.Duration
	name    string // tells our own invalidations from others'

	run    atomic.Pointer[string] // the name of the server's run, as the last new connection told it
	seen   atomic.Pointer[string] // the generation last seen; nil is none
	swap   *redis.Script
	leases leases
	owed   *debts

	breaker   breaker
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

// Open returns a Cache. It connects when it is used, so it does not fail where the server is down. The function closes
// it, and tries once more to delete the keys that are still pending.
func Open(ctx context.Context, cfg Config) (*Cache, func(), error) {
	options, err := newOptions(cfg)
	if err != nil {
		return nil, nil, fmt.Errorf("redis: %w", err)
	}

	cfg = cfg.WithDefaults()
	c := &Cache{
		prefix: cfg.Prefix, timeout: cfg.Timeout, name: rand.Text(), owed: newDebts(),
		swap: newSwap(), leases: leases{seen: map[string]lease{}},
	}
	c.client = connect(options, c.timeout, func(run string) { c.run.Store(&run) })
	paying, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { c.pay(paying) })

	return c, func() {
		stop()
		background.Wait()
		c.payAll(context.WithoutCancel(ctx))
		_ = c.client.Close() // it would only report broken connections
	}, nil
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
	isAnswer := err == nil || refused(err)
	if isAnswer || ctx.Err() == nil { // who gave up says nothing of the server
		c.breaker.report(isAnswer)
	}
	if err != nil {
		c.failed.Add(1)
	}

	return err
}

// refused reports whether the server refused the command.
func refused(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// Get returns the chunk under the key.
func (c *Cache) Get(ctx context.Context, key ports.ChunkKey) (ports.Chunk, bool) {
	value, generation, err := c.read(ctx, key.String())
	if err != nil || value == "" || generation == "" {
		c.misses.Add(1)
		return ports.Chunk{}, false
	}

	chunk, err := decode(key, generation, []byte(value))
	if errors.Is(err, errPoisoned) {
		c.poisoned.Add(1)
		return ports.Chunk{}, false
	}
	if err != nil {
		c.misses.Add(1)
		return ports.Chunk{}, false
	}

	c.hits.Add(1)

	return chunk, true
}

// read is the value of a key and the generation that it has to be of.
func (c *Cache) read(ctx context.Context, text string) (value, generation string, err error) {
	if c.owed.open.Load() {
		c.leftAlone.Add(1)
		return "", "", errLeftAlone
	}

	err = c.do(ctx, func(ctx context.Context) error {
		var found, current *redis.StringCmd
		_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			found = p.GetRange(ctx, c.chunkName(text), 0, maxValue) // never more than can be one
			current = p.GetRange(ctx, c.generationName(), 0, maxGeneration-1)
			return nil
		})
		if err == nil {
			value, generation = found.Val(), c.observe(current.Val())
			c.leases.note(text, value[:min(len(value), headSize)])
		}

		return err
	})
	if strings.HasPrefix(value, goneName) {
		value = ""
	}

	return value, generation, err
}

// Put keeps the chunk where this Cache looked for the key before, and nobody put or deleted it since.
func (c *Cache) Put(ctx context.Context, key ports.ChunkKey, chunk ports.Chunk, ttl time.Duration) {
	text := key.String()
	head, ok := c.leases.take(text)
	if !ok || ttl < time.Millisecond { // the server's unit
		c.Delete(ctx, key)
		return
	}

	err := c.do(ctx, func(ctx context.Context) error { // packed within, so that a server left alone costs nothing
		err := c.put(ctx, key, head, chunk, ttl)
		if refused(err) || errors.Is(err, errUnfit) { // a full server, for one, still deletes
			err = c.client.Unlink(ctx, c.chunkName(text)).Err()
		}

		return err
	})
	if err != nil {
		c.owed.owe(text)
	}
}

// put replaces the value that has the head.
func (c *Cache) put(
	ctx context.Context, key ports.ChunkKey, head string, chunk ports.Chunk, ttl time.Duration,
) error {
	text := key.String()
	generation, err := c.generation(ctx)
	if err != nil {
		return err
	}

	value, err := encode(key, generation, newHead(magic, version), chunk)
	if err != nil {
		return err
	}

	done, err := c.swap.Run(ctx, c.client, []string{c.chunkName(text)},
		headSize, head, value, ttl.Milliseconds(), newGone(), goneFor.Milliseconds()).Int()
	if err == nil && done == 1 {
		c.leases.note(text, string(value[:headSize]))
	}

	return err
}

// Delete deletes the values of the keys.
func (c *Cache) Delete(ctx context.Context, keys ...ports.ChunkKey) {
	if len(keys) == 0 {
		return
	}

	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = k.String()
	}
	if err := c.do(ctx, func(ctx context.Context) error { return c.remove(ctx, texts) }); err != nil {
		c.owed.owe(texts...)
	}
}

// remove replaces each value by a tombstone, so that a process that missed the value before cannot put an older one.
func (c *Cache) remove(ctx context.Context, texts []string) error {
	_, err := c.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, text := range texts {
			p.Set(ctx, c.chunkName(text), newGone(), goneFor)
		}
		return nil
	})
	if !refused(err) {
		return err
	}

	names := make([]string, len(texts))
	for i, text := range texts {
		names[i] = c.chunkName(text)
	}

	return c.client.Unlink(ctx, names...).Err() // a full server still does that
}

func (c *Cache) chunkName(text string) string { return c.prefix + "chunk:" + text }

// Stats counts events since Open.
type Stats struct {
	Hits, Misses int64
	Poisoned     int64 // values that were damaged or foreign
	Failed       int64 // operations that the server did not answer, or refused
	LeftAlone    int64 // operations that were not tried, since the server did not answer those before, or is owed a write
}

// Stats returns the counts so far.
func (c *Cache) Stats() Stats {
	return Stats{c.hits.Load(), c.misses.Load(), c.poisoned.Load(), c.failed.Load(), c.leftAlone.Load()}
}
