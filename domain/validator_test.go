package domain

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	judged    = must(NewRange(utc("2020-01-01T00:00:00Z"), utc("2020-01-02T00:00:00Z")))
	judgedNow = utc("2020-01-03T00:00:00Z")
)

// cleanBars are hourless minutes of a quiet market that breaks no rule.
func cleanBars(n int) []Bar {
	bars := make([]Bar, n)
	for i := range bars {
		bars[i] = Bar{
			OpenTime: judged.Start.Add(time.Duration(i) * time.Minute),
			Open:     MustDecimal("100"), High: MustDecimal("101.5"), Low: MustDecimal("99"), Close: MustDecimal("100.5"),
			Volume: fromInt64(int64(1+i%7), 2), Trades: 1,
		}
	}

	return bars
}

// wide is the same Series with 128-bit columns, which a Validator checks bar by bar.
func wide(s Series) Series {
	c := s.Columns()
	for f := range Field(fieldCount) {
		if column := c.column(f); column.Hi == nil {
			column.widen()
		}
	}

	return must(NewSeriesFromColumns(s.Key(), c))
}

func TestJudgeFindsEachRule(t *testing.T) {
	t.Parallel()
	set := func(field func(*Bar) *Decimal, value string) func([]Bar) {
		return func(bars []Bar) { *field(&bars[5]) = MustDecimal(value) }
	}
	high := func(b *Bar) *Decimal { return &b.High }
	low := func(b *Bar) *Decimal { return &b.Low }
	volume := func(b *Bar) *Decimal { return &b.Volume }
	for _, c := range []struct {
		name     string
		spoil    func([]Bar)
		rules    []Rule
		severity Severity // of the first
		at       int      // bar of the first
		count    int
	}{
		{"clean", func([]Bar) {}, nil, 0, 0, 0},
		{"high below low", func(b []Bar) { b[5].High, b[5].Low = b[5].Low, b[5].High }, []Rule{RuleHighBelowLow, RuleHighBelowOpenOrClose, RuleLowAboveOpenOrClose}, SeverityFatal, 5, 1},
		{"high below open", set(high, "99.5"), []Rule{RuleHighBelowOpenOrClose}, SeverityFatal, 5, 1},
		{"high below close only", set(high, "100.2"), []Rule{RuleHighBelowOpenOrClose}, SeverityFatal, 5, 1},
		{"low above open", set(low, "100.1"), []Rule{RuleLowAboveOpenOrClose}, SeverityFatal, 5, 1},
		{"low above close only", func(b []Bar) { b[5].Open, b[5].Low = MustDecimal("101"), MustDecimal("100.9") }, []Rule{RuleLowAboveOpenOrClose}, SeverityFatal, 5, 1},
		{"volume", set(volume, "-0.01"), []Rule{RuleNegativeVolume}, SeverityFatal, 5, 1},
		{"price of zero", set(low, "0"), []Rule{RuleNotPositive, RuleWideRange}, SeverityError, 5, 1},
		{"negative price", set(low, "-37.63"), []Rule{RuleNotPositive, RuleWideRange}, SeverityError, 5, 1},
		{"quiet", set(volume, "0"), []Rule{RuleMoveWithoutVolume}, SeverityWarn, 5, 1},
		{"quiet and still", func(b []Bar) { b[5].Open, b[5].High, b[5].Close, b[5].Volume = b[5].Low, b[5].Low, b[5].Low, Decimal{} }, nil, 0, 0, 0},
		{"half of close", func(b []Bar) { b[5].Low, b[5].High = MustDecimal("60"), MustDecimal("110.25") }, nil, 0, 0, 0},
		{"more than half of close", func(b []Bar) { b[5].Low, b[5].High = MustDecimal("60"), MustDecimal("110.26") }, []Rule{RuleWideRange}, SeverityWarn, 5, 1},
		{"30 identical", func(b []Bar) { still(b[5:35]) }, nil, 0, 0, 0},
		{"32 identical", func(b []Bar) { still(b[5:37]) }, []Rule{RuleStale}, SeverityWarn, 35, 2},
		{"before the range", func(b []Bar) { shift(b[:3], -time.Hour) }, []Rule{RuleOutsideRange}, SeverityFatal, 0, 3},
		{"after the range", func(b []Bar) { shift(b[50:], 24*time.Hour) }, []Rule{RuleOutsideRange}, SeverityFatal, 50, 10},
		{"after now", func(b []Bar) { shift(b[59:], 72*time.Hour) }, []Rule{RuleTimeOutOfBounds, RuleOutsideRange, RuleNotClosed}, SeverityFatal, 59, 1},
		{"before 1970", func(b []Bar) { shift(b[:1], -51*365*24*time.Hour) }, []Rule{RuleOutsideRange}, SeverityFatal, 0, 1},
		{"before 1700", func(b []Bar) { b[0].OpenTime = utc("1699-12-31T23:59:00Z") }, []Rule{RuleTimeOutOfBounds, RuleOutsideRange}, SeverityFatal, 0, 1},
	} {
		bars := cleanBars(60)
		c.spoil(bars)
		s := must(NewSeries(minuteKey(), bars...))
		for way, s := range map[string]Series{"narrow": s, "wide": wide(s)} {
			v := NewValidator(judged, judgedNow).Check(s)
			var rules []Rule
			for _, f := range v.Findings {
				rules = append(rules, f.Rule)
			}
			if v.Bars != 60 || !slices.Equal(rules, c.rules) {
				t.Errorf("%s, %s: rules %v of %d bars, want %v", c.name, way, rules, v.Bars, c.rules)
				continue
			}
			if len(rules) == 0 {
				if len(v.Fatal) > 0 || v.Err(s.Key()) != nil {
					t.Errorf("%s, %s: %v", c.name, way, v)
				}
				continue
			}

			if f := v.Findings[0]; f.Severity != c.severity || f.Count != c.count || !f.First.Equal(bars[c.at].OpenTime) || f.Detail == "" {
				t.Errorf("%s, %s: %+v", c.name, way, f)
			}
			var broken *RuleError
			if err := v.Err(s.Key()); (c.severity == SeverityFatal) != (err != nil) || err != nil && (!errors.As(err, &broken) || broken.Rule != c.rules[0]) {
				t.Errorf("%s, %s: error %v", c.name, way, err)
			}
			if (c.severity == SeverityFatal) != (len(v.Fatal) == c.count) || c.severity == SeverityFatal && v.Fatal[0] != c.at {
				t.Errorf("%s, %s: fatal bars %v", c.name, way, v.Fatal)
			}
		}
	}
}

func still(bars []Bar) {
	for i := range bars {
		bars[i].Volume = MustDecimal("5")
	}
}

func shift(bars []Bar, d time.Duration) {
	for i := range bars {
		bars[i].OpenTime = bars[i].OpenTime.Add(d)
	}
}

func TestJudgeWantsBarsOver(t *testing.T) {
	t.Parallel()
	s := must(NewSeries(minuteKey(), cleanBars(3)...))
	v := NewValidator(judged, s.OpenTime(2).Add(59*time.Second)).Check(s)
	if len(v.Findings) != 1 || v.Findings[0].Rule != RuleNotClosed || v.Findings[0].Severity != SeverityError || v.Findings[0].Count != 1 || len(v.Fatal) > 0 {
		t.Errorf("%+v", v)
	}
	if v := NewValidator(judged, s.Range().End).Check(s); len(v.Findings) > 0 {
		t.Errorf("%+v", v)
	}
}

// dirtyBars draws bars that break rules often, and repeat often.
func dirtyBars() *rapid.Generator[[]Bar] {
	number := rapid.SampledFrom([]Decimal{fromInt64(-1, 0), {}, fromInt64(1, 0), fromInt64(2, 0), fromInt64(3, 0), fromInt64(31, 1), fromInt64(400, 2), fromInt64(7, 0)})
	return rapid.Custom(func(t *rapid.T) []Bar {
		var bars []Bar
		at := judged.Start.Add(-3 * time.Minute)
		for range rapid.IntRange(0, 6).Draw(t, "runs") {
			b := Bar{Open: number.Draw(t, "open"), High: number.Draw(t, "high"), Low: number.Draw(t, "low"), Close: number.Draw(t, "close"), Volume: number.Draw(t, "volume")}
			for range rapid.SampledFrom([]int{1, 1, 2, 29, 31, 40}).Draw(t, "run") {
				b.OpenTime = at
				bars = append(bars, b)
				at = at.Add(time.Minute)
			}
		}

		return bars
	})
}

func TestJudgeSameFindingsEveryWay(t *testing.T) {
	check(t, func(t *rapid.T) {
		bars := dirtyBars().Draw(t, "bars")
		within := Range{Start: judged.Start.Add(time.Duration(rapid.IntRange(-10, 1).Draw(t, "start")) * time.Minute), End: judged.End}
		now := judged.Start.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "now")) * time.Minute)
		s := must(NewSeries(minuteKey(), bars...))
		whole := NewValidator(within, now).Check(s)
		if slow := NewValidator(within, now).Check(wide(s)); !slices.Equal(slow.Findings, whole.Findings) || !slices.Equal(slow.Fatal, whole.Fatal) {
			t.Fatalf("by column %+v, bar by bar %+v", whole, slow)
		}

		j := NewValidator(within, now)
		var findings []Finding
		var fatal []int
		for from := 0; from < s.Len(); {
			to := rapid.IntRange(from+1, s.Len()).Draw(t, "to")
			piece := s.Slice(from, to)
			if rapid.Bool().Draw(t, "wide") {
				piece = wide(piece)
			}
			v := j.Check(piece)
			if v.Bars != piece.Len() {
				t.Fatalf("looked at %d of %d bars", v.Bars, piece.Len())
			}

			before := slices.Clone(findings)
			merged := MergeFindings(findings, v.Findings)
			if !slices.Equal(findings, before) {
				t.Fatal("merging changed its input")
			}

			findings = merged
			for _, i := range v.Fatal {
				fatal = append(fatal, from+i)
			}
			from = to
			j.Check(EmptySeries(minuteKey())) // changes nothing
		}
		if !slices.Equal(findings, whole.Findings) || !slices.Equal(fatal, whole.Fatal) {
			t.Fatalf("in pieces %+v %v, whole %+v %v", findings, fatal, whole.Findings, whole.Fatal)
		}
	})
}

func TestJudgeOfExtremeNumbers(t *testing.T) {
	check(t, func(t *rapid.T) {
		bars := anyBars(minuteKey(), anyDecimal(), 6).Draw(t, "bars")
		s := must(NewSeries(minuteKey(), bars...))
		r := Range{Start: utc("2000-01-01T00:00:00Z"), End: judgedNow}
		if a, b := NewValidator(r, judgedNow).Check(s), NewValidator(r, judgedNow).Check(wide(s)); !slices.Equal(a.Findings, b.Findings) {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}

// TestCheckValidatedFindsWhatCheckFinds checks validated pieces of a series. Together they break a rule that none of them
// breaks alone, or all are not closed.
func TestCheckValidatedFindsWhatCheckFinds(t *testing.T) {
	t.Parallel()
	bars := cleanBars(40)
	for i := range bars {
		bars[i].Volume = bars[0].Volume
	}
	s := must(NewSeries(minuteKey(), bars...))
	for _, now := range []time.Time{judgedNow, judged.Start} {
		v := NewValidator(judged, now)
		first, second := v.CheckValidated(s.Slice(0, 20)), v.CheckValidated(s.Slice(20, 40))
		want := NewValidator(judged, now).Check(s)
		got := MergeFindings(first.Findings, second.Findings)
		if len(want.Findings) == 0 || !slices.Equal(got, want.Findings) {
			t.Errorf("at %s: found %+v, want %+v", now, got, want.Findings)
		}
	}
}
