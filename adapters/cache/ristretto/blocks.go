package ristretto

import (
	"unsafe"

	"github.com/gal-friday/marketdata/ports/blockcache"
)

// Blocks is a blockcache.Cache. It is safe for concurrent use.
type Blocks struct {
	cache *Cache[blockcache.Key, blockcache.Block]
}

var _ blockcache.Cache = (*Blocks)(nil)

// NewBlocks returns an empty cache of at most maxBytes, which must be above 0. A bar takes 56 bytes, or up to 96 with
// numbers of more than 64 bits. Close ends its goroutines.
func NewBlocks(maxBytes int64) (*Blocks, error) {
	cache, err := newCache(maxBytes, func(k blockcache.Key, b blockcache.Block) int64 {
		return int64(unsafe.Sizeof(k)) + int64(len(k.Series.Symbol)) + b.Bytes()
	})
	if err != nil {
		return nil, err
	}

	return &Blocks{cache}, nil
}

// Get returns the block last put under the key and true, or false if it is not stored.
func (b *Blocks) Get(key blockcache.Key) (blockcache.Block, bool) {
	if it := b.cache.find(key); it != nil {
		return it.value, true
	}
	return blockcache.Block{}, false
}

// Put stores the block, or rejects it as Cache.Put does. It returns when Get sees the block, or a miss.
func (b *Blocks) Put(key blockcache.Key, block blockcache.Block) {
	b.cache.store(&item[blockcache.Key, blockcache.Block]{key, block}, 0)
}

// Close empties the cache and ends its goroutines. A closed cache stores nothing. It may be called twice.
func (b *Blocks) Close() { b.cache.Close() }
