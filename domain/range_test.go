package domain

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The naive model of ranges: the set of microseconds 0 to 39.
const instants = 40

func anyRange() *rapid.Generator[Range] {
	return rapid.Custom(func(t *rapid.T) Range {
		at := func(label string) time.Time { return Micros(rapid.Int64Range(0, instants).Draw(t, label)).Time() }
		return Range{Start: at("start"), End: at("end")} // reversed ones are empty
	})
}

func set(ranges ...Range) (in [instants]bool) {
	for i := range in {
		in[i] = slices.ContainsFunc(ranges, func(r Range) bool { return r.Contains(Micros(i).Time()) })
	}
	return in
}

func disjoint(t *rapid.T, ranges []Range) {
	for i, r := range ranges {
		if r.Empty() || i > 0 && !ranges[i-1].End.Before(r.Start) {
			t.Fatalf("empty, touching or out of order: %v", ranges)
		}
	}
}

func TestRangeAlgebraAgainstSets(t *testing.T) {
	check(t, func(t *rapid.T) {
		a, b := anyRange().Draw(t, "a"), anyRange().Draw(t, "b")
		others := rapid.SliceOfN(anyRange(), 0, 6).Draw(t, "others")
		before := slices.Clone(others)
		inA, inB, inOthers := set(a), set(b), set(others...)

		merged, left, both := MergeRanges(others), a.Subtract(others), a.Intersect(b)
		if !slices.Equal(others, before) {
			t.Fatalf("the input was changed")
		}

		disjoint(t, merged)
		disjoint(t, left)
		inMerged, inLeft, inBoth := set(merged...), set(left...), set(both)
		covers, empty := true, true
		for i := range inA {
			if inMerged[i] != inOthers[i] || inLeft[i] != (inA[i] && !inOthers[i]) || inBoth[i] != (inA[i] && inB[i]) {
				t.Fatalf("at %d: merged %v, left %v, both %v", i, merged, left, both)
			}

			covers = covers && (inA[i] || !inB[i])
			empty = empty && !inA[i]
		}
		if a.Covers(b) != covers || a.Empty() != empty || !both.Equal(b.Intersect(a)) {
			t.Fatalf("covers %v, empty %v", a.Covers(b), a.Empty())
		}
		if !slices.EqualFunc(MergeRanges(merged), merged, Range.Equal) {
			t.Fatalf("merging %v again changes it", merged)
		}
	})
}

func TestNewRange(t *testing.T) {
	t.Parallel()
	day := utc("2018-01-01T00:00:00Z")
	for name, bounds := range map[string][2]time.Time{
		"reversed":            {day, day.Add(-1)},
		"year 10000":          {day, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"rounds to 10000":     {day, time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
		"year 0":              {time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), day},
		"wraps microseconds":  {time.Unix(0, 0), time.Unix(1<<44, 0)},
		"wraps to the future": {time.Unix(-1<<45, 0), day},
	} {
		if name == "reversed" {
			bounds[1] = day.Add(-time.Microsecond)
		}
		if r, err := NewRange(bounds[0], bounds[1]); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %s, %v", name, r, err)
		}
	}

	r, err := NewRange(day.In(time.FixedZone("", 3600)).Add(1), day.Add(time.Second))
	if want := "[2018-01-01T00:00:00.000001Z, 2018-01-01T00:00:01Z)"; err != nil || r.String() != want {
		t.Errorf("%s, %v; want %s", r, err, want)
	}
	if start, end := r.Micros(); end-start != 999_999 {
		t.Errorf("%d to %d", start, end)
	}
}

func TestMergeExtentsAgainstSets(t *testing.T) {
	keys := []SeriesKey{minuteKey(), {Symbol: "BTC/USD", Grid: Day1.UTC()}, {Symbol: "ETH/USD", Grid: Minute1.UTC(), PriceType: PriceBid}}
	check(t, func(t *rapid.T) {
		extents := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Extent {
			return Extent{rapid.SampledFrom(keys).Draw(t, "key"), anyRange().Draw(t, "range"), rapid.Bool().Draw(t, "assumed")}
		}), 0, 10).Draw(t, "extents")
		before := slices.Clone(extents)
		merged := MergeExtents(extents)
		of := func(extents []Extent, key SeriesKey, assumed bool) (ranges []Range) {
			for _, e := range extents {
				if e.Key == key && e.Inferred == assumed {
					ranges = append(ranges, e.Range)
				}
			}

			return ranges
		}
		for _, key := range keys {
			claimed, assumed := of(merged, key, false), of(merged, key, true)
			disjoint(t, claimed)
			disjoint(t, assumed)
			wasClaimed, wasAssumed := set(of(extents, key, false)...), set(of(extents, key, true)...)
			isClaimed, isAssumed := set(claimed...), set(assumed...)
			for i := range wasClaimed {
				if isClaimed[i] != wasClaimed[i] || isAssumed[i] != (wasAssumed[i] && !wasClaimed[i]) {
					t.Fatalf("%s at %d: %v", key, i, merged)
				}
			}
		}
		if !slices.IsSortedFunc(merged, func(a, b Extent) int {
			if c := a.Key.Compare(b.Key); c != 0 {
				return c
			}
			return a.Range.Start.Compare(b.Range.Start)
		}) || !slices.Equal(extents, before) || !slices.Equal(MergeExtents(merged), merged) {
			t.Fatalf("%v", merged)
		}
	})
}
