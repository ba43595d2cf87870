package seriescache

import (
	"sync/atomic"

	"github.com/gal-friday/marketdata/ports"
)

// counters are the counters of ports.CacheStats.
type counters struct {
	hits, sharedHits, misses, coalesced, tailReads, reads, bars, stateReads atomic.Int64
	bypassed, conflicts, wentBack, prefetched, prefetchHits                 atomic.Int64
	stale, hints, hintsLost                                                 atomic.Int64
}

// Stats implements blockcache.Reader.
func (s *Store) Stats() ports.CacheStats {
	c := &s.stats
	return ports.CacheStats{
		Disconnected: s.disconnected.Load(),
		Hits:         c.hits.Load(), SharedHits: c.sharedHits.Load(), Misses: c.misses.Load(), Coalesced: c.coalesced.Load(),
		TailReads: c.tailReads.Load(), Reads: c.reads.Load(), Bars: c.bars.Load(), StateReads: c.stateReads.Load(),
		Bypassed: c.bypassed.Load(), Conflicts: c.conflicts.Load(), WentBack: c.wentBack.Load(),
		Prefetched: c.prefetched.Load(), PrefetchHits: c.prefetchHits.Load(),
		Stale: c.stale.Load(), Hints: c.hints.Load(), HintsLost: c.hintsLost.Load(),
	}
}
