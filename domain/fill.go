package domain

import (
	"strconv"
	"strings"
)

// FillPolicy determines which bars a result has where nothing traded. The zero value is FillNone.
//
// FillPrevious fills a slot only if the slot is covered and an earlier bar is known. After a slot that is not covered,
// or whose bar was dropped, it fills nothing until the next bar, because the price may have moved. Filled bars are for
// display and for indicators that need every slot; they must not be stored or resampled.
type FillPolicy uint8

// The fill policies.
const (
	FillNone     FillPolicy = iota // no bar
	FillPrevious                   // a bar at the previous close without volume
)

var fillPolicies = [...]string{"none", "previous"}

// Validate returns an error that wraps ErrInvalid if the policy is none of the constants.
func (p FillPolicy) Validate() error {
	if int(p) >= len(fillPolicies) {
		return invalid("fill policy", p.String(), "one of %s", strings.Join(fillPolicies[:], ", "))
	}
	return nil
}

// String returns the text of the policy: none or previous.
func (p FillPolicy) String() string {
	if int(p) < len(fillPolicies) {
		return fillPolicies[p]
	}
	return "policy " + strconv.Itoa(int(p))
}

// MarshalText returns String, or the error of Validate.
func (p FillPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), p.Validate() }

// UnmarshalText parses none or previous.
func (p *FillPolicy) UnmarshalText(b []byte) error {
	for i, text := range fillPolicies {
		if string(b) == text {
			*p = FillPolicy(i)
			return nil
		}
	}

	return invalid("fill policy", string(b), "one of %s", strings.Join(fillPolicies[:], ", "))
}
