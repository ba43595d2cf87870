package domain

import (
	"cmp"
	"slices"
	"strconv"
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

// Judge checks the pieces of one series, in order, against the rules that are always on. It carries what a rule needs to know of
// the piece before. It is for one goroutine.
type Judge struct {
	within Range
	now    time.Time
	last   Bar // of the pieces before
	run    int // how many bars up to and with last are identical; 0 before the first
}

// NewJudge returns a Judge of bars that were asked for within r and have to be over at now.
func NewJudge(r Range, now time.Time) *Judge { return &Judge{within: r, now: now} }

// Check judges the next piece.
func (j *Judge) Check(s Series) Verdict {
	t := tally{verdict: Verdict{Bars: s.Len()}}
	if s.Len() == 0 {
		return t.verdict
	}
	if j.run > 0 && !sameNumbers(j.last, s.At(0)) {
		j.run = 0
	}
	c := s.Columns()
	if narrowNumbers(&c) && j.timesHold(s) {
		j.checkColumns(s, &c, &t)
	} else {
		j.checkBars(s, &t)
	}
	j.last = s.At(s.Len() - 1)
	return t.result(s)
}

// checkColumns is the fast way: 64-bit numbers, every time rule known to hold.
func (j *Judge) checkColumns(s Series, c *Columns, t *tally) {
	open := c.Open.Lo
	n := len(open)
	high, low, cls, volume := c.High.Lo[:n], c.Low.Lo[:n], c.Close.Lo[:n], c.Volume.Lo[:n]
	run := j.run
	for i, o := range open {
		h, l, cl := high[i], low[i], cls[i]
		if i > 0 && (cl != cls[i-1] || o != open[i-1] || h != high[i-1] || l != low[i-1] || volume[i] != volume[i-1]) {
			run = 0
		}
		run++
		if h < o || h < cl || l > o || l > cl || l <= 0 || volume[i] <= 0 || h-l > cl/2 || run > staleRun {
			t.note(i, numberRules(s.At(i))|staleRule(run))
		}
	}
	j.run = run
}

// checkBars is the way that holds for any Series.
func (j *Judge) checkBars(s Series, t *tally) {
	for i, b := range s.All() {
		if i > 0 && !sameNumbers(b, s.At(i-1)) {
			j.run = 0
		}
		j.run++
		if broken := j.timeRules(s.key.Grid, b.OpenTime) | numberRules(b) | staleRule(j.run); broken != 0 {
			t.note(i, broken)
		}
	}
}

// timesHold reports whether no bar breaks a rule about time; times ascend, so the first and the last tell.
func (j *Judge) timesHold(s Series) bool {
	g := s.key.Grid
	return j.timeRules(g, s.OpenTime(0))|j.timeRules(g, s.OpenTime(s.Len()-1)) == 0
}

func (j *Judge) timeRules(g Grid, open time.Time) (broken uint) {
	if open.UnixMicro() < earliestOpening || open.After(j.now) {
		broken |= 1 << ruleTime
	}
	if !j.within.Contains(open) {
		broken |= 1 << ruleRange
	}
	if g.Next(open).After(j.now) {
		broken |= 1 << ruleClosed
	}
	return broken
}

func numberRules(b Bar) (broken uint) {
	if b.High.Cmp(b.Low) < 0 {
		broken |= 1 << ruleHighLow
	}
	if b.High.Cmp(b.Open) < 0 || b.High.Cmp(b.Close) < 0 {
		broken |= 1 << ruleHigh
	}
	if b.Low.Cmp(b.Open) > 0 || b.Low.Cmp(b.Close) > 0 {
		broken |= 1 << ruleLow
	}
	if b.Volume.Sign() < 0 {
		broken |= 1 << ruleVolume
	}
	if b.Open.Sign() <= 0 || b.High.Sign() <= 0 || b.Low.Sign() <= 0 || b.Close.Sign() <= 0 {
		broken |= 1 << rulePositive
	}
	if b.Volume.IsZero() && !(b.High.Equal(b.Low) && b.Open.Equal(b.Close)) {
		broken |= 1 << ruleQuiet
	}
	// close < 2*(high-low), by sums: a sum that overflows is beyond any close
	if spread, err := b.High.Sub(b.Low); err != nil {
		broken |= 1 << ruleWide
	} else if twice, err := spread.Add(spread); err != nil || twice.Cmp(b.Close) > 0 {
		broken |= 1 << ruleWide
	}
	return broken
}

func staleRule(run int) uint {
	if run > staleRun {
		return 1 << ruleStale
	}
	return 0
}

func sameNumbers(a, b Bar) bool {
	return a.Close.Equal(b.Close) && a.Open.Equal(b.Open) && a.High.Equal(b.High) && a.Low.Equal(b.Low) && a.Volume.Equal(b.Volume)
}

func narrowNumbers(c *Columns) bool {
	for f := range Field(fieldCount) {
		if c.column(f).Hi != nil {
			return false
		}
	}
	return true
}

// tally counts broken rules while a piece is checked.
type tally struct {
	verdict Verdict
	count   [len(rules)]int
	first   [len(rules)]int
}

func (t *tally) note(i int, broken uint) {
	if broken&fatalRules != 0 {
		t.verdict.Fatal = append(t.verdict.Fatal, i)
	}
	for r := range rules {
		if broken&(1<<r) != 0 {
			if t.count[r] == 0 {
				t.first[r] = i
			}
			t.count[r]++
		}
	}
}

func (t *tally) result(s Series) Verdict {
	for r, rule := range rules {
		if t.count[r] > 0 {
			t.verdict.Findings = append(t.verdict.Findings, Finding{
				Rule: rule.rule, Severity: rule.severity, Detail: rule.detail, Count: t.count[r], First: s.OpenTime(t.first[r]),
			})
		}
	}
	return t.verdict
}

// Without is the Series without the bars at the given ascending indices.
func (s Series) Without(indices []int) Series {
	if len(indices) == 0 {
		return s
	}
	b := NewSeriesBuilder(s.key, s.Len()-len(indices))
	from := 0
	for _, i := range append(slices.Clone(indices), s.Len()) {
		if err := b.AppendSeries(s.Slice(from, i)); err != nil {
			panic(err) // pieces of one Series in order are a Series
		}
		from = min(i+1, s.Len())
	}
	rest, err := b.Series()
	if err != nil {
		panic(err)
	}
	return rest
}
