// Package tiered puts a near cache over a far one, which is slower, larger or shared: ports.Cache of two others. What
// to keep and for how long never lives here.
package tiered

import (
	"context"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// lockCount bounds how many writes, and values brought near, are under way at once.
const lockCount = 64

// Cache looks into the near cache first, and brings near what only the far one has. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	near, far ports.Cache[K, V]
	left      func(V) time.Duration
	seed      maphash.Seed
	locks     [lockCount]lock
}

// lock is held by writes of some keys. A value found in the far cache is brought near only if none came in between.
type lock struct {
	mu     sync.Mutex
	writes int
}

// New returns a Cache of the two. left is how much longer a value is to be kept, which the far cache does not tell.
func New[K comparable, V any](near, far ports.Cache[K, V], left func(V) time.Duration) *Cache[K, V] {
	return &Cache[K, V]{near: near, far: far, left: left, seed: maphash.MakeSeed()}
}

var _ ports.SeriesCache = (*Cache[ports.ChunkKey, ports.Chunk])(nil)

// NewSeries returns a Cache of chunks, which say themselves how long they are to be believed.
func NewSeries(near, far ports.SeriesCache) *Cache[ports.ChunkKey, ports.Chunk] {
	return New(near, far, func(c ports.Chunk) time.Duration { return time.Until(c.ValidUntil.Time()) })
}

func (c *Cache[K, V]) lockIndex(key K) int { return int(maphash.Comparable(c.seed, key) % lockCount) }

// Get returns the value under the key from the near cache, else from the far one.
func (c *Cache[K, V]) Get(ctx context.Context, key K) (V, bool) {
	if v, ok := c.near.Get(ctx, key); ok {
		return v, true
	}

	l := &c.locks[c.lockIndex(key)]
	l.mu.Lock()
	writes := l.writes
	l.mu.Unlock()
	v, ok := c.far.Get(ctx, key)
	if !ok {
		return v, false
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writes == writes {
		c.near.Put(ctx, key, v, c.left(v))
	}

	return v, true
}

// Put keeps the value in both.
func (c *Cache[K, V]) Put(ctx context.Context, key K, value V, ttl time.Duration) {
	l := &c.locks[c.lockIndex(key)]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	c.far.Put(ctx, key, value, ttl)
	c.near.Put(ctx, key, value, ttl)
}

// Delete forgets the keys in both.
func (c *Cache[K, V]) Delete(ctx context.Context, keys ...K) {
	var locks []int
	for _, key := range keys {
		locks = append(locks, c.lockIndex(key))
	}
	slices.Sort(locks) // one order for all: no two wait for each other
	for _, i := range slices.Compact(locks) {
		l := &c.locks[i]
		l.mu.Lock()
		defer l.mu.Unlock()
		l.writes++
	}

	c.far.Delete(ctx, keys...)
	c.near.Delete(ctx, keys...)
}
