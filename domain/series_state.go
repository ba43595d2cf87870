package domain

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// SeriesState describes a stored series at one instant, without the bars or ticks themselves. It is immutable.
type SeriesState struct {
	Version Version // changes with every write that changes a row or the coverage

	// Coverage is the declared coverage of the whole series: ascending, disjoint, not touching.
	Coverage []Range

	// Blocks has the blocks with rows, ascending: at least those of the rows that were read.
	Blocks []BlockState

	// Tail has the nonces of some versions of the last of Blocks, its present one among them, at most MaxTail. Since each
	// of these versions, rows were only added to the block, behind its last row. An empty Tail tells nothing.
	Tail []uint64

	// StaleFor is the age of the state where a cache yields an older one because the store could not be asked; else 0.
	StaleFor time.Duration
}

// MaxTail is the maximum length of SeriesState.Tail.
const MaxTail = 64

// BlockState describes one stored block.
type BlockState struct {
	Index   int64   // as BlockLayout numbers them
	Rows    int     // bars or ticks in the block, at least 1
	Version Version // that of the series after the last write that changed a row of the block
}

// PushTail returns the tail after a write with the nonce that only added rows behind the last one of the block.
func PushTail(tail []uint64, nonce uint64) []uint64 {
	next := make([]uint64, 0, min(len(tail)+1, MaxTail))
	next = append(next, nonce)
	return append(next, tail[:min(len(tail), MaxTail-1)]...)
}

// LastBlock returns the last of Blocks, if there is one.
func (s *SeriesState) LastBlock() (BlockState, bool) {
	if len(s.Blocks) == 0 {
		return BlockState{}, false
	}
	return s.Blocks[len(s.Blocks)-1], true
}

// Block returns the block of the number, if it has rows.
func (s *SeriesState) Block(index int64) (BlockState, bool) {
	i, found := slices.BinarySearchFunc(s.Blocks, index, func(b BlockState, index int64) int {
		return cmp.Compare(b.Index, index)
	})
	if !found {
		return BlockState{}, false
	}

	return s.Blocks[i], true
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
		slices.Equal(s.BlocksWithin(layout, r), o.BlocksWithin(layout, r))
}

// ExtendedBy reports whether the later state o has the rows and the coverage of s in r, which ends with a row of s. The
// block of that row may have got rows behind its last one, as far as o.Tail tells.
func (s *SeriesState) ExtendedBy(o *SeriesState, layout BlockLayout, r Range) bool {
	if s.SameWithin(o, layout, r) {
		return true
	}

	before, after := s.BlocksWithin(layout, r), o.BlocksWithin(layout, r)
	last := len(before) - 1
	end, _ := o.LastBlock()
	if last < 0 || len(after) != len(before) || before[last].Index != end.Index || after[last] != end {
		return false
	}

	return slices.Contains(o.Tail, before[last].Version.Nonce) && slices.Equal(before[:last], after[:last]) &&
		slices.EqualFunc(ClipRanges(s.Coverage, r), ClipRanges(o.Coverage, r), Range.Equal)
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

	with := &SeriesState{Version: s.Version, Coverage: s.Coverage, Blocks: merged, StaleFor: s.StaleFor}
	if last, found := s.LastBlock(); found && merged[len(merged)-1].Index == last.Index {
		with.Tail = s.Tail
	}

	return with
}

// BlocksWithin returns the blocks that overlap r.
func (s *SeriesState) BlocksWithin(layout BlockLayout, r Range) []BlockState {
	first, end := layout.Span(r)
	from := sort.Search(len(s.Blocks), func(i int) bool { return s.Blocks[i].Index >= first })
	to := sort.Search(len(s.Blocks), func(i int) bool { return s.Blocks[i].Index >= end })
	return s.Blocks[from:to]
}
