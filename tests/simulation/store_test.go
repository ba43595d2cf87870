package simulation

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// remoteStore is a memory store behind a server.
type remoteStore struct {
	*memory.Store
	server *server
}

// Local implements ports.LocalStore: every call waits for the server.
func (s remoteStore) Local() bool { return false }

// ReadBars implements ports.BarReader.
func (s remoteStore) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		o := s.server.call(ctx)
		if o.before != nil {
			yield(ports.Piece[domain.Series]{}, o.before)
			return
		}
		for p, err := range s.Store.ReadBars(ctx, q) {
			if !yield(p, err) || err != nil {
				return
			}
			if o.middle != nil {
				yield(ports.Piece[domain.Series]{}, o.middle)
				return
			}
		}
		if o.after != nil {
			yield(ports.Piece[domain.Series]{}, o.after)
		}
	}
}

// ReadStates implements ports.StateReader.
func (s remoteStore) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	return ask(ctx, s.server, func() ([]*domain.SeriesState, error) { return s.Store.ReadStates(ctx, queries) })
}

// WriteBatch implements ports.BarWriter. A lost answer leaves it open what was written.
func (s remoteStore) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results, err := ask(ctx, s.server, func() ([]ports.WriteResult, error) { return s.Store.WriteBatch(ctx, writes), nil })
	if err != nil {
		results = make([]ports.WriteResult, len(writes))
		for i := range results {
			results[i].Err = err
		}
	}

	return results
}

// ReplaceBars implements ports.BarWriter.
func (s remoteStore) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return ask(ctx, s.server, func() (ports.WriteReport, error) { return s.Store.ReplaceBars(ctx, bars, r) })
}

// DeleteBars implements ports.BarWriter.
func (s remoteStore) DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	return ask(ctx, s.server, func() (ports.WriteReport, error) { return s.Store.DeleteBars(ctx, key, r) })
}

// Extents implements ports.CoverageReader.
func (s remoteStore) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		return ask(ctx, s.server, func() ([]domain.Extent, error) { return ports.Collect(s.Store.Extents(ctx, q)) })
	})
}

// Symbols implements ports.SymbolCatalog.
func (s remoteStore) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		return ask(ctx, s.server, func() ([]domain.SymbolMeta, error) { return ports.Collect(s.Store.Symbols(ctx, q)) })
	})
}

// ask makes a call whose answer is whole, or lost.
func ask[T any](ctx context.Context, server *server, work func() (T, error)) (T, error) {
	var none T
	o := server.call(ctx)
	if o.before != nil {
		return none, o.before
	}

	result, err := work()
	if o.middle != nil {
		return none, o.middle
	}
	if o.after != nil {
		return none, o.after
	}

	return result, err
}

// sharedCache is a cache that all processes share. Without its server it has nothing.
type sharedCache struct {
	server *server
	mu     sync.Mutex
	blocks map[blockcache.Key]blockcache.Block
}

// GetBlocks implements blockcache.SharedCache.
func (c *sharedCache) GetBlocks(ctx context.Context, keys []blockcache.Key) []blockcache.Block {
	blocks := make([]blockcache.Block, len(keys))
	if !c.answers(ctx) {
		return blocks
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for i, key := range keys {
		blocks[i] = c.blocks[key]
	}

	return blocks
}

// PutBlocks implements blockcache.SharedCache.
func (c *sharedCache) PutBlocks(ctx context.Context, keys []blockcache.Key, blocks []blockcache.Block) {
	if !c.answers(ctx) {
		return
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for i, key := range keys {
		c.blocks[key] = blocks[i]
	}
}

// answers reports whether the server answers within the 25 ms that a caller waits for it.
func (c *sharedCache) answers(ctx context.Context) bool {
	const patience = 25 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	return c.server.call(ctx) == outcome{}
}

// bus carries hints of writes between the processes. They are lost while the server has a fault.
type bus struct {
	server *server
	mu     sync.Mutex
	subs   map[chan blockcache.Hint]*connection // by which process
}

// connection is a blockcache.Hints of one process.
type connection struct{ *bus }

// Publish implements blockcache.Hints.
func (c *connection) Publish(ctx context.Context, hints ...blockcache.Hint) error {
	if o := c.server.call(ctx); o != (outcome{}) {
		return ports.ErrUnavailable
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	for sub, subscriber := range c.subs {
		for _, h := range hints {
			if subscriber != c && len(sub) < cap(sub) {
				sub <- h
			}
		}
	}

	return nil
}

// Subscribe implements blockcache.Hints.
func (c *connection) Subscribe(ctx context.Context) (iter.Seq2[blockcache.Hint, error], error) {
	if o := c.server.call(ctx); o != (outcome{}) {
		return nil, ports.ErrUnavailable
	}

	sub := make(chan blockcache.Hint, 100)
	c.mu.Lock()
	c.subs[sub] = c
	c.mu.Unlock()

	return func(yield func(blockcache.Hint, error) bool) {
		defer func() {
			c.mu.Lock()
			delete(c.subs, sub)
			c.mu.Unlock()
		}()
		for {
			select {
			case h := <-sub:
				if !yield(h, nil) {
					return
				}
			case <-ctx.Done():
				yield(blockcache.Hint{}, ctx.Err())
				return
			}
		}
	}, nil
}
