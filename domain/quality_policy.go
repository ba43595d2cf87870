package domain

import (
	"strconv"
	"strings"
	"time"
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

// Apply applies the policy to bars and their verdict. With QualityFail it returns the first fatal finding as a
// *RuleError. With QualityDrop it drops the bars that break a fatal rule and returns their open times in dropped.
func (p QualityPolicy) Apply(bars Series, v Verdict) (kept Series, dropped []time.Time, err error) {
	if len(v.Fatal) == 0 {
		return bars, nil, nil
	}

	switch p {
	case QualityFail:
		return Series{}, nil, v.Err(bars.Key())
	case QualityDrop:
		for _, i := range v.Fatal {
			dropped = append(dropped, bars.OpenTime(i))
		}
		bars = bars.Drop(v.Fatal)
	}

	return bars, dropped, nil
}
