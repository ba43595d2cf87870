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

// The rules. A store refuses what breaks one of the first group, since no Series can hold it; a Judge finds the others.
const (
	RuleComplete  Rule = "Q01" // all five numbers are present
	RuleFinite    Rule = "Q02" // every number is finite
	RuleOrder     Rule = "Q07" // open times ascend
	RuleDuplicate Rule = "Q08" // one bar an open time
	RuleGrid      Rule = "Q10" // open times lie on the grid
	RuleKey       Rule = "Q12" // bars are of the series asked for
	RuleTrades    Rule = "Q22" // trade counts are not negative

	RulePositive    Rule = "Q02+" // prices are above zero
	RuleHighLow     Rule = "Q03"  // high >= low
	RuleHigh        Rule = "Q04"  // high >= open and close
	RuleLow         Rule = "Q05"  // low <= open and close
	RuleVolume      Rule = "Q06"  // volume >= 0
	RuleTime        Rule = "Q09"  // open time from 1970 to now
	RuleRange       Rule = "Q11"  // open time inside the range asked for
	RuleClosed      Rule = "Q14"  // the bar is over
	RuleQuiet       Rule = "Q16"  // without volume the price stands still
	RuleWide        Rule = "Q19"  // high - low is at most half of close
	RuleStale       Rule = "Q20"  // at most staleRun identical bars in a row
	staleRun             = 30
	earliestOpening      = 0 // 1970-01-01 in microseconds since 1970
)

// Severity says what a broken rule means for the bar.
type Severity uint8

// The severities: a Warn is counted, an Error is returned and flagged, a Fatal bar is wrong and falls under the request's policy.
const (
	Warn Severity = iota + 1
	Error
	Fatal
)

// String is the severity's text.
func (s Severity) String() string {
	if s >= Warn && s <= Fatal {
		return [...]string{Warn: "warn", Error: "error", Fatal: "fatal"}[s]
	}
	return "severity " + strconv.Itoa(int(s))
}

// MarshalText is String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// rules orders what a Judge reports and says how bad each is.
var rules = [...]struct {
	rule     Rule
	severity Severity
	detail   string
}{
	{RuleHighLow, Fatal, "high is below low"},
	{RuleHigh, Fatal, "high is below open or close"},
	{RuleLow, Fatal, "low is above open or close"},
	{RuleVolume, Fatal, "volume is negative"},
	{RuleTime, Fatal, "open time is before 1970 or after now"},
	{RuleRange, Fatal, "open time is outside the range asked for"},
	{RulePositive, Error, "a price is not above zero"},
	{RuleClosed, Error, "the bar is not over"},
	{RuleQuiet, Warn, "the price moved without volume"},
	{RuleWide, Warn, "high - low is more than half of close"},
	{RuleStale, Warn, "more than 30 identical bars in a row"},
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

// Verdict is what a Judge found in a Series.
type Verdict struct {
	Bars     int       // bars looked at
	Findings []Finding // one a broken rule, the fatal ones first
	Fatal    []int     // indices of the bars that break a fatal rule, ascending
}

// Err is a *RuleError for the first fatal finding, nil without one.
func (v Verdict) Err(key SeriesKey) error {
	for _, f := range v.Findings {
		if f.Severity == Fatal {
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
