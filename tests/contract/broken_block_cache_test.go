package contract

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// broken_block_cache_test.go has a map that keeps every law of blockcache.Cache and of blockcache.SharedCache, and seeds
// faults into it.

// blockMap stores blocks in a map.
type blockMap struct {
	blockFault
	mu     sync.Mutex
	blocks map[blockcache.Key]blockcache.Block

	retainedKeys   []blockcache.Key // of the last PutBlocks
	retainedBlocks []blockcache.Block
}

// blockFault is a set of faults.
type blockFault struct {
	keyOf func(k blockcache.Key) blockcache.Key          // the key under which a block is stored
	put   func(old, b blockcache.Block) blockcache.Block // what a Put stores over the old block; the zero Block is nothing
	get   func(b blockcache.Block) blockcache.Block      // what a Get returns for the stored block; the zero Block is a miss
	putAt func(m *blockMap, k []blockcache.Key, b []blockcache.Block)
	getAt func(ctx context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block
	alone bool // processes do not share their blocks
}

func (m *blockMap) Get(key blockcache.Key) (blockcache.Block, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keyOf != nil {
		key = m.keyOf(key)
	}
	b := m.blocks[key]
	if m.get != nil {
		b = m.get(b)
	}

	return b, !isNone(b)
}

func (m *blockMap) Put(key blockcache.Key, b blockcache.Block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keyOf != nil {
		key = m.keyOf(key)
	}
	if m.put != nil {
		b = m.put(m.blocks[key], b)
	}
	m.blocks[key] = b
}

func (m *blockMap) GetBlocks(ctx context.Context, keys []blockcache.Key) []blockcache.Block {
	if m.getAt != nil {
		return m.getAt(ctx, m, keys)
	}
	return m.getEach(keys)
}

func (m *blockMap) getEach(keys []blockcache.Key) []blockcache.Block {
	blocks := make([]blockcache.Block, len(keys))
	for i, k := range keys {
		blocks[i], _ = m.Get(k)
	}

	return blocks
}

func (m *blockMap) PutBlocks(_ context.Context, keys []blockcache.Key, blocks []blockcache.Block) {
	for i, k := range keys {
		m.Put(k, blocks[i])
	}
	if m.putAt != nil {
		m.putAt(m, keys, blocks)
	}
}

func openBlockMap(f blockFault) *blockMap {
	return &blockMap{blockFault: f, blocks: map[blockcache.Key]blockcache.Block{}}
}

func openSharedBlockMap(f blockFault) []blockcache.SharedCache {
	m := openBlockMap(f)
	if f.alone {
		return []blockcache.SharedCache{m, openBlockMap(f)}
	}

	return []blockcache.SharedCache{m, m}
}

func TestBlockCache(t *testing.T) {
	t.Parallel()
	BlockCache(t, func(testing.TB) blockcache.Cache { return openBlockMap(blockFault{}) })
}

func TestSharedBlockCache(t *testing.T) {
	t.Parallel()
	SharedBlockCache(t, func(testing.TB) []blockcache.SharedCache { return openSharedBlockMap(blockFault{}) })
}

func TestEveryBlockLawNoticesAFault(t *testing.T) {
	t.Parallel()
	noticeBlockFaults(t, blockLaws, blockFaults, func(f blockFault) blockcache.Cache { return openBlockMap(f) })
}

func TestEverySharedBlockLawNoticesAFault(t *testing.T) {
	t.Parallel()
	noticeBlockFaults(t, sharedBlockLaws, sharedBlockFaults, openSharedBlockMap)
}

// seededFault is a fault and the laws that must fail.
type seededFault struct {
	name string
	blockFault
	laws []string
}

// noticeBlockFaults requires that each fault breaks its laws, and that each law has a fault that breaks it.
func noticeBlockFaults[T any](t *testing.T, laws []law[T], faults []seededFault, open func(blockFault) T) {
	t.Helper()
	noticed := map[string]bool{}
	for _, f := range faults {
		for _, name := range f.laws {
			noticed[name] = true
			i := slices.IndexFunc(laws, func(l law[T]) bool { return l.name == name })
			if i < 0 {
				t.Errorf("%s: there is no law %s", f.name, name)
				continue
			}

			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				if !isNoticed(t, laws[i].run(t.Context(), open(f.blockFault))) {
					t.Errorf("the law does not notice: %s", laws[i].text)
				}
			})
		}
	}

	for _, l := range laws {
		if !noticed[l.name] {
			t.Errorf("no fault breaks %s", l.name)
		}
	}
}

// onHit returns a fault that alters the blocks that are found.
func onHit(alter func(b *blockcache.Block)) blockFault {
	return blockFault{get: func(b blockcache.Block) blockcache.Block {
		if !isNone(b) {
			alter(&b)
		}
		return b
	}}
}

// onKey returns a fault that alters the keys.
func onKey(alter func(k *blockcache.Key)) blockFault {
	return blockFault{keyOf: func(k blockcache.Key) blockcache.Key {
		alter(&k)
		return k
	}}
}

// onGet returns a fault that alters the keys of GetBlocks.
func onGet(alter func(keys []blockcache.Key) []blockcache.Key) blockFault {
	return blockFault{getAt: func(_ context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block {
		return m.getEach(alter(slices.Clone(keys)))
	}}
}

var (
	invents = blockFault{get: func(b blockcache.Block) blockcache.Block {
		if isNone(b) {
			return blockOf(blockKey(0), 0)
		}
		return b
	}}

	storesNothing = blockFault{put: func(_, _ blockcache.Block) blockcache.Block { return blockcache.Block{} }}

	firstPutWins = blockFault{put: func(old, b blockcache.Block) blockcache.Block {
		if !isNone(old) {
			return old
		}
		return b
	}}

	mixesPuts = blockFault{put: func(old, b blockcache.Block) blockcache.Block {
		if !isNone(old) {
			b.Bars = old.Bars
		}
		return b
	}}

	losesValidated = onHit(func(b *blockcache.Block) { b.Validated = false })
	losesNonce     = onHit(func(b *blockcache.Block) { b.Version.Nonce = 0 })
	losesBar       = onHit(func(b *blockcache.Block) { b.Bars = b.Bars.Slice(0, b.Bars.Len()-1) })

	ignoresStore     = onKey(func(k *blockcache.Key) { k.Store = "" })
	ignoresVenue     = onKey(func(k *blockcache.Key) { k.Series.Symbol = domain.Symbol(k.Series.Symbol.Instrument()) })
	ignoresFrequency = onKey(func(k *blockcache.Key) {
		if k.Series.Grid.Zone() == "" {
			k.Series.Grid = domain.Day1.UTC()
		}
	})
	ignoresZone      = onKey(func(k *blockcache.Key) { k.Series.Grid = k.Series.Grid.Frequency().UTC() })
	ignoresPriceType = onKey(func(k *blockcache.Key) { k.Series.PriceType = domain.PriceTrade })
	ignoresSign      = onKey(func(k *blockcache.Key) { k.Index = max(k.Index, -k.Index) })
	sharesItems      = onKey(func(k *blockcache.Key) { k.Index %= 7 })
)

var blockFaults = []seededFault{
	{"an unknown key has a block", invents, []string{"blocks/empty_misses", "blocks/returns_what_was_put"}},
	{"nothing is stored", storesNothing, []string{
		"blocks/returns_what_was_put", "blocks/own_key_only", "blocks/shares_memory",
	}},
	{"a validation is lost", losesValidated, []string{"blocks/returns_what_was_put"}},
	{"a nonce is lost", losesNonce, []string{"blocks/returns_what_was_put", "blocks/last_put_wins"}},
	{"a bar is lost", losesBar, []string{"blocks/returns_what_was_put"}},
	{"the store is ignored", ignoresStore, []string{"blocks/own_key_only"}},
	{"the venue is ignored", ignoresVenue, []string{"blocks/own_key_only"}},
	{"the frequency is ignored", ignoresFrequency, []string{"blocks/own_key_only"}},
	{"the zone is ignored", ignoresZone, []string{"blocks/own_key_only"}},
	{"the price type is ignored", ignoresPriceType, []string{"blocks/own_key_only"}},
	{"the sign is ignored", ignoresSign, []string{"blocks/own_key_only"}},
	{"keys share an item", sharesItems, []string{"blocks/returns_what_was_put", "blocks/concurrent"}},
	{"the first put wins", firstPutWins, []string{"blocks/last_put_wins"}},
	{"the version and the bars are of two puts", mixesPuts, []string{"blocks/last_put_wins"}},
	{"bars are copied", onHit(func(b *blockcache.Block) {
		b.Bars = join(b.Bars.Slice(0, 0), b.Bars)
	}), []string{"blocks/shares_memory"}},
}

var sharedBlockFaults = []seededFault{
	{"an unknown key has a block", invents, []string{"shared/unknown_keys", "shared/empty_calls"}},
	{"unknown keys are left out", blockFault{
		getAt: func(_ context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block {
			return slices.DeleteFunc(m.getEach(keys), isNone)
		},
	}, []string{"shared/unknown_keys", "shared/order_of_keys"}},
	{"no keys have a block", blockFault{
		getAt: func(_ context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block {
			return append(m.getEach(keys), make([]blockcache.Block, max(0, 1-len(keys)))...)
		},
	}, []string{"shared/empty_calls"}},
	{"no blocks are stored as one", blockFault{
		putAt: func(m *blockMap, keys []blockcache.Key, _ []blockcache.Block) {
			if len(keys) == 0 {
				m.Put(blockKey(0), blockOf(blockKey(0), 0))
			}
		},
	}, []string{"shared/empty_calls"}},
	{"nothing is stored", storesNothing, []string{"shared/returns_what_was_put", "shared/own_key_only"}},
	{"a validation is lost", losesValidated, []string{"shared/returns_what_was_put"}},
	{"a nonce is lost", losesNonce, []string{"shared/returns_what_was_put"}},
	{"a bar is lost", losesBar, []string{"shared/returns_what_was_put"}},
	{"the store is ignored", ignoresStore, []string{"shared/own_key_only"}},
	{"the venue is ignored", ignoresVenue, []string{"shared/own_key_only"}},
	{"the frequency is ignored", ignoresFrequency, []string{"shared/own_key_only"}},
	{"the zone is ignored", ignoresZone, []string{"shared/own_key_only"}},
	{"the price type is ignored", ignoresPriceType, []string{"shared/own_key_only"}},
	{"the sign is ignored", ignoresSign, []string{"shared/own_key_only"}},
	{"keys share an item", sharesItems, []string{"shared/returns_what_was_put", "shared/concurrent"}},
	{"results are sorted", onGet(func(keys []blockcache.Key) []blockcache.Key {
		slices.SortFunc(keys, func(a, b blockcache.Key) int { return int(a.Index - b.Index) })
		return keys
	}), []string{"shared/order_of_keys"}},
	{"repeated keys have one result", onGet(slices.Compact[[]blockcache.Key]), []string{"shared/order_of_keys"}},
	{"repeated keys have one block", blockFault{
		getAt: func(_ context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block {
			blocks := m.getEach(keys)
			for i, k := range keys {
				if slices.Contains(keys[:i], k) {
					blocks[i] = blockcache.Block{}
				}
			}

			return blocks
		},
	}, []string{"shared/order_of_keys"}},
	{"a call has a hundred keys at most", onGet(func(keys []blockcache.Key) []blockcache.Key {
		return keys[:min(len(keys), 100)]
	}), []string{"shared/many_keys"}},
	{"large blocks are rejected", blockFault{put: func(_, b blockcache.Block) blockcache.Block {
		if b.Bars.Len() > 4000 {
			return blockcache.Block{}
		}
		return b
	}}, []string{"shared/largest_block"}},
	{"the first put wins", firstPutWins, []string{"shared/later_put"}},
	{"the version and the bars are of two puts", mixesPuts, []string{"shared/later_put"}},
	{"processes do not share", blockFault{alone: true}, []string{"shared/other_process"}},
	{"the keys of the caller are changed", blockFault{
		putAt: func(_ *blockMap, keys []blockcache.Key, _ []blockcache.Block) { slices.Reverse(keys) },
	}, []string{"shared/slices_of_the_caller"}},
	{"the slices of the caller are retained", blockFault{
		putAt: func(m *blockMap, keys []blockcache.Key, blocks []blockcache.Block) {
			m.retainedKeys, m.retainedBlocks = keys, blocks
		},
		getAt: func(_ context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block {
			blocks := make([]blockcache.Block, len(keys))
			for i, k := range keys {
				if at := slices.Index(m.retainedKeys, k); at >= 0 {
					blocks[i] = m.retainedBlocks[at]
				}
			}

			return blocks
		},
	}, []string{"shared/slices_of_the_caller"}},
	{"a canceled call waits", blockFault{
		getAt: func(ctx context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block {
			if ctx.Err() != nil {
				<-time.After(2 * cancelLimit)
			}
			return m.getEach(keys)
		},
	}, []string{"shared/done_context"}},
	{"a canceled call has no results", blockFault{
		getAt: func(ctx context.Context, m *blockMap, keys []blockcache.Key) []blockcache.Block {
			if ctx.Err() != nil {
				return nil
			}
			return m.getEach(keys)
		},
	}, []string{"shared/done_context"}},
}
