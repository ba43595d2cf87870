package domain

import (
	"cmp"
	"slices"
	"sort"
)

// SeriesState is what a store has of a series at one instant, without the bars or ticks themselves. It is immutable.
type SeriesState struct {
	Version Version // changes with every write that changes a row or the coverage

	// Coverage is the declared coverage of the whole series: ascending, disjoint, not touching.
	Coverage []Range

	// Blocks has the blocks with rows, ascending: at least those of the rows that were read.
	Blocks []BlockState

	// Tail has the nonces of some versions of the last of Blocks, its present one among them, at most MaxTail. Since each
	// of these versions, rows were only added to the block, behind its last row. An empty Tail tells nothing.
	Tail []uint64
}

// MaxTail is the maximum length of SeriesState.Tail.
const MaxTail = 64

// BlockState is what a store has of one block.
type BlockState struct {
	Index   int64   // as BlockLayout numbers them
	Rows    int     // bars or ticks in the block, at least 1
	Version Version // that of the series after the last write that changed a row of the block
}

// Covers reports whether the coverage contains all of r.
func (s *SeriesState) Covers(r Range) bool {
	if r.Empty() {
		return true
	}

	i := sort.Search(len(s.Coverage), func(i int) bool { return s.Coverage[i].End.After(r.Start) })

	return i < len(s.Coverage) && s.Coverage[i].Covers(r)
}

// SameWithin reports whether the two states of one series have the same rows and the same coverage in r. Both must have
// the blocks of r. It compares the versions of blocks, so that it may report false for equal rows of a block that
// changed elsewhere.
func (s *SeriesState) SameWithin(o *SeriesState, layout BlockLayout, r Range) bool {
	if s.Version == o.Version || r.Empty() {
		return true
	}

	return slices.EqualFunc(ClipRanges(s.Coverage, r), ClipRanges(o.Coverage, r), Range.Equal) &&
		slices.Equal(s.blocksWithin(layout, r), o.blocksWithin(layout, r))
}

// WithBlocks returns the state with more blocks of the same version. blocks must ascend.
func (s *SeriesState) WithBlocks(blocks []BlockState) *SeriesState {
	byIndex := func(b BlockState, index int64) int { return cmp.Compare(b.Index, index) }
	merged := s.Blocks
	for _, b := range blocks {
		if at, found := slices.BinarySearchFunc(merged, b.Index, byIndex); !found {
			merged = slices.Insert(slices.Clip(merged), at, b)
		}
	}
	if len(merged) == len(s.Blocks) {
		return s
	}

	with := &SeriesState{Version: s.Version, Coverage: s.Coverage, Blocks: merged}
	if n := len(s.Blocks); n > 0 && merged[len(merged)-1].Index == s.Blocks[n-1].Index {
		with.Tail = s.Tail
	}

	return with
}

// blocksWithin returns the blocks that overlap r.
func (s *SeriesState) blocksWithin(layout BlockLayout, r Range) []BlockState {
	first, end := layout.Span(r)
	from := sort.Search(len(s.Blocks), func(i int) bool { return s.Blocks[i].Index >= first })
	to := sort.Search(len(s.Blocks), func(i int) bool { return s.Blocks[i].Index >= end })
	return s.Blocks[from:to]
}
