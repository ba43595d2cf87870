package chunks

import (
	"sync/atomic"

	"github.com/gal-friday/marketdata/ports"
)

type counters struct {
	hits, misses, joined, tails, reads, bars, aside, raced, ahead, aheadHits, invalidated, unpublished atomic.Int64
}

// Stats returns the counts so far.
func (s *Store) Stats() ports.CacheUse {
	c := &s.stats
	return ports.CacheUse{
		Deaf: s.deaf.Load(), Hits: c.hits.Load(), Misses: c.misses.Load(), Joined: c.joined.Load(), Tails: c.tails.Load(),
		Reads: c.reads.Load(), Bars: c.bars.Load(), Aside: c.aside.Load(), Raced: c.raced.Load(), Ahead: c.ahead.Load(),
		AheadHits: c.aheadHits.Load(), Invalidated: c.invalidated.Load(), Unpublished: c.unpublished.Load(),
	}
}
