package domain_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
)

// TestBlocks checks that blocks are contiguous, contain the instants of their numbers, and never have too many bars.
func TestBlocks(t *testing.T) {
	t.Parallel()
	first := domain.MicrosFloor(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
	end := domain.MicrosFloor(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	grids := []domain.Grid{
		domain.Second1.UTC(), domain.Minute1.UTC(), domain.Hour4.UTC(), domain.Day1.UTC(), domain.Month1.UTC(),
		zoned(domain.Day1, "America/New_York"), zoned(domain.Week1, "Europe/Berlin"), zoned(domain.Month1, "Asia/Tokyo"),
	}
	rapid.Check(t, func(t *rapid.T) {
		grid := rapid.SampledFrom(grids).Draw(t, "grid")
		layout := domain.BarBlocks(grid)
		at := domain.Micros(rapid.Int64Range(int64(first), int64(end)).Draw(t, "at"))
		i := layout.Index(at)
		from, to := layout.Bounds(i)
		if at < from || at >= to {
			t.Fatalf("block %d of %s is from %s to %s, without %s", i, grid, from.Time(), to.Time(), at.Time())
		}
		if _, before := layout.Bounds(i - 1); before != from {
			t.Fatalf("block %d begins at %s, the one before ends at %s", i, from.Time(), before.Time())
		}

		r := domain.Range{Start: from.Time(), End: to.Time()}
		if n := grid.Slots(grid.Align(r)); n > domain.MaxBlockBars {
			t.Fatalf("block %d of %s has %d bars", i, grid, n)
		}
		if a, b := layout.Span(r); a != i || b != i+1 {
			t.Fatalf("the span of block %d is from %d to %d", i, a, b)
		}
		n := rapid.Int64Range(1, 9).Draw(t, "blocks")
		if a, b := layout.Span(layout.Range(i, i+n)); a != i || b < i+1 || b > i+n { // the last year cuts
			t.Fatalf("the range of blocks %d to %d has the span from %d to %d", i, i+n, a, b)
		}
	})
}

func zoned(f domain.Frequency, zone string) domain.Grid {
	g, err := domain.NewGrid(f, zone)
	if err != nil {
		panic(err)
	}

	return g
}

// TestSeriesStateCovers compares with a search of every range.
func TestSeriesStateCovers(t *testing.T) {
	t.Parallel()
	at := func(m int) time.Time { return time.Date(2024, 1, 1, 0, m, 0, 0, time.UTC) }
	within := func(t *rapid.T, name string) domain.Range {
		start := rapid.IntRange(0, 50).Draw(t, name)
		return domain.Range{Start: at(start), End: at(start + rapid.IntRange(0, 9).Draw(t, name+" minutes"))}
	}
	rapid.Check(t, func(t *rapid.T) {
		var ranges []domain.Range
		for range rapid.IntRange(0, 6).Draw(t, "ranges") {
			ranges = append(ranges, within(t, "covered"))
		}
		s := domain.SeriesState{Coverage: domain.MergeRanges(ranges)}
		r := within(t, "range")
		want := r.Empty() || slices.ContainsFunc(s.Coverage, func(c domain.Range) bool { return c.Covers(r) })
		if got := s.Covers(r); got != want {
			t.Fatalf("%v covers %s: %t, want %t", s.Coverage, r, got, want)
		}
	})
}
