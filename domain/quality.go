package domain

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/gal-friday/marketdata/domain/sorting"
)

// Rule is the name of a rule that bars and ticks must follow, like high_below_low.
type Rule string

// The rules. A bar that breaks one of the first group cannot be in a Series, so that a constructor or a store returns
// an error. A Validator finds bars that break one of the others. The comments state the rule, the names its violation.
const (
	RuleIncomplete         Rule = "incomplete"           // all five numbers are present
	RuleNotFinite          Rule = "not_finite"           // every number is finite
	RuleOutOfOrder         Rule = "out_of_order"         // open times ascend
	RuleDuplicate          Rule = "duplicate"            // open times differ
	RuleOffGrid            Rule = "off_grid"             // open times lie on the grid
	RuleWrongSeries        Rule = "wrong_series"         // bars belong to the requested series
	RuleNegativeTradeCount Rule = "negative_trade_count" // trade counts are not negative

	RuleNotPositive          Rule = "price_not_positive"       // prices are above zero
	RuleHighBelowLow         Rule = "high_below_low"           // high >= low
	RuleHighBelowOpenOrClose Rule = "high_below_open_or_close" // high >= open and close
	RuleLowAboveOpenOrClose  Rule = "low_above_open_or_close"  // low <= open and close
	RuleNegativeVolume       Rule = "negative_volume"          // volume >= 0
	RuleTimeOutOfBounds      Rule = "time_out_of_bounds"       // open time from 1700 to now
	RuleOutsideRange         Rule = "outside_range"            // open time is in the requested range
	RuleNotClosed            Rule = "not_closed"               // the bar is closed
	RuleMoveWithoutVolume    Rule = "move_without_volume"      // without volume the price does not move
	RuleWideRange            Rule = "wide_range"               // high - low is at most half of close
	RuleStale                Rule = "stale"                    // at most staleRun identical bars in a row
	staleRun                      = 30

	// earliestOpening is 1700-01-01, the first century that 64 bits of nanoseconds since 1970 hold whole, in which some
	// stores keep times.
	earliestOpening Micros = -8_520_336_000_000_000
)

// Severity is how serious the violation of a rule is.
type Severity uint8

// The severities. All violations are reported as findings.
const (
	SeverityWarn  Severity = iota + 1 // unusual, but possible
	SeverityError                     // probably wrong; the bar is returned
	SeverityFatal                     // certainly wrong; QualityPolicy determines whether the bar is returned
)

// String returns the text of the severity: warn, error or fatal.
func (s Severity) String() string {
	if s >= SeverityWarn && s <= SeverityFatal {
		return [...]string{SeverityWarn: "warn", SeverityError: "error", SeverityFatal: "fatal"}[s]
	}
	return "severity " + strconv.Itoa(int(s))
}

// MarshalText returns String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// rules are the rules of a Validator, in the order of its findings.
var rules = [...]struct {
	rule     Rule
	severity Severity
	detail   string
}{
	{RuleHighBelowLow, SeverityFatal, "high is below low"},
	{RuleHighBelowOpenOrClose, SeverityFatal, "high is below open or close"},
	{RuleLowAboveOpenOrClose, SeverityFatal, "low is above open or close"},
	{RuleNegativeVolume, SeverityFatal, "volume is negative"},
	{RuleTimeOutOfBounds, SeverityFatal, "open time is before 1700 or after now"},
	{RuleOutsideRange, SeverityFatal, "open time is outside the requested range"},
	{RuleNotPositive, SeverityError, "a price is not above zero"},
	{RuleNotClosed, SeverityError, "the bar is not closed"},
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

// Finding reports the bars that break one rule.
type Finding struct {
	Rule     Rule      `json:"rule"`
	Severity Severity  `json:"severity"`
	Detail   string    `json:"detail"`
	Count    int       `json:"count"` // bars
	First    time.Time `json:"first"` // open time of the first bar
}

// Verdict is the result of a Validator for one piece of a Series.
type Verdict struct {
	Bars     int       // number of validated bars
	Findings []Finding // one per broken rule, fatal ones first
	Fatal    []int     // indices of the bars that break a fatal rule, ascending
}

// Err returns a *RuleError for the first fatal finding, or nil if there is none.
func (v Verdict) Err(key SeriesKey) error {
	for _, f := range v.Findings {
		if f.Severity == SeverityFatal {
			return &RuleError{Rule: f.Rule, Key: key, At: f.First, Detail: f.Detail}
		}
	}

	return nil
}

// MergeFindings returns the findings of two consecutive pieces of one series as one list. It does not change its
// arguments.
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

	sorting.StableFunc(merged, func(a, b Finding) int { return cmp.Compare(ruleIndex(a.Rule), ruleIndex(b.Rule)) })

	return merged
}

// ruleIndex returns the position of the rule in rules, or len(rules) if a Validator does not check it.
func ruleIndex(r Rule) int {
	for i := range rules {
		if rules[i].rule == r {
			return i
		}
	}

	return len(rules)
}
