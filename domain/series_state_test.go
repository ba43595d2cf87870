package domain

import (
	"slices"
	"testing"
	"time"
)

// stateRange returns the range of the blocks [from, to) of minutes.
func stateRange(from, to int64) Range { return BarBlocks(Minute1.UTC()).Range(from, to) }

// A state of another version is the same in a range if its coverage and its blocks there are the same.
func TestSameWithin(t *testing.T) {
	t.Parallel()
	layout := BarBlocks(Minute1.UTC())
	block := func(i int64, revision int64) BlockState {
		return BlockState{Index: i, Rows: 3, Version: Version{revision, uint64(revision)}}
	}
	before := &SeriesState{
		Version: Version{1, 1}, Coverage: []Range{stateRange(0, 3)}, Blocks: []BlockState{block(0, 1), block(1, 1), block(2, 1)},
	}
	for name, test := range map[string]struct {
		coverage []Range
		blocks   []BlockState
		want     bool
	}{
		"nothing changed":        {before.Coverage, before.Blocks, true},
		"coverage within":        {[]Range{stateRange(0, 1), stateRange(2, 3)}, before.Blocks, false},
		"coverage elsewhere":     {[]Range{stateRange(1, 9)}, before.Blocks, true},
		"another block within":   {before.Coverage, []BlockState{block(0, 1), block(1, 2), block(2, 1)}, false},
		"another block, outside": {before.Coverage, []BlockState{block(0, 2), block(1, 1), block(2, 2)}, true},
	} {
		after := &SeriesState{Version: Version{2, 2}, Coverage: test.coverage, Blocks: test.blocks}
		if got := before.SameWithin(after, layout, stateRange(1, 2)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Rows were only added behind the last one of a block if the tail has the nonce of the block's version before.
func TestExtendedBy(t *testing.T) {
	t.Parallel()
	layout := BarBlocks(Minute1.UTC())
	first, last := BlockState{0, 3, Version{1, 1}}, BlockState{1, 3, Version{2, 2}}
	before := &SeriesState{Version: Version{2, 2}, Coverage: []Range{stateRange(0, 2)}, Blocks: []BlockState{first, last}}
	grown := BlockState{1, 4, Version{3, 3}}
	for name, test := range map[string]struct {
		blocks []BlockState
		tail   []uint64
		want   bool
	}{
		"rows were added":               {[]BlockState{first, grown}, []uint64{3, 2}, true},
		"the tail tells nothing":        {[]BlockState{first, grown}, nil, false},
		"rows were changed":             {[]BlockState{first, grown}, []uint64{3}, false},
		"rows of a block before":        {[]BlockState{{0, 3, Version{3, 3}}, grown}, []uint64{3, 2}, false},
		"the tail is of a later block":  {[]BlockState{first, grown, {2, 1, Version{3, 3}}}, []uint64{3, 2}, false},
		"the block before is gone":      {[]BlockState{grown}, []uint64{3, 2}, false},
		"nothing changed, without tail": {before.Blocks, nil, true},
	} {
		after := &SeriesState{Version: Version{3, 3}, Coverage: before.Coverage, Blocks: test.blocks, Tail: test.tail}
		if got := before.ExtendedBy(after, layout, stateRange(0, 2)); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A tail has the newest nonce first, and MaxTail of them at most.
func TestPushTail(t *testing.T) {
	t.Parallel()
	var tail []uint64
	for nonce := range uint64(2 * MaxTail) {
		before := slices.Clone(tail)
		next := PushTail(tail, nonce)
		if !slices.Equal(tail, before) {
			t.Fatalf("the tail %x was changed to %x", before, tail)
		}
		if want := append([]uint64{nonce}, before...); !slices.Equal(next, want[:min(len(want), MaxTail)]) {
			t.Fatalf("the tail after %x is %x", before, next)
		}
		tail = next
	}
}

// Two writes at one revision, of which one is lost in a failover, have other nonces.
func TestEveryVersionHasANonce(t *testing.T) {
	t.Parallel()
	v := Version{4, 7}
	a, b := v.Next(), v.Next()
	if a.Revision != 5 || b.Revision != 5 || a.Nonce == b.Nonce || a.Nonce == v.Nonce {
		t.Errorf("%s and %s after %s", a, b, v)
	}
}

// An empty range adds nothing to a hull, wherever it lies.
func TestHullOfEmptyRanges(t *testing.T) {
	t.Parallel()
	r := stateRange(3, 4)
	for _, empty := range []Range{{}, {r.End.Add(time.Hour), r.End.Add(time.Hour)}, {r.End, r.Start}} {
		if got := empty.Hull(r); got != r {
			t.Errorf("the hull of %s and %s is %s", empty, r, got)
		}
		if got := r.Hull(empty); got != r {
			t.Errorf("the hull of %s and %s is %s", r, empty, got)
		}
	}
}

// Who appends to the columns of a part of a Series does not write into the bars behind it.
func TestColumnsAreClipped(t *testing.T) {
	t.Parallel()
	b := NewSeriesBuilder(SeriesKey{Symbol: "A/B", Grid: Minute1.UTC()}, 0)
	for i := range int64(4) {
		n := MustDecimal("12345678901234567890.5") // of 128 bits
		if err := b.Append(Bar{OpenTime: time.Unix(60*i, 0), Open: n, High: n, Low: n, Close: n, Volume: n, Trades: i}); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	want := slices.Collect(func(yield func(Bar) bool) {
		for _, bar := range s.All() {
			yield(bar)
		}
	})
	c := s.Slice(0, 2).Columns()
	for _, column := range [][]int64{
		c.OpenMicros, c.Trades, c.Open.Lo, c.Open.Hi, c.High.Lo, c.High.Hi, c.Low.Lo, c.Low.Hi, c.Close.Lo, c.Close.Hi,
		c.Volume.Lo, c.Volume.Hi,
	} {
		_ = append(column, 99)
	}
	for i, bar := range s.All() {
		if !bar.Equal(want[i]) {
			t.Errorf("bar %d became %v", i, bar)
		}
	}
}
