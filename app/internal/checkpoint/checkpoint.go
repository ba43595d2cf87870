// Package checkpoint tells whether the pages of a request still hold that were returned before. A page token carries a
// checkpoint from page to page as a domain.Checkpoint, which Encode makes and Decode reads.
package checkpoint

import (
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/blockhash"
)

// Checkpoint summarizes what the pages of a request returned up to a position, so that a later page can tell whether
// that changed meanwhile. Page tokens carry it. It has no rows, and its size does not depend on their number.
type Checkpoint struct {
	// Range begins with the first page and ends at the position, which is Next of the last page.
	Range domain.Range

	// Series has the stored series that the pages were read from and that have versions.
	Series []Series

	// Uncovered is the blockhash.OfRanges of the uncovered parts of Range, where Series does not tell them: where some
	// part is uncovered, or comes from a store without versions. It is 0 otherwise.
	Uncovered uint64
}

// Series summarizes the state of one stored series within a range.
type Series struct {
	Store domain.StoreName
	Grid  domain.Grid     // of stored bars; zero for ticks
	Ticks domain.TickKind // empty for bars
	Range domain.Range    // that was read, up to the position

	Version  domain.Version // of the series; zero if it was read at several
	Coverage uint64         // blockhash.OfRanges of the coverage within Range
	Blocks   uint64         // sum of the hashes of the blocks that end in Range: the number and the version of each

	// Cut is the version of the block that the end of Range cuts, if the state had a tail for it. Then Last is the
	// blockhash.OfRow of the last row of the block before the end; else Cut is zero, and Last the hash of all of them,
	// blockhash.OfBars or blockhash.OfTicks. Last is 0 without a row.
	Cut  domain.Version
	Last uint64
}

// Find returns the checkpoint of the stored series. One without a range is returned if there is none; c may be nil.
func (c *Checkpoint) Find(store domain.StoreName, grid domain.Grid, ticks domain.TickKind) Series {
	if c != nil {
		for _, s := range c.Series {
			if s.Store == store && s.Grid == grid && s.Ticks == ticks {
				return s
			}
		}
	}

	return Series{Store: store, Grid: grid, Ticks: ticks}
}

// Layout returns the blocks of the series.
func (s *Series) Layout() domain.BlockLayout {
	if s.Ticks != "" {
		return domain.TickBlocks()
	}
	return domain.BarBlocks(s.Grid)
}

// Tail returns the part of r in the block that contains the last instant of r.
func (s *Series) Tail(r domain.Range) domain.Range {
	layout := s.Layout()
	_, end := r.Micros()
	i := layout.Index(end - 1)

	return layout.Range(i, i+1).Intersect(r)
}

// HasTail reports whether the state has a tail for the block that contains the last instant of r.
func (s *Series) HasTail(state *domain.SeriesState, r domain.Range) bool {
	_, end := r.Micros()
	last, found := state.LastBlock()

	return found && last.Index == s.Layout().Index(end-1) && len(state.Tail) > 0
}

// Advance returns the checkpoint for r, which contains Range, and the state of the series, which has the blocks of r;
// where it has the Version, those in Range may be absent. last is the hash of Last for Tail(r); hasTail says which one.
func (s *Series) Advance(state *domain.SeriesState, r domain.Range, last uint64, hasTail bool) Series {
	layout := s.Layout()
	next := *s
	var counted [2]int64 // the blocks that Blocks has already
	if state.Version == s.Version && s.Version != (domain.Version{}) {
		start, end := s.Range.Micros()
		counted = [2]int64{layout.Index(start), layout.Index(end)}
	} else {
		next.Blocks = 0
	}

	next.Range, next.Version, next.Cut, next.Last = r, state.Version, domain.Version{}, last
	next.Coverage = blockhash.OfRanges(domain.ClipRanges(state.Coverage, r))
	_, end := r.Micros()
	for _, b := range state.BlocksWithin(layout, r) {
		switch {
		case b.Index == layout.Index(end):
			if hasTail {
				next.Cut = b.Version
			}
		case b.Index < counted[0] || b.Index >= counted[1]:
			next.Blocks += blockhash.OfBlock(b)
		}
	}

	return next
}

// HoldsIn reports whether Range has the same rows and the same coverage in a later state of the series, which has the
// blocks of Range; where it has the Version, they may be absent. last is the hash of Last for Tail(Range): of all rows
// if Cut is zero. It may report false where other rows of the same blocks changed, and where rows were added behind the
// last one of the series beyond its block, because that ends the tail.
func (s *Series) HoldsIn(state *domain.SeriesState, last uint64) bool {
	if state.Version == s.Version && s.Version != (domain.Version{}) {
		return true
	}

	fresh := Series{Grid: s.Grid, Ticks: s.Ticks}
	now := fresh.Advance(state, s.Range, last, true)
	isCutSame := s.Cut == domain.Version{} || now.Cut == s.Cut ||
		s.HasTail(state, s.Range) && slices.Contains(state.Tail, s.Cut.Nonce)

	return isCutSame && now.Last == s.Last && now.Blocks == s.Blocks && now.Coverage == s.Coverage
}
