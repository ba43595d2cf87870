package domain

import (
	"encoding/json"
	"time"
)

// Result is the result of a DataRequest.
type Result struct {
	Series Series `json:"series"`

	// Range is the range of open times that the result is about: the requested range with its missing bounds set,
	// clamped to Now, and limited to the bars that First or Last selected.
	Range Range `json:"range"`

	// Clamped reports whether the request extends beyond Now.
	Clamped bool `json:"clamped"`

	// Uncovered lists the parts of Range that no store covers, ascending and disjoint. There, bars may be missing that
	// were traded. In the rest of Range, a missing bar means that nothing traded.
	Uncovered []Range `json:"uncovered"`

	// Inferred lists the parts of Range whose coverage no writer declared, ascending and disjoint. It was inferred from
	// the first and the last bar that a store has, because another program fills the store, or is derived from such
	// coverage where bars are resampled. There, a missing bar probably means that nothing traded, but it may also have
	// been lost, or not been written yet. These parts are not in Uncovered.
	Inferred []Range `json:"inferred"`

	// Filled lists the parts of Range whose bars the fill policy added, ascending and disjoint.
	Filled []Range `json:"filled"`

	Quality    QualityReport `json:"quality"`
	Provenance []Origin      `json:"provenance"`

	// Now is the time of the business clock at which the request was answered. No bar ends later.
	Now time.Time `json:"now"`

	// Next is the Start of the request that continues this one, for paging or for a live feed. If the end of Range is
	// not covered yet, Next is the start of that part, so that bars that arrive late are not missed. It is zero, which
	// means the first stored bar, if the request has no Start and nothing is stored before its end.
	Next time.Time `json:"next"`

	// StaleFor is the age of the state that the result is of, where DataRequest.MaxStale allowed an older one because a
	// store could not be asked. It is 0 otherwise.
	StaleFor time.Duration `json:"-"`

	// Restated reports, for a page that continues others, that what they returned changed since: rows were written again,
	// deleted or added before the start of this page, or their coverage changed. The pages together are then not one state
	// of the series; to have one, read the first page again. The next page compares with this one. Rows added behind the
	// last one are no restatement. What may be reported too: a change beside the returned rows, in the same block of the
	// store, and rows added to the block in which the pages ended, once later blocks have rows. Of stores without
	// versions, only a change of coverage is reported.
	Restated bool `json:"restated,omitempty"`

	// Checkpoint is set if the request is Paged, and some part of its range was answered. It goes into the page token.
	Checkpoint Checkpoint `json:"-"`
}

// resultJSON is the form of a result in JSON, which has StaleFor in seconds and leaves out 0.
type resultJSON struct {
	plainResult

	StaleFor Seconds `json:"stale_for_seconds,omitempty"`
}

type plainResult Result

// MarshalJSON returns an object with StaleFor in seconds.
func (r Result) MarshalJSON() ([]byte, error) {
	return json.Marshal(resultJSON{plainResult(r), Seconds(r.StaleFor)})
}

// UnmarshalJSON reads the object that MarshalJSON returns. Fields that the object lacks are not changed.
func (r *Result) UnmarshalJSON(text []byte) error {
	j := resultJSON{plainResult(*r), Seconds(r.StaleFor)}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}

	*r = Result(j.plainResult)
	r.StaleFor = time.Duration(j.StaleFor)

	return nil
}

// Checkpoint summarizes the results of the pages of a request up to a position, so that a later page can tell whether
// they changed meanwhile. It is the text of Result.Checkpoint, opaque to programs, without rows, and its size does not
// depend on their number; "" is none. It begins with the position: microseconds since 1970 in 8 bytes, little-endian.
type Checkpoint string

// QualityReport has the findings of the quality rules and the action of the policy.
type QualityReport struct {
	Policy   QualityPolicy `json:"policy"`
	Bars     int           `json:"bars"` // number of validated bars
	Findings []Finding     `json:"findings"`

	// Dropped has the open times of the bars that QualityDrop dropped, and, under every policy but QualityFail, of stored
	// bars that no Series can represent, whose slots are in Uncovered.
	Dropped []time.Time `json:"dropped"`
}

// Origin tells which store, and which stored data, one part of a result comes from.
type Origin struct {
	Store StoreName `json:"store"`
	Grid  Grid      `json:"frequency,omitzero"` // of the stored bars; not the requested one if bars were resampled
	Ticks TickKind  `json:"ticks,omitempty"`    // the ticks that bars were aggregated from; empty for bars
	Range Range     `json:"range"`              // that was read; to the end of the last bar if bars were resampled
	Bars  int       `json:"bars"`               // number of bars of the result that open in Range

	// Cached reports whether all bars came from a cache, without a read of the store. It and Result.StaleFor are the only
	// fields that may differ between two results of the same request on the same data.
	Cached bool `json:"cached"`
}
