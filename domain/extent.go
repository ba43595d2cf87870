package domain

import (
	"github.com/gal-friday/marketdata/domain/sorting"
)

// Extent is a range of one series that a store covers. Inside it, a missing bar means that nothing traded, because the
// range was declared complete or is inferred to be.
type Extent struct {
	Key   SeriesKey `json:"key"`
	Range Range     `json:"range"`

	// Inferred marks coverage that no writer declared. It extends from the first to the last stored bar, because the
	// store was filled by another program.
	Inferred bool `json:"inferred"`
}

// MergeExtents merges the touching and overlapping extents of each key, and orders the result by SeriesKey.Compare and
// start. Where declared and inferred coverage overlap, the result is declared there. It does not change its argument.
func MergeExtents(extents []Extent) []Extent {
	type coverage struct{ declared, inferred []Range }
	byKey := map[SeriesKey]*coverage{}
	var keys []SeriesKey
	for _, e := range extents {
		c := byKey[e.Key]
		if c == nil {
			c = &coverage{}
			byKey[e.Key] = c
			keys = append(keys, e.Key)
		}

		if e.Inferred {
			c.inferred = append(c.inferred, e.Range)
		} else {
			c.declared = append(c.declared, e.Range)
		}
	}

	sorting.Func(keys, SeriesKey.Compare)
	var merged []Extent
	for _, k := range keys {
		from := len(merged)
		for _, r := range MergeRanges(byKey[k].declared) {
			merged = append(merged, Extent{Key: k, Range: r})
		}
		for _, inferred := range MergeRanges(byKey[k].inferred) {
			for _, r := range inferred.Subtract(byKey[k].declared) {
				merged = append(merged, Extent{Key: k, Range: r, Inferred: true})
			}
		}

		sorting.Func(merged[from:], func(a, b Extent) int { return a.Range.Start.Compare(b.Range.Start) })
	}

	return merged
}
