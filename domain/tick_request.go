package domain

import "time"

// TickRequest requests the trades or quotes of one symbol whose time is in [Start, End), or a limited number of them
// from the start or the end.
type TickRequest struct {
	Symbol Symbol    `json:"symbol"`
	Start  time.Time `json:"start,omitzero"`  // zero: the first stored tick
	End    time.Time `json:"end,omitzero"`    // zero: now; a later time is clamped to now, see TickResult.Clamped
	First  int       `json:"first,omitempty"` // return at most the first n ticks; 0 means no limit
	Last   int       `json:"last,omitempty"`  // return at most the last n ticks; must be 0 if First is set

	Paged      bool       `json:"paged,omitempty"` // asks for TickResult.Checkpoint, see DataRequest.Paged
	Checkpoint Checkpoint `json:"-"`               // of the pages before; a page token sets it
}

// Validate returns an error that wraps ErrInvalid if the symbol is invalid, if fields contradict each other, or if End
// is before Start. It does not check the limits of the application.
func (r TickRequest) Validate() error {
	if err := r.Symbol.Validate(); err != nil {
		return err
	}
	if r.Paged && r.Last > 0 {
		return invalid("request", r.String(), "the last rows cannot be paged; give a range, and the size of a page as first")
	}

	return checkWindow(r, r.Start, r.End, r.First, r.Last)
}

// String returns the symbol, the range and the limit on one line.
func (r TickRequest) String() string {
	return string(r.Symbol) + windowText("first tick", r.Start, r.End, r.First, r.Last)
}

// TickResult is the result of a TickRequest. Its fields have the meaning of those of Result; Store is the store that
// was read.
type TickResult[T Tick] struct {
	Ticks     Ticks[T]  `json:"ticks"`
	Range     Range     `json:"range"`
	Clamped   bool      `json:"clamped"`
	Uncovered []Range   `json:"uncovered"`
	Store     StoreName `json:"store"`
	Now       time.Time `json:"now"`
	Next      time.Time `json:"next"`

	Restated   bool       `json:"restated,omitempty"`
	Checkpoint Checkpoint `json:"-"`
}
