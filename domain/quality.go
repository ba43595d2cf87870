package domain

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rule is a data-quality rule by its number.
type Rule string

// The rules. A store refuses what breaks one of the first group, since no Series can hold it; a Validator finds the
// others.
const (
	RuleIncomplete         Rule = "incomplete"           // all five numbers are present
	RuleNotFinite          Rule = "not_finite"           // every number is finite
	RuleOutOfOrder         Rule = "out_of_order"         // open times ascend
	RuleDuplicate          Rule = "duplicate"            // one bar an open time
	RuleOffGrid            Rule = "off_grid"             // open times lie on the grid
	RuleWrongSeries        Rule = "wrong_series"         // bars are of the series asked for
	RuleNegativeTradeCount Rule = "negative_trade_count" // trade counts are not negative

	RuleNotPositive          Rule   = "price_not_positive"       // prices are above zero
	RuleHighBelowLow         Rule   = "high_below_low"           // high >= low
	RuleHighBelowOpenOrClose Rule   = "high_below_open_or_close" // high >= open and close
	RuleLowAboveOpenOrClose  Rule   = "low_above_open_or_close"  // low <= open and close
	RuleNegativeVolume       Rule   = "negative_volume"          // volume >= 0
	RuleTimeOutOfBounds      Rule   = "time_out_of_bounds"       // open time from 1970 to now
	RuleOutsideRange         Rule   = "outside_range"            // open time inside the range asked for
	RuleNotClosed            Rule   = "not_closed"               // the bar is over
	RuleMoveWithoutVolume    Rule   = "move_without_volume"      // without volume the price stands still
	RuleWideRange            Rule   = "wide_range"               // high - low is at most half of close
	RuleStale                Rule   = "stale"                    // at most staleRun identical bars in a row
	staleRun                        = 30
	earliestOpening          Micros = 0 // 1970-01-01
)

// Severity says what a broken rule means for the bar.
type Severity uint8

// The severities: a Warn is counted, an Error is returned and flagged, a Fatal bar is wrong and falls under the
// request's policy.
const (
	SeverityWarn Severity = iota + 1
	SeverityError
	SeverityFatal
)

// String is the severity's text.
func (s Severity) String() string {
	if s >= SeverityWarn && s <= SeverityFatal {
		return [...]string{SeverityWarn: "warn", SeverityError: "error", SeverityFatal: "fatal"}[s]
	}
	return "severity " + strconv.Itoa(int(s))
}

// MarshalText is String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// rules orders what a Validator reports and says how bad each is.
var rules = [...]struct {
	rule     Rule
	severity Severity
	detail   string
}{
	{RuleHighBelowLow, SeverityFatal, "high is below low"},
	{RuleHighBelowOpenOrClose, SeverityFatal, "high is below open or close"},
	{RuleLowAboveOpenOrClose, SeverityFatal, "low is above open or close"},
	{RuleNegativeVolume, SeverityFatal, "volume is negative"},
	{RuleTimeOutOfBounds, SeverityFatal, "open time is before 1970 or after now"},
	{RuleOutsideRange, SeverityFatal, "open time is outside the range asked for"},
	{RuleNotPositive, SeverityError, "a price is not above zero"},
	{RuleNotClosed, SeverityError, "the bar is not over"},
	{RuleMoveWithoutVolume, SeverityWarn, "the price moved without volume"},
	{RuleWideRange, SeverityWarn, "high - low is more than half of close"},
	{RuleStale, SeverityWarn, "more than 30 identical bars in a row"},
}

const (
	ruleHighLow = iota
	ruleHigh
	ruleLow
	ruleVolume
	ruleTime
	ruleRange
	rulePositive
	ruleClosed
	ruleQuiet
	ruleWide
	ruleStale

	fatalRules = 1<<ruleHighLow | 1<<ruleHigh | 1<<ruleLow | 1<<ruleVolume | 1<<ruleTime | 1<<ruleRange
)

// Finding is one rule that bars broke: how many, and the first.
type Finding struct {
	Rule     Rule      `json:"rule"`
	Severity Severity  `json:"severity"`
	Detail   string    `json:"detail"`
	Count    int       `json:"count"`
	First    time.Time `json:"first"`
}

// Verdict is what a Validator found in a Series.
type Verdict struct {
	Bars     int       // bars looked at
	Findings []Finding // one a broken rule, the fatal ones first
	Fatal    []int     // indices of the bars that break a fatal rule, ascending
}

// Err is a *RuleError for the first fatal finding, nil without one.
func (v Verdict) Err(key SeriesKey) error {
	for _, f := range v.Findings {
		if f.Severity == SeverityFatal {
			return &RuleError{Rule: f.Rule, Key: key, At: f.First, Detail: f.Detail}
		}
	}
	return nil
}

// MergeFindings adds up the findings of two pieces of one series, earlier before later.
func MergeFindings(earlier, later []Finding) []Finding {
	merged := slices.Clone(earlier)
	for _, f := range later {
		i := slices.IndexFunc(merged, func(m Finding) bool { return m.Rule == f.Rule })
		if i < 0 {
			merged = append(merged, f)
			continue
		}

		merged[i].Count += f.Count
	}

	slices.SortStableFunc(merged, func(a, b Finding) int { return cmp.Compare(ruleIndex(a.Rule), ruleIndex(b.Rule)) })
	return merged
}

func ruleIndex(r Rule) int {
	for i := range rules {
		if rules[i].rule == r {
			return i
		}
	}
	return len(rules)
}

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
