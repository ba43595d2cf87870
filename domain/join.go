package domain

import (
	"fmt"
	"iter"
	"math"
	"time"
)

// AsofJoin yields, for every bar of left, its index and the index of the last bar of right that was known when it
// closed: right bars close at or before the close of left's. Before the first such bar the second index is -1. The two
// may differ in symbol, grid and kind. No bar is seen before its close.
func AsofJoin(left, right Series) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		next := 0 // the first bar of right that is not known yet
		for i := range left.Len() {
			known := left.key.Grid.Next(left.OpenTime(i))
			for next < right.Len() && !right.key.Grid.Next(right.OpenTime(next)).After(known) {
				next++
			}
			if !yield(i, next-1) {
				return
			}
		}
	}
}

// AlignedRow is one open time of several series side by side.
type AlignedRow struct {
	OpenTime time.Time
	Index    []int // a bar's index in each series, -1 where that series has none; valid until the next row
}

// Align yields every open time at which some series has a bar, ascending, with the bar of each. All must lie on one
// grid.
func Align(series ...Series) (iter.Seq[AlignedRow], error) {
	for _, s := range series {
		if s.key.Grid != series[0].key.Grid {
			return nil, fmt.Errorf("align %s with %s: not on one grid; resample one of them: %w", s.key, series[0].key, ErrInvalid)
		}
	}
	return func(yield func(AlignedRow) bool) {
		next := make([]int, len(series))
		row := AlignedRow{Index: make([]int, len(series))}
		for {
			open := Micros(math.MaxInt64)
			for k, s := range series {
				if next[k] < s.Len() {
					open = min(open, Micros(s.block.OpenMicros[s.from+next[k]]))
				}
			}
			if open == math.MaxInt64 {
				return
			}

			row.OpenTime = open.Time()
			for k, s := range series {
				row.Index[k] = -1
				if next[k] < s.Len() && Micros(s.block.OpenMicros[s.from+next[k]]) == open {
					row.Index[k] = next[k]
					next[k]++
				}
			}
			if !yield(row) {
				return
			}
		}
	}, nil
}
