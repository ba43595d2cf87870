// Package quality validates bars by the rules of package domain. Queries and writes of the application, importers of
// files and programs that check bars of their own call it.
package quality

import (
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Validator checks the bars of one series against the quality rules. It takes the series in consecutive pieces, and
// keeps the end of the last piece, because domain.RuleStale concerns bars of several pieces. It is for one goroutine.
type Validator struct {
	within domain.Range
	now    time.Time
	last   domain.Bar // of the previous pieces
	run    int        // number of identical bars that end with last; 0 before the first piece
}

// NewValidator returns a Validator for bars that must open in r and must be closed at now.
func NewValidator(r domain.Range, now time.Time) *Validator { return &Validator{within: r, now: now} }

// Check validates the next piece.
func (v *Validator) Check(s domain.Series) Verdict {
	t := counter{verdict: Verdict{Bars: s.Len()}}
	if s.Len() == 0 {
		return t.verdict
	}

	if v.run > 0 && !sameNumbers(v.last, s.At(0)) {
		v.run = 0
	}
	c := s.Columns()
	if isNarrow(&c) && v.keepsTimeRules(s) {
		v.checkColumns(s, &c, &t)
	} else {
		v.checkBars(s, &t)
	}

	v.last = s.At(s.Len() - 1)

	return t.result(s)
}

// CheckValidated is a fast Check for a piece that was validated before, so that its numbers break no rule and it
// contains no long run of identical bars. It reads only the ends of the piece, unless the piece continues a run of
// identical bars or breaks a rule about time.
func (v *Validator) CheckValidated(s domain.Series) Verdict {
	n := s.Len()
	if n == 0 || v.run > 0 && sameNumbers(v.last, s.At(0)) || !v.keepsTimeRules(s) {
		return v.Check(s)
	}

	v.last, v.run = s.At(n-1), 1
	for i := n - 2; i >= 0 && v.run <= staleRun && sameNumbers(v.last, s.At(i)); i-- {
		v.run++
	}

	return Verdict{Bars: n}
}

// checkColumns is the fast path for numbers of 64 bits. The bars must break no rule about time.
func (v *Validator) checkColumns(s domain.Series, c *domain.Columns, t *counter) {
	open := c.Open.Lo
	n := len(open)
	high, low, cls, volume := c.High.Lo[:n], c.Low.Lo[:n], c.Close.Lo[:n], c.Volume.Lo[:n]
	run := v.run
	for i, o := range open {
		h, l, cl := high[i], low[i], cls[i]
		if i > 0 && (cl != cls[i-1] || o != open[i-1] || h != high[i-1] || l != low[i-1] || volume[i] != volume[i-1]) {
			run = 0
		}
		run++
		if h < o || h < cl || l > o || l > cl || l <= 0 || volume[i] <= 0 || h-l > cl/2 || run > staleRun {
			t.note(i, brokenNumberRules(s.At(i))|brokenStaleRule(run))
		}
	}

	v.run = run
}

// checkBars is the path for any Series.
func (v *Validator) checkBars(s domain.Series, t *counter) {
	grid := s.Key().Grid
	for i, b := range s.All() {
		if i > 0 && !sameNumbers(b, s.At(i-1)) {
			v.run = 0
		}
		v.run++
		if broken := v.brokenTimeRules(grid, b.OpenTime) | brokenNumberRules(b) | brokenStaleRule(v.run); broken != 0 {
			t.note(i, broken)
		}
	}
}

// keepsTimeRules reports whether no bar breaks a rule about time. It checks only the first and the last bar, because
// times ascend.
func (v *Validator) keepsTimeRules(s domain.Series) bool {
	g := s.Key().Grid
	return v.brokenTimeRules(g, s.OpenTime(0))|v.brokenTimeRules(g, s.OpenTime(s.Len()-1)) == 0
}

// brokenTimeRules returns the rules about time that a bar breaks, as a set of bits numbered like rules.
func (v *Validator) brokenTimeRules(g domain.Grid, open time.Time) (broken uint) {
	if domain.MicrosFloor(open) < earliestOpening || open.After(v.now) {
		broken |= 1 << ruleTime
	}
	if !v.within.Contains(open) {
		broken |= 1 << ruleRange
	}
	if g.Next(open).After(v.now) {
		broken |= 1 << ruleClosed
	}

	return broken
}

// brokenNumberRules returns the rules about prices and volume that the bar breaks, as a set of bits.
func brokenNumberRules(b domain.Bar) (broken uint) {
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
	// close < 2*(high-low); a sum that overflows is larger than any close
	if spread, err := b.High.Sub(b.Low); err != nil {
		broken |= 1 << ruleWide
	} else if twice, err := spread.Add(spread); err != nil || twice.Cmp(b.Close) > 0 {
		broken |= 1 << ruleWide
	}

	return broken
}

// brokenStaleRule returns domain.RuleStale as a bit if the run of identical bars is too long.
func brokenStaleRule(run int) uint {
	if run > staleRun {
		return 1 << ruleStale
	}
	return 0
}

func sameNumbers(a, b domain.Bar) bool {
	return a.Close.Equal(b.Close) && a.Open.Equal(b.Open) && a.High.Equal(b.High) && a.Low.Equal(b.Low) &&
		a.Volume.Equal(b.Volume)
}

// isNarrow reports whether all numbers fit 64 bits.
func isNarrow(c *domain.Columns) bool {
	return c.Open.Hi == nil && c.High.Hi == nil && c.Low.Hi == nil && c.Close.Hi == nil && c.Volume.Hi == nil
}

// counter counts the broken rules of a piece.
type counter struct {
	verdict Verdict
	count   [len(rules)]int // bars
	first   [len(rules)]int // index of the first bar
}

// note counts bar i, which breaks the rules.
func (t *counter) note(i int, broken uint) {
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

// result returns the verdict on the piece.
func (t *counter) result(s domain.Series) Verdict {
	for r, rule := range rules {
		if t.count[r] > 0 {
			t.verdict.Findings = append(t.verdict.Findings, domain.Finding{
				Rule: rule.rule, Severity: rule.severity, Detail: rule.detail, Count: t.count[r], First: s.OpenTime(t.first[r]),
			})
		}
	}

	return t.verdict
}
