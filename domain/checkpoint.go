package domain

import "slices"

// Checkpoint summarizes what the pages of a request returned up to a position, so that a later page can tell whether
// that changed meanwhile. Page tokens carry it. It has no rows, and its size does not depend on their number.
type Checkpoint struct {
	// Range begins with the first page and ends at the position, which is Next of the last page.
	Range Range

	// Series has the stored series that the pages were read from and that have versions.
	Series []SeriesCheckpoint

	// Uncovered is the HashRanges of the uncovered parts of Range, where Series does not tell them: where some part is
	// uncovered, or comes from a store without versions. It is 0 otherwise.
	Uncovered uint64
}

// SeriesCheckpoint summarizes the state of one stored series within a range.
type SeriesCheckpoint struct {
	Store StoreName
	Grid  Grid     // of stored bars; zero for ticks
	Ticks TickKind // empty for bars
	Range Range    // that was read, up to the position

	Version  Version // of the series; zero if it was read at several
	Coverage uint64  // HashRanges of the coverage within Range
	Blocks   uint64  // sum of the hashes of the blocks that end in Range: the number and the version of each

	// Cut is the version of the block that the end of Range cuts, if the state had a tail for it. Then Last is the HashRow
	// of the last row of the block before the end; else Cut is zero, and Last the hash of all of them, HashBars or
	// HashTicks. Last is 0 without a row.
	Cut  Version
	Last uint64
}

// Find returns the checkpoint of the stored series. One without a range is returned if there is none; c may be nil.
func (c *Checkpoint) Find(store StoreName, grid Grid, ticks TickKind) SeriesCheckpoint {
	if c != nil {
		for _, s := range c.Series {
			if s.Store == store && s.Grid == grid && s.Ticks == ticks {
				return s
			}
		}
	}

	return SeriesCheckpoint{Store: store, Grid: grid, Ticks: ticks}
}

// Layout returns the blocks of the series.
func (s *SeriesCheckpoint) Layout() BlockLayout {
	if s.Ticks != "" {
		return TickBlocks()
	}
	return BarBlocks(s.Grid)
}

// Tail returns the part of r in the block that contains the last instant of r.
func (s *SeriesCheckpoint) Tail(r Range) Range {
	layout := s.Layout()
	_, end := r.Micros()
	i := layout.Index(end - 1)

	return layout.Range(i, i+1).Intersect(r)
}

// HasTail reports whether the state has a tail for the block that contains the last instant of r.
func (s *SeriesCheckpoint) HasTail(state *SeriesState, r Range) bool {
	_, end := r.Micros()
	last, found := state.LastBlock()

	return found && last.Index == s.Layout().Index(end-1) && len(state.Tail) > 0
}

// Advance returns the checkpoint for r, which contains Range, and the state of the series, which has the blocks of r;
// where it has the Version, those in Range may be absent. last is the hash of Last for Tail(r); hasTail says which one.
func (s *SeriesCheckpoint) Advance(state *SeriesState, r Range, last uint64, hasTail bool) SeriesCheckpoint {
	layout := s.Layout()
	next := *s
	var counted [2]int64 // the blocks that Blocks has already
	if state.Version == s.Version && s.Version != (Version{}) {
		start, end := s.Range.Micros()
		counted = [2]int64{layout.Index(start), layout.Index(end)}
	} else {
		next.Blocks = 0
	}

	next.Range, next.Version, next.Cut, next.Last = r, state.Version, Version{}, last
	next.Coverage = HashRanges(ClipRanges(state.Coverage, r))
	_, end := r.Micros()
	for _, b := range state.BlocksWithin(layout, r) {
		switch {
		case b.Index == layout.Index(end):
			if hasTail {
				next.Cut = b.Version
			}
		case b.Index < counted[0] || b.Index >= counted[1]:
			next.Blocks += scramble(hashTerm(0, uint64(b.Index), uint64(b.Version.Revision)) + hashTerm(1, b.Version.Nonce, 0))
		}
	}

	return next
}

// HoldsIn reports whether Range has the same rows and the same coverage in a later state of the series, which has the
// blocks of Range; where it has the Version, they may be absent. last is the hash of Last for Tail(Range): of all rows
// if Cut is zero. It may report false where other rows of the same blocks changed, and where rows were added behind the
// last one of the series beyond its block, because that ends the tail.
func (s *SeriesCheckpoint) HoldsIn(state *SeriesState, last uint64) bool {
	if state.Version == s.Version && s.Version != (Version{}) {
		return true
	}

	fresh := SeriesCheckpoint{Grid: s.Grid, Ticks: s.Ticks}
	now := fresh.Advance(state, s.Range, last, true)
	isCutSame := s.Cut == Version{} || now.Cut == s.Cut ||
		s.HasTail(state, s.Range) && slices.Contains(state.Tail, s.Cut.Nonce)

	return isCutSame && now.Last == s.Last && now.Blocks == s.Blocks && now.Coverage == s.Coverage
}

// HashRanges returns a hash of the ranges, which must ascend. It is not 0.
func HashRanges(ranges []Range) uint64 {
	var h uint64
	for _, r := range ranges {
		start, end := r.Micros()
		h = scramble(hashTerm(2, h, uint64(start)) + hashTerm(3, uint64(end), 0))
	}

	return h | 1
}

// HashTicks returns the sum of the hashes of the ticks, modulo 2^64.
func HashTicks[T Tick](t Ticks[T]) (sum uint64) {
	for _, tick := range t.All() {
		row := tick.row()
		h := hashTerm(0, uint64(MicrosFloor(row.time)), uint64(row.seq)) + uint64(row.side)
		for i, d := range row.numbers {
			hi, lo := d.atMaxScale()
			h += hashTerm(i+1, lo, hi)
		}
		sum += scramble(h)
	}

	return sum
}

// HashRow returns a hash of the time and the sequence number of a row; that of a bar is 0. It is not 0.
func HashRow(at Micros, seq int64) uint64 { return scramble(hashTerm(4, uint64(at), uint64(seq))) | 1 }
