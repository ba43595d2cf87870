package domain

import (
	"strconv"
	"strings"
)

// QualityPolicy determines the handling of a bar that breaks a fatal rule. The zero value is QualityFail.
type QualityPolicy uint8

// The quality policies.
const (
	QualityFail QualityPolicy = iota // the request fails
	QualityDrop                      // the bar is dropped, and its open time is reported
	QualityFlag                      // the bar is returned if a Series can have it, and the finding is reported
)

var qualityPolicies = [...]string{"fail", "drop", "flag"}

// Validate returns an error that wraps ErrInvalid if the policy is none of the constants.
func (p QualityPolicy) Validate() error {
	if int(p) >= len(qualityPolicies) {
		return invalid("quality policy", p.String(), "one of %s", strings.Join(qualityPolicies[:], ", "))
	}
	return nil
}

// String returns the text of the policy: fail, drop or flag.
func (p QualityPolicy) String() string {
	if int(p) < len(qualityPolicies) {
		return qualityPolicies[p]
	}
	return "policy " + strconv.Itoa(int(p))
}

// MarshalText returns String, or the error of Validate.
func (p QualityPolicy) MarshalText() ([]byte, error) { return []byte(p.String()), p.Validate() }

// UnmarshalText parses fail, drop or flag.
func (p *QualityPolicy) UnmarshalText(b []byte) error {
	for i, text := range qualityPolicies {
		if string(b) == text {
			*p = QualityPolicy(i)
			return nil
		}
	}

	return invalid("quality policy", string(b), "one of %s", strings.Join(qualityPolicies[:], ", "))
}
