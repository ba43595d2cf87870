// Package ristretto stores values in the memory of this process, within a limit in bytes: NewBlocks returns a
// blockcache.Cache and NewSymbols a ports.SymbolCache, both over dgraph-io/ristretto. The package must not decide which
// values are stored, nor for how long.
package ristretto

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// perItem is about the number of bytes that ristretto needs for an item in its maps, and the allocator for rounding.
const perItem = 256

// Cache is a ports.Cache in this process. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	maxBytes int64
	bytes    func(K, V) int64 // the size of a value and its key
	seed     maphash.Seed
	items    *ristretto.Cache[uint64, *item[K, V]] // by the hash of the key

	// A use beside a Close panics in ristretto, so reads hold this lock for reading, and Close for writing.
	reading sync.RWMutex

	// Ristretto applies writes a moment later, drops some under load, and of two that wait for one key keeps the first.
	// So each write waits until it is applied, and they and Close take turns: values are put far less often than read.
	writing sync.Mutex
}

// item repeats its key, because two keys may have one hash. Each then replaces the item of the other, which is a miss.
type item[K comparable, V any] struct {
	key   K
	value V
}

// newCache returns an empty Cache of items of at most maxBytes together, of which bytes returns the size of each. A
// larger item than maxBytes is not stored. Close ends its goroutines.
func newCache[K comparable, V any](maxBytes int64, bytes func(K, V) int64) (*Cache[K, V], error) {
	if maxBytes <= 0 {
		return nil, fmt.Errorf("ristretto: max bytes %d: must be above 0", maxBytes)
	}

	const countersPerItem, buffer = 10, 64 // as its documentation advises
	items, err := ristretto.NewCache(&ristretto.Config[uint64, *item[K, V]]{
		NumCounters:        max(countersPerItem*maxBytes/1024, 1000),
		MaxCost:            maxBytes,
		BufferItems:        buffer,
		KeyToHash:          func(hash uint64) (uint64, uint64) { return hash, 0 },
		IgnoreInternalCost: true, // perItem stands for it, whatever ristretto's version counts
	})
	if err != nil {
		return nil, fmt.Errorf("ristretto: %w", err)
	}

	return &Cache[K, V]{maxBytes: maxBytes, bytes: bytes, seed: maphash.MakeSeed(), items: items}, nil
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
	c.reading.RLock()
	defer c.reading.RUnlock()
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
	hash := c.hash(it.key)
	cost := c.bytes(it.key, it.value) + perItem
	c.writing.Lock()
	defer c.writing.Unlock()
	if cost > c.maxBytes || !c.items.SetWithTTL(hash, it, cost, ttl) {
		c.items.Del(hash) // the previous value must not outlive the one that was rejected
	}
	c.items.Wait()
}

// Delete removes the values of the keys.
func (c *Cache[K, V]) Delete(_ context.Context, keys ...K) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for _, key := range keys {
		c.items.Del(c.hash(key))
	}
	c.items.Wait()
}

// Close empties the Cache and ends its goroutines. A closed Cache stores nothing. It may be called twice.
func (c *Cache[K, V]) Close() {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.reading.Lock()
	defer c.reading.Unlock()
	c.items.Close()
}
