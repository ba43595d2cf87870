// Package ristretto stores values in the memory of this process, within a limit in bytes: NewBlocks returns a
// ports.BlockCache and NewSymbols a ports.SymbolCache, both over dgraph-io/ristretto. The package must not decide which
// values are stored, nor for how long.
package ristretto

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// Config configures a Cache of values V under keys K.
type Config[K comparable, V any] struct {
	// MaxBytes is the maximum size of all stored items together. Required, above 0.
	MaxBytes int64

	// Bytes returns the size of a value and its key; an item larger than MaxBytes is not stored. Required.
	Bytes func(K, V) int64
}

// Validate reports every fault.
func (c Config[K, V]) Validate() error {
	var faults []error
	if c.MaxBytes <= 0 {
		faults = append(faults, fmt.Errorf("max bytes %d: must be above 0", c.MaxBytes))
	}
	if c.Bytes == nil {
		faults = append(faults, errors.New("bytes: the function is required"))
	}

	return errors.Join(faults...)
}

// perItem is about the number of bytes that ristretto needs for an item in its maps, and the allocator for rounding.
const perItem = 256

// Cache is a ports.Cache in this process. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	cfg  Config[K, V]
	seed maphash.Seed

	// A Set beside a Close panics in ristretto, so uses hold the lock for reading and Close for writing.
	closing sync.RWMutex
	closed  bool
	items   *ristretto.Cache[uint64, *item[K, V]] // by the hash of the key

	// Ristretto applies writes a moment later, drops some under load, and of two that wait for one key keeps the first.
	// So each write waits until it is applied, and they take turns: values are put far less often than they are read.
	writing sync.Mutex
}

// item repeats its key, because two keys may have one hash. Each then replaces the item of the other, which is a miss.
type item[K comparable, V any] struct {
	key   K
	value V
}

// New returns an empty Cache. Close ends its goroutines.
func New[K comparable, V any](cfg Config[K, V]) (*Cache[K, V], error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ristretto: %w", err)
	}

	const countersPerItem, buffer = 10, 64 // as its documentation advises
	items, err := ristretto.NewCache(&ristretto.Config[uint64, *item[K, V]]{
		NumCounters:        max(countersPerItem*cfg.MaxBytes/1024, 1000),
		MaxCost:            cfg.MaxBytes,
		BufferItems:        buffer,
		KeyToHash:          func(hash uint64) (uint64, uint64) { return hash, 0 },
		IgnoreInternalCost: true, // perItem stands for it, whatever ristretto's version counts
	})
	if err != nil {
		return nil, fmt.Errorf("ristretto: %w", err)
	}

	return &Cache[K, V]{cfg: cfg, seed: maphash.MakeSeed(), items: items}, nil
}

// Get returns the value last put under the key and true, or false if it is not stored.
func (c *Cache[K, V]) Get(_ context.Context, key K) (V, bool) {
	if it := c.find(key); it != nil {
		return it.value, true
	}

	var none V

	return none, false
}

// find returns the item of the key, or nil. The caller must not change it.
func (c *Cache[K, V]) find(key K) *item[K, V] {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return nil
	}

	it, ok := c.items.Get(c.hash(key))
	if !ok || it.key != key {
		return nil
	}

	return it
}

func (c *Cache[K, V]) hash(key K) uint64 { return maphash.Comparable(c.seed, key) }

// Put stores the value for at most ttl. It may reject the value, because ristretto admits a new key to a full cache
// only if it expects more reads of it than of those that it would evict.
func (c *Cache[K, V]) Put(ctx context.Context, key K, value V, ttl time.Duration) {
	if ttl <= 0 {
		c.Delete(ctx, key)
		return
	}

	c.store(&item[K, V]{key, value}, ttl)
}

// store puts the item for at most ttl; 0 is without an end. When it returns, Get returns the item or nothing.
func (c *Cache[K, V]) store(it *item[K, V], ttl time.Duration) {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return
	}

	hash := c.hash(it.key)
	cost := c.cfg.Bytes(it.key, it.value) + perItem
	c.writing.Lock()
	defer c.writing.Unlock()
	if cost > c.cfg.MaxBytes || !c.items.SetWithTTL(hash, it, cost, ttl) {
		c.items.Del(hash) // the previous value must not outlive the one that was rejected
	}
	c.items.Wait()
}

// Delete removes the values of the keys.
func (c *Cache[K, V]) Delete(_ context.Context, keys ...K) {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return
	}

	c.writing.Lock()
	defer c.writing.Unlock()
	for _, key := range keys {
		c.items.Del(c.hash(key))
	}
	c.items.Wait()
}

// Close empties the Cache and ends its goroutines. A closed Cache stores nothing. It may be called twice.
func (c *Cache[K, V]) Close() {
	c.closing.Lock()
	defer c.closing.Unlock()
	if !c.closed {
		c.closed = true
		c.items.Close()
	}
}
