package domain

import (
	"strconv"
	"time"
)

// Rule is the name of a rule that bars and ticks must follow, like high_below_low.
type Rule string

// The rules. A bar that breaks one of the first group cannot be in a Series, so that a constructor or a store returns
// an error. quality.Validator finds bars that break one of the others. The comments state the rule, the names its
// violation.
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
	RuleStale                Rule = "stale"                    // at most 30 identical bars in a row
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

// Finding reports the bars that break one rule.
type Finding struct {
	Rule     Rule      `json:"rule"`
	Severity Severity  `json:"severity"`
	Detail   string    `json:"detail"`
	Count    int       `json:"count"` // bars
	First    time.Time `json:"first"` // open time of the first bar
}
