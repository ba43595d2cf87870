package ristretto

import (
	"unsafe"

	"github.com/gal-friday/marketdata/ports"
)

// Blocks is a ports.BlockCache. It is safe for concurrent use.
type Blocks struct {
	cache *Cache[ports.BlockKey, ports.Block]
}

var _ ports.BlockCache = (*Blocks)(nil)

// NewBlocks returns an empty cache of at most maxBytes, which must be above 0. A bar takes 56 bytes, or up to 96 with
// numbers of more than 64 bits. Close ends its goroutines.
func NewBlocks(maxBytes int64) (*Blocks, error) {
	cache, err := newCache(maxBytes, func(k ports.BlockKey, b ports.Block) int64 {
		return int64(unsafe.Sizeof(k)) + int64(len(k.Series.Symbol)) + b.Bytes()
	})
	if err != nil {
		return nil, err
	}

	return &Blocks{cache}, nil
}

// Get returns the block last put under the key and true, or false if it is not stored.
func (b *Blocks) Get(key ports.BlockKey) (ports.Block, bool) {
	if it := b.cache.find(key); it != nil {
		return it.value, true
	}
	return ports.Block{}, false
}

// Put stores the block, or rejects it as Cache.Put does. It returns when Get sees the block, or a miss.
func (b *Blocks) Put(key ports.BlockKey, block ports.Block) {
	b.cache.store(&item[ports.BlockKey, ports.Block]{key, block}, 0)
}

// Close empties the cache and ends its goroutines. A closed cache stores nothing. It may be called twice.
func (b *Blocks) Close() { b.cache.Close() }
