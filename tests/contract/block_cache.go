package contract

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// BlockCache tests a cache against every law of blockcache.Cache. open must return an empty cache with capacity for at
// least a hundred blocks of a few bars, and register its closing with tb.Cleanup.
func BlockCache(t *testing.T, open func(tb testing.TB) blockcache.Cache) {
	t.Helper()
	blockSuite.run(t, open, Profile{})
}

// putTries is how often a law puts a block until the cache stores it. A cache may reject a block but must not reject all.
const putTries = 100

// blockKey returns a key; different numbers give different keys of one series.
func blockKey(i int) blockcache.Key {
	return blockcache.Key{Store: "memory", Series: key, Index: int64(i)}
}

// blockKeys returns keys that each differ from the first in one part.
func blockKeys() []blockcache.Key {
	days := domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Day1.UTC()}
	first := blockcache.Key{Store: "memory", Series: days, Index: 11}
	keys := []blockcache.Key{first}
	add := func(change func(k *blockcache.Key)) {
		k := first
		change(&k)
		keys = append(keys, k)
	}

	add(func(k *blockcache.Key) { k.Store = "memory2" })
	add(func(k *blockcache.Key) { k.Series.Symbol = "BTC/USDT" })
	add(func(k *blockcache.Key) { k.Series.Symbol = "COINBASE:BTC/USD" })
	add(func(k *blockcache.Key) { k.Series.Grid = domain.Minute1.UTC() })
	add(func(k *blockcache.Key) { k.Series.Grid = must(domain.NewGrid(domain.Day1, "Asia/Kolkata")) })
	add(func(k *blockcache.Key) { k.Series.PriceType = domain.PriceBid })
	add(func(k *blockcache.Key) { k.Index = 1 })
	add(func(k *blockcache.Key) { k.Index = -1 })

	return keys
}

// blockOf returns a block of the key; different seeds give different versions and bars.
func blockOf(k blockcache.Key, seed int) blockcache.Block {
	from, _ := domain.BarBlocks(k.Series.Grid).Bounds(k.Index)
	return blockcache.Block{
		Version:   domain.Version{Revision: int64(seed) + 1, Nonce: math.MaxUint64 - uint64(seed)},
		Bars:      bars(k.Series, from.Time(), 1+seed%3, seed),
		Validated: seed%2 == 0,
	}
}

// blocksOf returns blocks of the keys: of seed 0 for the first, of seed 1 for the next, and so on.
func blocksOf(keys []blockcache.Key) []blockcache.Block {
	blocks := make([]blockcache.Block, len(keys))
	for i, k := range keys {
		blocks[i] = blockOf(k, i)
	}

	return blocks
}

// isNone reports whether b is the zero Block.
func isNone(b blockcache.Block) bool {
	return b.Version == (domain.Version{}) && b.Bars.Len() == 0 && !b.Validated
}

// sameBlock compares two blocks, the bars number by number.
func sameBlock(got, want blockcache.Block) error {
	if got.Version != want.Version || got.Validated != want.Validated {
		return fmt.Errorf("got version %s, validated %t; want version %s, validated %t",
			got.Version, got.Validated, want.Version, want.Validated)
	}

	return sameBars(got.Bars, want.Bars)
}

// putBlock puts the block until the cache stores it, and checks what it returns.
func putBlock(c blockcache.Cache, k blockcache.Key, b blockcache.Block) error {
	for range putTries {
		c.Put(k, b)
		if got, ok := c.Get(k); ok {
			return sameBlock(got, b)
		}
	}

	return fmt.Errorf("Get got nothing after %d times Put into a cache with free capacity, want the block", putTries)
}

// blockLaws is every law of blockcache.Cache.
var blockLaws = []law[blockcache.Cache]{
	{
		name: "blocks/empty_misses",
		text: "a key without a put is a miss",
		check: func(_ context.Context, c blockcache.Cache) error {
			if got, ok := c.Get(blockKey(0)); ok || !isNone(got) {
				return fmt.Errorf("Get of an empty cache got %v, %t, want the zero Block, false", got, ok)
			}
			return nil
		},
	},
	{
		name: "blocks/returns_what_was_put",
		text: "a block is returned as it was put, under its own key only",
		check: func(_ context.Context, c blockcache.Cache) error {
			const n = 20
			for i := range n {
				if err := putBlock(c, blockKey(i), blockOf(blockKey(i), i)); err != nil {
					return fmt.Errorf("Put and Get of block %d: %w", i, err)
				}
			}

			for i := n; i < 2*n; i++ {
				if got, ok := c.Get(blockKey(i)); ok {
					return fmt.Errorf("Get of block %d, which was not put, got %v, want none", i, got)
				}
			}

			return nil
		},
	},
	{
		name: "blocks/own_key_only",
		text: "keys that differ in one part have different blocks",
		check: func(_ context.Context, c blockcache.Cache) error {
			keys := blockKeys()
			want := blocksOf(keys)
			for i, k := range keys {
				if err := putBlock(c, k, want[i]); err != nil {
					return fmt.Errorf("Put and Get of %v: %w", k, err)
				}
			}

			for i, k := range keys {
				if got, ok := c.Get(k); ok {
					if err := sameBlock(got, want[i]); err != nil {
						return fmt.Errorf("Put and Get of %v: %w", k, err)
					}
				}
			}

			return nil
		},
	},
	{
		name: "blocks/last_put_wins",
		text: "a block that was put before the last one is never returned",
		check: func(_ context.Context, c blockcache.Cache) error {
			for i := range 100 {
				c.Put(blockKey(0), blockOf(blockKey(0), i))
				if got, ok := c.Get(blockKey(0)); ok {
					if err := sameBlock(got, blockOf(blockKey(0), i)); err != nil {
						return fmt.Errorf("Get after Put %d: %w", i, err)
					}
				}
			}

			return nil
		},
	},
	{
		name: "blocks/shares_memory",
		text: "a block is shared, not copied",
		check: func(_ context.Context, c blockcache.Cache) error {
			want := blockOf(blockKey(0), 0)
			if err := putBlock(c, blockKey(0), want); err != nil {
				return err
			}

			got, ok := c.Get(blockKey(0))
			if !ok || &got.Bars.Columns().OpenMicros[0] != &want.Bars.Columns().OpenMicros[0] {
				return errors.New("Get got a copy of the bars, want those in the memory of the ones that were put")
			}

			return nil
		},
	},
	{
		name: "blocks/concurrent",
		text: "many goroutines may use it at once, and each key has only its own blocks",
		check: func(ctx context.Context, c blockcache.Cache) error {
			use := func(context.Context) error {
				for i := range 500 {
					c.Put(blockKey(i%10), blockOf(blockKey(i%10), i%10))
					other := (i + 1) % 10
					if got, ok := c.Get(blockKey(other)); ok {
						if err := sameBlock(got, blockOf(blockKey(other), other)); err != nil {
							return fmt.Errorf("Get of key %d: %w", other, err)
						}
					}
				}

				return nil
			}

			return runAll(ctx, use, use, use, use)
		},
	},
}
