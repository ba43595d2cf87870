// Package ristretto keeps values in this process: ports.Cache over dgraph-io/ristretto, its size counted in bytes.
// Which to keep and for how long never lives here.
package ristretto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// Config sets up a Cache of values V under keys K.
type Config[K comparable, V any] struct {
	// MaxBytes is the most that the values kept may cost together. Required, above 0.
	MaxBytes int64

	// Bytes returns the size of a value and its key; an item larger than MaxBytes is not kept. Required.
	Bytes func(K, V) int64

	// Text names a key; different keys have different texts. Required.
	Text func(K) string
}

// Validate reports every fault.
func (c Config[K, V]) Validate() error {
	var faults []error
	if c.MaxBytes <= 0 {
		faults = append(faults, fmt.Errorf("max bytes %d: must be above 0", c.MaxBytes))
	}
	if c.Bytes == nil || c.Text == nil {
		faults = append(faults, errors.New("bytes and text: both functions are required"))
	}

	return errors.Join(faults...)
}

// perItem is about the number of bytes that ristretto needs for an item in its maps, and the allocator for rounding.
const perItem = 256

// Cache is a ports.Cache in this process.
type Cache[K comparable, V any] struct {
	cfg Config[K, V]

	// A Set beside a Close panics in ristretto, so uses hold the lock for reading and Close for writing.
	closing sync.RWMutex
	closed  bool
	items   *ristretto.Cache[string, item[K, V]]

	// Ristretto applies writes a moment later, drops some under load, and of two that wait for one key keeps the first.
	// So each write waits until it is applied, and they take turns: a value is put far less often than it is asked for.
	writing sync.Mutex
}

// item repeats its key: ristretto tells keys apart by a hash only.
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
	items, err := ristretto.NewCache(&ristretto.Config[string, item[K, V]]{
		NumCounters:        max(countersPerItem*cfg.MaxBytes/1024, 1000),
		MaxCost:            cfg.MaxBytes,
		BufferItems:        buffer,
		IgnoreInternalCost: true, // perItem stands for it, whatever ristretto's version counts
	})
	if err != nil {
		return nil, fmt.Errorf("ristretto: %w", err)
	}

	return &Cache[K, V]{cfg: cfg, items: items}, nil
}

// Get returns the value last put under key, if it is still kept.
func (c *Cache[K, V]) Get(_ context.Context, key K) (V, bool) {
	var none V
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return none, false
	}

	it, ok := c.items.Get(c.cfg.Text(key))
	if !ok || it.key != key {
		return none, false
	}

	return it.value, true
}

// Put keeps the value for at most ttl, as room allows: of new keys, ristretto admits those that it expects to be asked
// for.
func (c *Cache[K, V]) Put(_ context.Context, key K, value V, ttl time.Duration) {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return
	}

	text := c.cfg.Text(key)
	cost := c.cfg.Bytes(key, value) + perItem
	c.writing.Lock()
	defer c.writing.Unlock()
	if ttl <= 0 || cost > c.cfg.MaxBytes || !c.items.SetWithTTL(text, item[K, V]{key, value}, cost, ttl) {
		c.items.Del(text) // the value before must not outlive the one that was not kept
	}
	c.items.Wait()
}

// Delete deletes the values of the keys.
func (c *Cache[K, V]) Delete(_ context.Context, keys ...K) {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return
	}

	c.writing.Lock()
	defer c.writing.Unlock()
	for _, key := range keys {
		c.items.Del(c.cfg.Text(key))
	}
	c.items.Wait()
}

// Close empties the Cache and ends its goroutines; afterwards it keeps nothing. It may be called twice.
func (c *Cache[K, V]) Close() {
	c.closing.Lock()
	defer c.closing.Unlock()
	if !c.closed {
		c.closed = true
		c.items.Close()
	}
}
