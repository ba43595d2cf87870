package domain

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAsofJoinEqualsNaive(t *testing.T) {
	t.Parallel()
	grids := []string{"1m", "5m", "1h", "1d@America/New_York"}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) Series {
			g := must(ParseGrid(rapid.SampledFrom(grids).Draw(t, label)))
			return must(NewSeries(keyOf(g), sparse(t, g)...))
		}
		left, right := draw("left"), draw("right")
		for i, j := range AsofJoin(left, right) {
			closed := left.Key().Grid.Next(left.OpenTime(i))
			want := -1
			for k := range right.Len() {
				if !right.Key().Grid.Next(right.OpenTime(k)).After(closed) {
					want = k
				}
			}
			if j != want {
				t.Fatalf("bar %d: got %d, want %d", i, j, want)
			}
		}
	})
}

func TestAlignEqualsNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := Minute1.UTC()
		series := make([]Series, rapid.IntRange(1, 4).Draw(t, "series"))
		times := map[int64]bool{}
		for i := range series {
			series[i] = must(NewSeries(keyOf(g), sparse(t, g)...))
			for _, b := range series[i].All() {
				times[b.OpenTime.UnixMicro()] = true
			}
		}

		rows := 0
		last := int64(-1 << 62)
		for row := range must(Align(series...)) {
			rows++
			if open := row.OpenTime.UnixMicro(); open <= last || !times[open] {
				t.Fatalf("row of %s: not an open time after the one before", row.OpenTime)
			}

			last = row.OpenTime.UnixMicro()
			for k, s := range series {
				want := -1
				for i := range s.Len() {
					if s.OpenTime(i).Equal(row.OpenTime) {
						want = i
					}
				}
				if row.Index[k] != want {
					t.Fatalf("row of %s, series %d: got %d, want %d", row.OpenTime, k, row.Index[k], want)
				}
			}
		}
		if rows != len(times) {
			t.Fatalf("%d rows of %d open times", rows, len(times))
		}
	})
}

func TestAlignRefusesTwoGrids(t *testing.T) {
	t.Parallel()
	if _, err := Align(EmptySeries(keyOf(Minute1.UTC())), EmptySeries(keyOf(Hour1.UTC()))); !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v", err)
	}
	rows, err := Align()
	if err != nil || len(slices.Collect(rows)) != 0 {
		t.Errorf("no series: %v", err)
	}
}
