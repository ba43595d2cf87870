package domain

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// DataRequest requests the bars of one series whose open time is in [Start, End), or a limited number of them from the
// start or the end. The zero value of each option is the safe default.
type DataRequest struct {
	Key   SeriesKey `json:"key"`
	Start time.Time `json:"start,omitzero"`  // zero: the first stored bar
	End   time.Time `json:"end,omitzero"`    // zero: now; a later time is clamped to now, see Result.Clamped
	First int       `json:"first,omitempty"` // return at most the first n bars; 0 means no limit
	Last  int       `json:"last,omitempty"`  // return at most the last n bars; 0 means no limit; must be 0 if First is set

	Quality QualityPolicy `json:"quality"`
	Fill    FillPolicy    `json:"fill"`

	// Resample resamples the bars from finer ones, or aggregates them from trades or quotes, even if bars of Key are
	// stored.
	Resample bool `json:"resample,omitempty"`

	// Fresh asks the stores for the present state of each series. Without it, a state may be two seconds old that another
	// process wrote to meanwhile (the lease of the cache).
	Fresh bool `json:"fresh,omitempty"`

	// MaxStale allows an older result from the cache, while a store cannot be asked: its state must not be older. 0 allows
	// none. See Result.StaleFor.
	MaxStale time.Duration `json:"-"`

	// Paged asks for Result.Checkpoint, which a page token carries. It costs a small read of each series. A page token
	// sets it for the pages that follow.
	Paged bool `json:"paged,omitempty"`

	// Checkpoint is of the pages before, whose end is Start. A page token sets it. See Result.Restated.
	Checkpoint Checkpoint `json:"-"`
}

// requestJSON is the form of a request in JSON, which has MaxStale in seconds and leaves out 0.
type requestJSON struct {
	plainRequest

	MaxStale Seconds `json:"max_stale_seconds,omitempty"`
}

type plainRequest DataRequest

// MarshalJSON returns an object with MaxStale in seconds.
func (r DataRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(requestJSON{plainRequest(r), Seconds(r.MaxStale)})
}

// UnmarshalJSON reads the object that MarshalJSON returns. Fields that the object lacks are not changed.
func (r *DataRequest) UnmarshalJSON(text []byte) error {
	j := requestJSON{plainRequest(*r), Seconds(r.MaxStale)}
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}

	*r = DataRequest(j.plainRequest)
	r.MaxStale = time.Duration(j.MaxStale)

	return nil
}

// Validate returns an error that wraps ErrInvalid if a field is invalid, if fields contradict each other, or if End is
// before Start. It does not check the limits of the application.
func (r DataRequest) Validate() error {
	if err := r.Key.Validate(); err != nil {
		return err
	}
	if err := checkWindow(r, r.Start, r.End, r.First, r.Last); err != nil {
		return err
	}
	if r.Paged && r.Last > 0 {
		return invalid("request", r.String(), "the last bars cannot be paged; give a range, and the size of a page as first")
	}
	if r.MaxStale < 0 {
		return invalid("request", r.String(), "max_stale must not be negative")
	}
	if err := r.Quality.Validate(); err != nil {
		return err
	}

	return r.Fill.Validate()
}

// checkWindow returns an error if the bounds are not a range or the limits contradict each other.
func checkWindow[R fmt.Stringer](request R, start, end time.Time, first, last int) error {
	if first < 0 || last < 0 {
		return invalid("request", request.String(), "first and last must be 1 or more")
	}
	if first > 0 && last > 0 {
		return invalid("request", request.String(), "give first or last, not both")
	}

	if start.IsZero() {
		start = end
	}
	if end.IsZero() {
		end = start
	}
	_, err := NewRange(start, end)

	return err
}

// String returns the series, the range and the limit on one line.
func (r DataRequest) String() string {
	return r.Key.String() + windowText("first bar", r.Start, r.End, r.First, r.Last)
}

// windowText returns the range and the limit; from is the text for a missing start.
func windowText(from string, start, end time.Time, first, last int) string {
	bound := func(t time.Time, open string) string {
		if t.IsZero() {
			return open
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	s := " [" + bound(start, from) + ", " + bound(end, "now") + ")"
	if first > 0 {
		s += " first " + strconv.Itoa(first)
	}
	if last > 0 {
		s += " last " + strconv.Itoa(last)
	}

	return s
}
