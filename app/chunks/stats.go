package chunks

import (
	"sync/atomic"

	"github.com/gal-friday/marketdata/ports"
)

type counters struct {
	hits, misses, joined, tails, reads, bars, aside, raced, ahead, aheadHits, invalidated, unpublished atomic.Int64
}

// Stats returns the counts so far.
func (s *Store) Stats() ports.CacheStats {
	c := &s.stats
	return ports.CacheStats{
		Disconnected: s.deaf.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(), Coalesced: c.joined.Load(), TailReads: c.tails.Load(),
		Reads: c.reads.Load(), Bars: c.bars.Load(), Bypassed: c.aside.Load(), Conflicts: c.raced.Load(), Prefetched: c.ahead.Load(),
		PrefetchHits: c.aheadHits.Load(), Invalidated: c.invalidated.Load(), PublishErrors: c.unpublished.Load(),
	}
}
