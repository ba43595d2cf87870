package domain

import (
	"slices"
)

// Extent is a range of one series that a writer claimed to be complete: inside it, a missing bar means that nothing
// traded.
type Extent struct {
	Key   SeriesKey `json:"key"`
	Range Range     `json:"range"`

	// Assumed marks the extent of a store that was not written by us: from its first bar to its last, without a claim.
	Inferred bool `json:"inferred"`
}

// MergeExtents puts touching and overlapping ranges of one key together, ordered by key and start. Where a claim and an
// assumption overlap, the claim stands and the assumption keeps the rest.
func MergeExtents(extents []Extent) []Extent {
	type held struct{ claimed, assumed []Range }
	byKey := map[SeriesKey]*held{}
	var keys []SeriesKey
	for _, e := range extents {
		h := byKey[e.Key]
		if h == nil {
			h = &held{}
			byKey[e.Key] = h
			keys = append(keys, e.Key)
		}

		if e.Inferred {
			h.assumed = append(h.assumed, e.Range)
		} else {
			h.claimed = append(h.claimed, e.Range)
		}
	}

	slices.SortFunc(keys, SeriesKey.Compare)
	var merged []Extent
	for _, k := range keys {
		from := len(merged)
		for _, r := range MergeRanges(byKey[k].claimed) {
			merged = append(merged, Extent{Key: k, Range: r})
		}
		for _, a := range MergeRanges(byKey[k].assumed) {
			for _, r := range a.Subtract(byKey[k].claimed) {
				merged = append(merged, Extent{Key: k, Range: r, Inferred: true})
			}
		}

		slices.SortFunc(merged[from:], func(a, b Extent) int { return a.Range.Start.Compare(b.Range.Start) })
	}

	return merged
}
