package domain

import (
	"slices"
	"time"
)

// Result answers a DataRequest.
type Result struct {
	Series Series `json:"series"`

	// Range is what the answer speaks of: the range asked for, its open ends filled in, not beyond Now, cut to the bars that
	// First or Last kept.
	Range Range `json:"range"`

	// Clamped reports that the request asked for times beyond Now.
	Clamped bool `json:"clamped"`

	// Uncovered lists the parts of Range that no store claims to hold, ascending and disjoint: there, a missing bar means that
	// nobody knows. Elsewhere it means that nothing traded.
	Uncovered []Range `json:"uncovered"`

	Quality    QualityReport `json:"quality"`
	Provenance []Leg         `json:"provenance"`

	// Now is the clock's time that the answer was made for: no bar in it ends later.
	Now time.Time `json:"now"`

	// Next is the open time to go on from, for paging or for a live feed. It never passes a part that nobody holds yet at the
	// end of Range, so a reader that comes back misses no bar that arrives late.
	Next time.Time `json:"next"`
}

// QualityReport says what the quality rules found and what was done about it.
type QualityReport struct {
	Policy   QualityPolicy `json:"policy"`
	Bars     int           `json:"bars"` // bars judged
	Findings []Finding     `json:"findings"`
	Dropped  []time.Time   `json:"dropped"` // open times of the bars left out under QualityDrop
}

// Leg is one part of an answer: which store served it, from bars of which grid.
type Leg struct {
	Store string `json:"store"`
	Grid  Grid   `json:"grid"`
	Range Range  `json:"range"`
	Bars  int    `json:"bars"`
}

// Extent is a range of one series that a writer claimed to be complete: inside it, a missing bar means that nothing traded.
type Extent struct {
	Key   SeriesKey `json:"key"`
	Range Range     `json:"range"`

	// Assumed marks the extent of a store that was not written by us: from its first bar to its last, without a claim.
	Assumed bool `json:"assumed"`
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
		if e.Assumed {
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
				merged = append(merged, Extent{Key: k, Range: r, Assumed: true})
			}
		}
		slices.SortFunc(merged[from:], func(a, b Extent) int { return a.Range.Start.Compare(b.Range.Start) })
	}
	return merged
}
