package domain

import (
	"strconv"
	"strings"
	"time"
)

// QualityPolicy says what happens to a bar that breaks a fatal rule. The zero value is QualityFail.
type QualityPolicy uint8

// The quality policies.
const (
	QualityFail QualityPolicy = iota // the request fails
	QualityDrop                      // the bar is left out, and its open time is reported
	QualityFlag                      // the bar is returned, and the finding is reported
)

var qualityPolicies = [...]string{"fail", "drop", "flag"}

// Validate refuses a policy made by conversion that is none of the constants.
func (p QualityPolicy) Validate() error {
	if int(p) >= len(qualityPolicies) {
		return invalid("quality policy", p.String(), "one of %s", strings.Join(qualityPolicies[:], ", "))
	}
	return nil
}

// String is the policy's text: fail, drop, flag.
func (p QualityPolicy) String() string {
	if int(p) < len(qualityPolicies) {
		return qualityPolicies[p]
	}
	return "policy " + strconv.Itoa(int(p))
}

// MarshalText is String.
func (p QualityPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), p.Validate() }

// UnmarshalText reads fail, drop or flag.
func (p *QualityPolicy) UnmarshalText(b []byte) error {
	for i, text := range qualityPolicies {
		if string(b) == text {
			*p = QualityPolicy(i)
			return nil
		}
	}
	return invalid("quality policy", string(b), "one of %s", strings.Join(qualityPolicies[:], ", "))
}

// DataRequest asks for the bars of one series whose open time is in [Start, End), or for the first or last few of them. Every
// zero option is the safe choice.
type DataRequest struct {
	Key   SeriesKey `json:"key"`
	Start time.Time `json:"start,omitzero"` // zero: from the first bar held
	End   time.Time `json:"end,omitzero"`   // zero: up to now; later than now is clamped to it, and so reported
	First int       `json:"first,omitempty"`
	Last  int       `json:"last,omitempty"` // First and Last count bars as returned; 0 is no limit; at most one is given

	Quality QualityPolicy `json:"quality"`
}

// Validate refuses what no store could answer. Limits are the application's.
func (r DataRequest) Validate() error {
	if err := r.Key.Validate(); err != nil {
		return err
	}
	if r.First < 0 || r.Last < 0 {
		return invalid("request", r.String(), "first and last count bars; give 1 or more")
	}
	if r.First > 0 && r.Last > 0 {
		return invalid("request", r.String(), "ask for the first or for the last bars, not for both")
	}
	start, end := r.Start, r.End
	if start.IsZero() {
		start = end
	}
	if end.IsZero() {
		end = start
	}
	if _, err := NewRange(start, end); err != nil {
		return err
	}
	return r.Quality.Validate()
}

// String is the request on one line.
func (r DataRequest) String() string {
	bound := func(t time.Time, open string) string {
		if t.IsZero() {
			return open
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	s := r.Key.String() + " [" + bound(r.Start, "first bar") + ", " + bound(r.End, "now") + ")"
	if r.First > 0 {
		s += " first " + strconv.Itoa(r.First)
	}
	if r.Last > 0 {
		s += " last " + strconv.Itoa(r.Last)
	}
	return s
}
