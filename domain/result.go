package domain

import (
	"time"
)

// Result answers a DataRequest.
type Result struct {
	Series Series `json:"series"`

	// Range is what the answer speaks of: the range asked for, its open ends filled in, not beyond Now, cut to the bars
	// that First or Last kept.
	Range Range `json:"range"`

	// Clamped reports that the request asked for times beyond Now.
	Clamped bool `json:"clamped"`

	// Uncovered lists the parts of Range that no store claims to hold, ascending and disjoint: there, a missing bar
	// means that nobody knows. Elsewhere it means that nothing traded.
	Uncovered []Range `json:"uncovered"`

	// Filled lists the parts of Range whose bars were put in by the fill policy, ascending and disjoint.
	Filled []Range `json:"filled"`

	Quality    QualityReport `json:"quality"`
	Provenance []Origin      `json:"provenance"`

	// Now is the clock's time that the answer was made for: no bar in it ends later.
	Now time.Time `json:"now"`

	// Next is the open time to go on from, for paging or for a live feed. It never passes a part that nobody holds yet
	// at the end of Range, so a reader that comes back misses no bar that arrives late. It is zero, which as a Start
	// means the first bar held, where the request had no Start and nothing is held before its end.
	Next time.Time `json:"next"`
}

// QualityReport says what the quality rules found and what was done about it.
type QualityReport struct {
	Policy   QualityPolicy `json:"policy"`
	Bars     int           `json:"bars"` // bars judged
	Findings []Finding     `json:"findings"`
	Dropped  []time.Time   `json:"dropped"` // open times of the bars left out under QualityDrop
}

// Origin is one part of an answer: which store served it, and from what.
type Origin struct {
	Store StoreName `json:"store"`
	Grid  Grid      `json:"grid,omitzero"`   // of the stored bars; another than the one asked for where bars were made of finer ones
	Ticks TickKind  `json:"ticks,omitempty"` // what the bars were made of where that is no bars
	Range Range     `json:"range"`           // what was read: where bars were resampled, up to the end of the last bar
	Bars  int       `json:"bars"`            // of the answer, that open in Range

	// Cached says that all of it came from a cache: the store was not asked for bars. It is the only field in which two
	// answers to one request from the same data may differ.
	Cached bool `json:"cached"`
}
