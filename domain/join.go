package domain

import (
	"fmt"
	"iter"
	"math"
	"time"
)

// AsofJoin yields, for each bar of left, its index and the index of the last bar of right that closed at or before the
// end of the left bar, or -1 if there is none. No bar of right is therefore used before it is closed. The series may
// differ in symbol, grid and price type.
func AsofJoin(left, right Series) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		next := 0 // the first bar of right that is not closed yet
		for i := range left.Len() {
			end := left.key.Grid.Next(left.OpenTime(i))
			for next < right.Len() && !right.key.Grid.Next(right.OpenTime(next)).After(end) {
				next++
			}
			if !yield(i, next-1) {
				return
			}
		}
	}
}

// AlignedRow is one open time and the bars that several series have there.
type AlignedRow struct {
	OpenTime time.Time
	Index    []int // for each series the index of its bar, or -1 if it has none; valid until the next row
}

// Align yields, in ascending order, every open time at which some series has a bar, with the index of the bar in each
// series. It returns an error that wraps ErrInvalid unless all series have the same grid.
func Align(series ...Series) (iter.Seq[AlignedRow], error) {
	for _, s := range series {
		if s.key.Grid != series[0].key.Grid {
			return nil, fmt.Errorf("align %s with %s: of different frequencies; resample one of them: %w",
				s.key, series[0].key, ErrInvalid)
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
