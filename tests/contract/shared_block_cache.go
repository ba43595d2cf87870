package contract

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// SharedBlockCache tests a cache against every law of blockcache.SharedCache. open must return at least two values that
// share their blocks, each for one process. The cache must be empty and have capacity for a thousand blocks of a few
// bars. open registers the closing with tb.Cleanup.
func SharedBlockCache(t *testing.T, open func(tb testing.TB) []blockcache.SharedCache) {
	t.Helper()
	sharedBlockSuite.run(t, open, Profile{})
}

func indexKeys(from, to int) []blockcache.Key {
	var keys []blockcache.Key
	for i := from; i < to; i++ {
		keys = append(keys, blockKey(i))
	}

	return keys
}

// getBlocks returns the blocks of the keys. It fails unless there is one for each key, and unless each is the zero Block
// or the wanted one.
func getBlocks(
	ctx context.Context, c blockcache.SharedCache, keys []blockcache.Key, want []blockcache.Block,
) ([]blockcache.Block, error) {
	got := c.GetBlocks(ctx, keys)
	if len(got) != len(keys) {
		return nil, fmt.Errorf("GetBlocks got %d blocks, want one for each of %d keys", len(got), len(keys))
	}

	for i, b := range got {
		if isNone(b) {
			continue
		}
		if err := sameBlock(b, want[i]); err != nil {
			return nil, fmt.Errorf("GetBlocks, block %d of %v: %w", i, keys[i], err)
		}
	}

	return got, nil
}

// wantStored gets blocks through one cache, putting them through another until all are stored.
func wantStored(ctx context.Context, put, get blockcache.SharedCache, keys []blockcache.Key, want []blockcache.Block) error {
	missing := 0
	for range putTries {
		put.PutBlocks(ctx, keys, want)
		got, err := getBlocks(ctx, get, keys, want)
		if err != nil {
			return err
		}
		if missing = countNone(got); missing == 0 {
			return nil
		}
	}

	return fmt.Errorf("GetBlocks got nothing for %d of %d blocks after %d times PutBlocks, want all", missing, len(keys), putTries)
}

func countNone(blocks []blockcache.Block) int {
	n := 0
	for _, b := range blocks {
		if isNone(b) {
			n++
		}
	}

	return n
}

// wantNone fails if a key has a block.
func wantNone(ctx context.Context, c blockcache.SharedCache, keys []blockcache.Key) error {
	_, err := getBlocks(ctx, c, keys, make([]blockcache.Block, len(keys)))
	return err
}

// sharedBlockLaws is every law of blockcache.SharedCache.
var sharedBlockLaws = []law[[]blockcache.SharedCache]{
	{
		name: "shared/unknown_keys",
		text: "a key without a put has the zero Block",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			return steps(
				func() error { return wantNone(ctx, c[0], indexKeys(0, 1)) },
				func() error { return wantNone(ctx, c[0], indexKeys(0, 100)) },
			)
		},
	},
	{
		name: "shared/empty_calls",
		text: "no keys have no blocks, and putting no blocks stores none",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			c[0].PutBlocks(ctx, nil, nil)
			return steps(
				func() error { return wantNone(ctx, c[0], nil) },
				func() error { return wantNone(ctx, c[0], indexKeys(0, 3)) },
			)
		},
	},
	{
		name: "shared/returns_what_was_put",
		text: "a block is returned as it was put, under its own key only",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			keys := indexKeys(-10, 10)
			return steps(
				func() error { return wantStored(ctx, c[0], c[0], keys, blocksOf(keys)) },
				func() error { return wantNone(ctx, c[0], indexKeys(10, 30)) },
			)
		},
	},
	{
		name: "shared/own_key_only",
		text: "keys that differ in one part have different blocks",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			keys := blockKeys()
			return wantStored(ctx, c[0], c[0], keys, blocksOf(keys))
		},
	},
	{
		name: "shared/order_of_keys",
		text: "result i is the block of key i, also where keys are unknown or repeated",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			const n = 50
			stored := indexKeys(0, n)
			want := blocksOf(stored)
			if err := wantStored(ctx, c[0], c[0], stored, want); err != nil {
				return err
			}

			var keys []blockcache.Key
			var blocks []blockcache.Block
			for i := range n {
				keys = append(keys, blockKey(n-1-i), blockKey(n+i), blockKey(i/7))
				blocks = append(blocks, want[n-1-i], blockcache.Block{}, want[i/7])
			}
			got, err := getBlocks(ctx, c[0], keys, blocks)
			if err == nil && countNone(got) != n {
				err = fmt.Errorf("GetBlocks got %d keys without a block, want %d", countNone(got), n)
			}

			return err
		},
	},
	{
		name: "shared/many_keys",
		text: "a call may have any number of keys",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			keys := indexKeys(0, 1000)
			return wantStored(ctx, c[0], c[0], keys, blocksOf(keys))
		},
	},
	{
		name: "shared/largest_block",
		text: "a block of MaxBlockBars bars is stored, with numbers of any size",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			return wantStored(ctx, c[0], c[0], indexKeys(3, 4), []blockcache.Block{largestBlock(blockKey(3))})
		},
	},
	{
		name: "shared/later_put",
		text: "the version of a block and its bars are of one put, and a later put replaces an earlier one",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			for i := range 20 {
				if err := replaceBlock(ctx, c[0], i); err != nil {
					return fmt.Errorf("GetBlocks after PutBlocks %d: %w", i, err)
				}
			}

			return nil
		},
	},
	{
		name: "shared/other_process",
		text: "a block that one process puts is returned to the others",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			keys := indexKeys(0, 20)
			return wantStored(ctx, c[0], c[1], keys, blocksOf(keys))
		},
	},
	{
		name: "shared/slices_of_the_caller",
		text: "the caller may change its slices after a call",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			keys := indexKeys(0, 20)
			want := blocksOf(keys)
			putKeys, putBlocks := slices.Clone(keys), slices.Clone(want)
			if err := wantStored(ctx, c[0], c[0], putKeys, putBlocks); err != nil {
				return err
			}
			if !slices.Equal(putKeys, keys) {
				return fmt.Errorf("PutBlocks changed the keys of the caller: got %v, want %v", putKeys, keys)
			}

			slices.Reverse(putKeys)
			slices.Reverse(putBlocks)
			clear(putBlocks[:5])
			got, err := getBlocks(ctx, c[0], keys, want)
			if err == nil && countNone(got) > 0 {
				err = fmt.Errorf("GetBlocks got nothing for %d of %d blocks, want all", countNone(got), len(got))
			}

			return err
		},
	},
	{
		name: "shared/done_context",
		text: "a call with a canceled context returns within 250 ms, with a result for each key",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			keys := indexKeys(0, 1000)
			want := blocksOf(keys)
			canceled, cancel := context.WithCancel(ctx)
			cancel()
			var took time.Duration
			for range cancelTries {
				began := time.Now()
				c[0].PutBlocks(canceled, keys, want)
				if _, err := getBlocks(canceled, c[0], keys, want); err != nil {
					return err
				}
				if took = time.Since(began); took <= cancelLimit {
					return nil
				}
			}

			return fmt.Errorf("GetBlocks and PutBlocks got their end after %s, in the last of %d tries, want %s", took, cancelTries, cancelLimit)
		},
	},
	{
		name: "shared/concurrent",
		text: "many goroutines and processes may use it at once, and each key has only its own blocks",
		check: func(ctx context.Context, c []blockcache.SharedCache) error {
			use := func(c blockcache.SharedCache) func(context.Context) error {
				return func(ctx context.Context) error {
					for i := range 50 {
						keys := indexKeys(i%10, i%10+10)
						want := make([]blockcache.Block, len(keys))
						for j, k := range keys {
							want[j] = blockOf(k, int(k.Index))
						}
						c.PutBlocks(ctx, keys[:5], want[:5])
						if _, err := getBlocks(ctx, c, keys, want); err != nil {
							return err
						}
					}

					return nil
				}
			}

			return runAll(ctx, use(c[0]), use(c[1]), use(c[0]), use(c[1]))
		},
	},
}

// largestBlock returns a block of MaxBlockBars bars whose numbers have as many digits as a Decimal can have, with either
// sign.
func largestBlock(k blockcache.Key) blockcache.Block {
	b := blockOf(k, 0)
	numbers := slices.Concat(widest, smallest)
	from, _ := domain.BarBlocks(k.Series.Grid).Bounds(k.Index)
	builder := domain.NewSeriesBuilder(k.Series, domain.MaxBlockBars)
	at := from.Time()
	for i := range domain.MaxBlockBars {
		n := func(j int) domain.Decimal { return numbers[(i+j)%len(numbers)] }
		bar := domain.Bar{OpenTime: at, Open: n(0), High: n(1), Low: n(2), Close: n(3), Volume: n(4), Trades: int64(i)}
		if err := builder.Append(bar); err != nil {
			panic(err)
		}
		at = k.Series.Grid.Next(at)
	}
	b.Bars = must(builder.Series())

	return b
}

// replaceBlock puts block i of one key over block i - 1, until the cache returns it. Before that, the cache may return
// the previous block or none.
func replaceBlock(ctx context.Context, c blockcache.SharedCache, i int) error {
	k := blockKey(0)
	for range putTries {
		c.PutBlocks(ctx, []blockcache.Key{k}, []blockcache.Block{blockOf(k, i)})
		got := c.GetBlocks(ctx, []blockcache.Key{k})
		if len(got) != 1 {
			return fmt.Errorf("GetBlocks got %d blocks of one key, want 1", len(got))
		}
		if got[0].Version == blockOf(k, i).Version {
			return sameBlock(got[0], blockOf(k, i))
		}
		if isNone(got[0]) {
			continue
		}
		if err := sameBlock(got[0], blockOf(k, i-1)); err != nil {
			return err
		}
	}

	return fmt.Errorf("GetBlocks got nothing after %d times PutBlocks, want the block", putTries)
}
