// Package blockcache has the ports of a cache of blocks of bars. app/seriescache puts one in front of a store, and the
// packages of adapters/cache and adapters/store/postgres implement the ports. A program that links its own caches needs
// them; others choose a cache by configuration.
package blockcache

import (
	"context"
	"unsafe"

	"github.com/gal-friday/marketdata/domain"
)

// Key identifies a block of a series of bars in one store.
type Key struct {
	Store  domain.StoreName
	Series domain.SeriesKey
	Index  int64 // as domain.BarBlocks of the grid numbers them
}

// Block is the content of a block: all its covered bars at one version. It is right if and only if its version equals
// that of the block in the state of the series, so that nothing stored in a cache becomes stale, only useless.
type Block struct {
	Version domain.Version
	Bars    domain.Series // at least 1 and at most domain.MaxBlockBars

	// Validated means that a quality.Validator has no finding for the block, at any time of the clock. The same then
	// holds for every part of it.
	Validated bool
}

// Bytes returns the approximate memory of the block.
func (b Block) Bytes() int64 {
	const word, columns = 8, 7
	size := int64(unsafe.Sizeof(b)+unsafe.Sizeof(domain.Columns{})) + columns*word*int64(b.Bars.Len())
	stored := b.Bars.Columns()
	for f := domain.FieldOpen; f <= domain.FieldVolume; f++ {
		column, _ := stored.Field(f)
		size += word * int64(len(column.Hi))
	}

	return size
}

// Cache stores blocks in the memory of this process. It returns no errors: a failure is a miss. Callers share the
// blocks and must not change them. Safe for concurrent use.
type Cache interface {
	// Get returns the block of the last Put of the key, and true; false if there is none. It must not return the block of
	// another key, nor that of an earlier Put. It does not block.
	Get(key Key) (Block, bool)

	// Put stores the block, or not at all, and then it must remove the previous block of the key.
	Put(key Key, block Block)
}

// SharedCache stores blocks for many processes. It returns no errors: a failure is a miss, and returns in time. It
// must not return a block that no process put under the key. Safe for concurrent use.
type SharedCache interface {
	// GetBlocks returns the blocks of the keys: result i is that of key i, the zero Block where there is none. It needs
	// one round trip for many keys.
	GetBlocks(ctx context.Context, keys []Key) []Block

	// PutBlocks stores block i under key i, or not at all. A block may replace one of a newer version, which is then
	// missing and no error.
	PutBlocks(ctx context.Context, keys []Key, blocks []Block)
}
