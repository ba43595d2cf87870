package domain

import (
	"fmt"
	"strconv"
	"time"
)

// DataRequest asks for the bars of one series whose open time is in [Start, End), or for the first or last few of them.
// Every zero option is the safe choice.
type DataRequest struct {
	Key   SeriesKey `json:"key"`
	Start time.Time `json:"start,omitzero"` // zero: from the first bar held
	End   time.Time `json:"end,omitzero"`   // zero: up to now; later than now is clamped to it, and so reported
	First int       `json:"first,omitempty"`
	Last  int       `json:"last,omitempty"` // First and Last count bars as returned; 0 is no limit; at most one is given

	Quality QualityPolicy `json:"quality"`
	Fill    FillPolicy    `json:"fill"`

	// Resample makes the bars of finer ones, or of trades or quotes, where the grid itself is stored too: to see what
	// they say.
	Resample bool `json:"resample,omitempty"`
}

// Validate refuses what no store could answer. Limits are the application's.
func (r DataRequest) Validate() error {
	if err := r.Key.Validate(); err != nil {
		return err
	}
	if err := checkWindow(r, r.Start, r.End, r.First, r.Last); err != nil {
		return err
	}
	if err := r.Quality.Validate(); err != nil {
		return err
	}

	return r.Fill.Validate()
}

// checkWindow refuses bounds that are no range, and counts that contradict.
func checkWindow[R fmt.Stringer](request R, start, end time.Time, first, last int) error {
	if first < 0 || last < 0 {
		return invalid("request", request.String(), "first and last are counts; give 1 or more")
	}
	if first > 0 && last > 0 {
		return invalid("request", request.String(), "ask for the first or for the last, not for both")
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

// String is the request on one line.
func (r DataRequest) String() string {
	return r.Key.String() + windowText("first bar", r.Start, r.End, r.First, r.Last)
}

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
