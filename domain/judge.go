package domain

import (
	"time"
)

// Validator checks the pieces of one series, in order, against the rules that are always on. It carries what a rule
// needs to know of the piece before. It is for one goroutine.
type Validator struct {
	within Range
	now    time.Time
	last   Bar // of the pieces before
	run    int // how many bars up to and with last are identical; 0 before the first
}

// NewValidator returns a Validator of bars that were asked for within r and have to be over at now.
func NewValidator(r Range, now time.Time) *Validator { return &Validator{within: r, now: now} }

// Check judges the next piece.
func (j *Validator) Check(s Series) Verdict {
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

// CheckValidated is Check of a piece that breaks no rule of numbers, nor holds too long a run of identical bars:
// somebody looked before. It looks at the ends only, unless the piece goes on with a run of the piece before, or breaks
// a rule about time.
func (j *Validator) CheckValidated(s Series) Verdict {
	n := s.Len()
	if n == 0 || j.run > 0 && sameNumbers(j.last, s.At(0)) || !j.timesHold(s) {
		return j.Check(s)
	}

	j.last, j.run = s.At(n-1), 1
	for i := n - 2; i >= 0 && j.run <= staleRun && sameNumbers(j.last, s.At(i)); i-- {
		j.run++
	}
	return Verdict{Bars: n}
}

// checkColumns is the fast way: 64-bit numbers, every time rule known to hold.
func (j *Validator) checkColumns(s Series, c *Columns, t *tally) {
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
func (j *Validator) checkBars(s Series, t *tally) {
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
func (j *Validator) timesHold(s Series) bool {
	g := s.key.Grid
	return j.timeRules(g, s.OpenTime(0))|j.timeRules(g, s.OpenTime(s.Len()-1)) == 0
}

func (j *Validator) timeRules(g Grid, open time.Time) (broken uint) {
	if MicrosFloor(open) < earliestOpening || open.After(j.now) {
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
	if b.Volume.IsZero() && (!b.High.Equal(b.Low) || !b.Open.Equal(b.Close)) {
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
