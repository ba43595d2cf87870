package chunks

import "sync/atomic"

// Stats counts what a Store did since it was made.
type Stats struct {
	Hits        int64 // chunks found in the cache
	Misses      int64 // chunks read from the store, ahead or for a caller
	Joined      int64 // chunks that one caller had of another's read
	Tails       int64 // reads of which the first chunk needed its tail only
	Reads       int64 // reads of the store for the cache
	Bars        int64 // bars that those returned
	Aside       int64 // queries answered by the store alone
	Raced       int64 // answers and chunks given up because a write fell in between
	Ahead       int64 // chunks read ahead
	AheadHits   int64 // of them, those that somebody then asked for
	Invalidated int64 // chunks that writes, here or elsewhere, made untrue
	Unpublished int64 // writes that other processes were not told of
}

type counters struct {
	hits, misses, joined, tails, reads, bars, aside, raced, ahead, aheadHits, invalidated, unpublished atomic.Int64
}

// Stats returns the counts so far.
func (s *Store) Stats() Stats {
	c := &s.stats
	return Stats{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Joined: c.joined.Load(), Tails: c.tails.Load(), Reads: c.reads.Load(),
		Bars: c.bars.Load(), Aside: c.aside.Load(), Raced: c.raced.Load(), Ahead: c.ahead.Load(), AheadHits: c.aheadHits.Load(),
		Invalidated: c.invalidated.Load(), Unpublished: c.unpublished.Load(),
	}
}
