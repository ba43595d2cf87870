package quality

import "github.com/gal-friday/marketdata/domain"

const (
	staleRun = 30 // bars

	// earliestOpening is 1700-01-01, the first century that 64 bits of nanoseconds since 1970 hold whole, in which some
	// stores keep times.
	earliestOpening domain.Micros = -8_520_336_000_000_000
)

// rules are the rules of a Validator, in the order of its findings.
var rules = [...]struct {
	rule     domain.Rule
	severity domain.Severity
	detail   string
}{
	{domain.RuleHighBelowLow, domain.SeverityFatal, "high is below low"},
	{domain.RuleHighBelowOpenOrClose, domain.SeverityFatal, "high is below open or close"},
	{domain.RuleLowAboveOpenOrClose, domain.SeverityFatal, "low is above open or close"},
	{domain.RuleNegativeVolume, domain.SeverityFatal, "volume is negative"},
	{domain.RuleTimeOutOfBounds, domain.SeverityFatal, "open time is before 1700 or after now"},
	{domain.RuleOutsideRange, domain.SeverityFatal, "open time is outside the requested range"},
	{domain.RuleNotPositive, domain.SeverityError, "a price is not above zero"},
	{domain.RuleNotClosed, domain.SeverityError, "the bar is not closed"},
	{domain.RuleMoveWithoutVolume, domain.SeverityWarn, "the price moved without volume"},
	{domain.RuleWideRange, domain.SeverityWarn, "high - low is more than half of close"},
	{domain.RuleStale, domain.SeverityWarn, "more than 30 identical bars in a row"},
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

// ruleIndex returns the position of the rule in rules, or len(rules) if a Validator does not check it.
func ruleIndex(r domain.Rule) int {
	for i := range rules {
		if rules[i].rule == r {
			return i
		}
	}

	return len(rules)
}
