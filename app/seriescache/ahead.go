package seriescache

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

const (
	aheadAtOnce = 2   // reads ahead under way, over all series; more are not begun
	maxWaiting  = 256 // blocks read ahead that were not used; with more, all are forgotten
)

// prefetch has the blocks that were read ahead of queries.
type prefetch struct {
	running atomic.Int32
	count   atomic.Int32 // of waiting, to be looked at without the lock
	mu      sync.Mutex
	waiting map[blockcache.Key]struct{} // read ahead and not used
}

// take reports whether the block was read ahead and is used for the first time.
func (p *prefetch) take(key blockcache.Key) bool {
	if p.count.Load() == 0 {
		return false
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	_, found := p.waiting[key]
	if found {
		delete(p.waiting, key)
		p.count.Add(-1)
	}

	return found
}

// expect records a block that was read ahead.
func (p *prefetch) expect(key blockcache.Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == maxWaiting {
		clear(p.waiting) // their readers went another way
	}
	p.waiting[key] = struct{}{}
	p.count.Store(int32(len(p.waiting)))
}

// hit records a block that was in a cache. The first use of one that was read ahead shows that its reader goes on.
func (s *Store) hit(key blockcache.Key) {
	s.stats.hits.Add(1)
	if s.prefetch.take(key) {
		s.stats.prefetchHits.Add(1)
		s.readAhead(key.Series, key.Index+1)
	}
}

// maybeReadAhead reads ahead where a reader that missed blocks came from the block before them.
func (r *reading) maybeReadAhead(absent []missing) {
	if r.query.Last > 0 || *r.store.cfg.ReadAhead == 0 {
		return
	}

	first, last := absent[0].Index, absent[len(absent)-1].Index
	if _, found := r.store.caches.Local.Get(r.store.blockKey(r.query.Key, first-1)); found {
		r.store.readAhead(r.query.Key, last+1)
	}
}

// readAhead reads the blocks from index on in the background, up to now, unless enough is under way.
func (s *Store) readAhead(key domain.SeriesKey, index int64) {
	layout := domain.BarBlocks(key.Grid)
	within := layout.Range(index, index+int64(*s.cfg.ReadAhead))
	if !within.Start.Before(s.clock.Now()) || within.Empty() {
		return
	}
	if s.prefetch.running.Add(1) > aheadAtOnce {
		s.prefetch.running.Add(-1)
		return
	}

	s.background(func() {
		defer s.prefetch.running.Add(-1)
		r := newReading(s, ports.BarQuery{Key: key, Range: within})
		r.loadAhead(s.closed)
	})
}

// loadAhead loads the blocks of the query one by one, so that a query for the next one shares its read. A failure is
// met again by the query that needs the block.
func (r *reading) loadAhead(ctx context.Context) {
	if r.takeState(ctx, r.query.Range) != nil {
		return
	}

	for _, b := range r.state.BlocksWithin(r.layout, r.query.Range) {
		pieces := make([]blockcache.Bars, 1)
		absent := r.absentBlocks([]domain.BlockState{b}, pieces)
		if len(absent) == 0 {
			continue
		}
		if r.loadAbsent(ctx, absent, pieces) != nil {
			return
		}

		r.store.stats.prefetched.Add(1)
		r.store.prefetch.expect(r.store.blockKey(r.query.Key, b.Index))
	}
}
