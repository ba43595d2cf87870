package quality

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// must is for values that a test knows to be right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}

	return v
}

func utc(s string) time.Time { return must(time.Parse(time.RFC3339Nano, s)) }

func minuteKey() domain.SeriesKey { return gen.MinuteKey("BTC/USD") }

func decimal(coefficient int64, scale uint8) domain.Decimal {
	return must(domain.NewDecimal(coefficient, scale))
}

var (
	judged    = must(domain.NewRange(utc("2020-01-01T00:00:00Z"), utc("2020-01-02T00:00:00Z")))
	judgedNow = utc("2020-01-03T00:00:00Z")
)

// cleanBars are hourless minutes of a quiet market that breaks no rule.
func cleanBars(n int) []domain.Bar {
	bars := make([]domain.Bar, n)
	for i := range bars {
		bars[i] = domain.Bar{
			OpenTime: judged.Start.Add(time.Duration(i) * time.Minute),
			Open:     domain.MustDecimal("100"), High: domain.MustDecimal("101.5"), Low: domain.MustDecimal("99"), Close: domain.MustDecimal("100.5"),
			Volume: decimal(int64(1+i%7), 2), Trades: 1,
		}
	}

	return bars
}

// wide is the same Series with 128-bit columns, which a Validator checks bar by bar.
func wide(s domain.Series) domain.Series {
	c := s.Columns()
	for _, column := range []*domain.Column{&c.Open, &c.High, &c.Low, &c.Close, &c.Volume} {
		if column.Hi == nil {
			column.Hi = make([]int64, len(column.Lo))
			for i, lo := range column.Lo {
				column.Hi[i] = lo >> 63
			}
		}
	}

	return must(domain.NewSeriesFromColumns(s.Key(), c))
}

func TestValidatorFindsEachRule(t *testing.T) {
	t.Parallel()
	set := func(field func(*domain.Bar) *domain.Decimal, value string) func([]domain.Bar) {
		return func(bars []domain.Bar) { *field(&bars[5]) = domain.MustDecimal(value) }
	}
	high := func(b *domain.Bar) *domain.Decimal { return &b.High }
	low := func(b *domain.Bar) *domain.Decimal { return &b.Low }
	volume := func(b *domain.Bar) *domain.Decimal { return &b.Volume }
	for _, c := range []struct {
		name     string
		spoil    func([]domain.Bar)
		rules    []domain.Rule
		severity domain.Severity // of the first
		at       int             // bar of the first
		count    int
	}{
		{"clean", func([]domain.Bar) {}, nil, 0, 0, 0},
		{"high below low", func(b []domain.Bar) { b[5].High, b[5].Low = b[5].Low, b[5].High }, []domain.Rule{domain.RuleHighBelowLow, domain.RuleHighBelowOpenOrClose, domain.RuleLowAboveOpenOrClose}, domain.SeverityFatal, 5, 1},
		{"high below open", set(high, "99.5"), []domain.Rule{domain.RuleHighBelowOpenOrClose}, domain.SeverityFatal, 5, 1},
		{"high below close only", set(high, "100.2"), []domain.Rule{domain.RuleHighBelowOpenOrClose}, domain.SeverityFatal, 5, 1},
		{"low above open", set(low, "100.1"), []domain.Rule{domain.RuleLowAboveOpenOrClose}, domain.SeverityFatal, 5, 1},
		{"low above close only", func(b []domain.Bar) { b[5].Open, b[5].Low = domain.MustDecimal("101"), domain.MustDecimal("100.9") }, []domain.Rule{domain.RuleLowAboveOpenOrClose}, domain.SeverityFatal, 5, 1},
		{"volume", set(volume, "-0.01"), []domain.Rule{domain.RuleNegativeVolume}, domain.SeverityFatal, 5, 1},
		{"price of zero", set(low, "0"), []domain.Rule{domain.RuleNotPositive, domain.RuleWideRange}, domain.SeverityError, 5, 1},
		{"negative price", set(low, "-37.63"), []domain.Rule{domain.RuleNotPositive, domain.RuleWideRange}, domain.SeverityError, 5, 1},
		{"quiet", set(volume, "0"), []domain.Rule{domain.RuleMoveWithoutVolume}, domain.SeverityWarn, 5, 1},
		{"quiet and still", func(b []domain.Bar) {
			b[5].Open, b[5].High, b[5].Close, b[5].Volume = b[5].Low, b[5].Low, b[5].Low, domain.Decimal{}
		}, nil, 0, 0, 0},
		{"half of close", func(b []domain.Bar) { b[5].Low, b[5].High = domain.MustDecimal("60"), domain.MustDecimal("110.25") }, nil, 0, 0, 0},
		{"more than half of close", func(b []domain.Bar) { b[5].Low, b[5].High = domain.MustDecimal("60"), domain.MustDecimal("110.26") }, []domain.Rule{domain.RuleWideRange}, domain.SeverityWarn, 5, 1},
		{"30 identical", func(b []domain.Bar) { still(b[5:35]) }, nil, 0, 0, 0},
		{"32 identical", func(b []domain.Bar) { still(b[5:37]) }, []domain.Rule{domain.RuleStale}, domain.SeverityWarn, 35, 2},
		{"before the range", func(b []domain.Bar) { shift(b[:3], -time.Hour) }, []domain.Rule{domain.RuleOutsideRange}, domain.SeverityFatal, 0, 3},
		{"after the range", func(b []domain.Bar) { shift(b[50:], 24*time.Hour) }, []domain.Rule{domain.RuleOutsideRange}, domain.SeverityFatal, 50, 10},
		{"after now", func(b []domain.Bar) { shift(b[59:], 72*time.Hour) }, []domain.Rule{domain.RuleTimeOutOfBounds, domain.RuleOutsideRange, domain.RuleNotClosed}, domain.SeverityFatal, 59, 1},
		{"before 1970", func(b []domain.Bar) { shift(b[:1], -51*365*24*time.Hour) }, []domain.Rule{domain.RuleOutsideRange}, domain.SeverityFatal, 0, 1},
		{"before 1700", func(b []domain.Bar) { b[0].OpenTime = utc("1699-12-31T23:59:00Z") }, []domain.Rule{domain.RuleTimeOutOfBounds, domain.RuleOutsideRange}, domain.SeverityFatal, 0, 1},
	} {
		bars := cleanBars(60)
		c.spoil(bars)
		s := must(domain.NewSeries(minuteKey(), bars...))
		for way, s := range map[string]domain.Series{"narrow": s, "wide": wide(s)} {
			v := NewValidator(judged, judgedNow).Check(s)
			var rules []domain.Rule
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
			var broken *domain.RuleError
			if err := v.Err(s.Key()); (c.severity == domain.SeverityFatal) != (err != nil) || err != nil && (!errors.As(err, &broken) || broken.Rule != c.rules[0]) {
				t.Errorf("%s, %s: error %v", c.name, way, err)
			}
			if (c.severity == domain.SeverityFatal) != (len(v.Fatal) == c.count) || c.severity == domain.SeverityFatal && v.Fatal[0] != c.at {
				t.Errorf("%s, %s: fatal bars %v", c.name, way, v.Fatal)
			}
		}
	}
}

func still(bars []domain.Bar) {
	for i := range bars {
		bars[i].Volume = domain.MustDecimal("5")
	}
}

func shift(bars []domain.Bar, d time.Duration) {
	for i := range bars {
		bars[i].OpenTime = bars[i].OpenTime.Add(d)
	}
}

func TestValidatorWantsClosedBars(t *testing.T) {
	t.Parallel()
	s := must(domain.NewSeries(minuteKey(), cleanBars(3)...))
	v := NewValidator(judged, s.OpenTime(2).Add(59*time.Second)).Check(s)
	if len(v.Findings) != 1 || v.Findings[0].Rule != domain.RuleNotClosed || v.Findings[0].Severity != domain.SeverityError || v.Findings[0].Count != 1 || len(v.Fatal) > 0 {
		t.Errorf("%+v", v)
	}
	if v := NewValidator(judged, s.Range().End).Check(s); len(v.Findings) > 0 {
		t.Errorf("%+v", v)
	}
}

// dirtyBars draws bars that break rules often, and repeat often.
func dirtyBars() *rapid.Generator[[]domain.Bar] {
	number := rapid.SampledFrom([]domain.Decimal{decimal(-1, 0), {}, decimal(1, 0), decimal(2, 0), decimal(3, 0), decimal(31, 1), decimal(400, 2), decimal(7, 0)})
	return rapid.Custom(func(t *rapid.T) []domain.Bar {
		var bars []domain.Bar
		at := judged.Start.Add(-3 * time.Minute)
		for range rapid.IntRange(0, 6).Draw(t, "runs") {
			b := domain.Bar{Open: number.Draw(t, "open"), High: number.Draw(t, "high"), Low: number.Draw(t, "low"), Close: number.Draw(t, "close"), Volume: number.Draw(t, "volume")}
			for range rapid.SampledFrom([]int{1, 1, 2, 29, 31, 40}).Draw(t, "run") {
				b.OpenTime = at
				bars = append(bars, b)
				at = at.Add(time.Minute)
			}
		}

		return bars
	})
}

func TestValidatorFindsTheSameEveryWay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bars := dirtyBars().Draw(t, "bars")
		within := domain.Range{Start: judged.Start.Add(time.Duration(rapid.IntRange(-10, 1).Draw(t, "start")) * time.Minute), End: judged.End}
		now := judged.Start.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "now")) * time.Minute)
		s := must(domain.NewSeries(minuteKey(), bars...))
		whole := NewValidator(within, now).Check(s)
		if slow := NewValidator(within, now).Check(wide(s)); !slices.Equal(slow.Findings, whole.Findings) || !slices.Equal(slow.Fatal, whole.Fatal) {
			t.Fatalf("by column %+v, bar by bar %+v", whole, slow)
		}

		j := NewValidator(within, now)
		var findings []domain.Finding
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
			merged := Merge(findings, v.Findings)
			if !slices.Equal(findings, before) {
				t.Fatal("merging changed its input")
			}

			findings = merged
			for _, i := range v.Fatal {
				fatal = append(fatal, from+i)
			}
			from = to
			j.Check(domain.EmptySeries(minuteKey())) // changes nothing
		}
		if !slices.Equal(findings, whole.Findings) || !slices.Equal(fatal, whole.Fatal) {
			t.Fatalf("in pieces %+v %v, whole %+v %v", findings, fatal, whole.Findings, whole.Fatal)
		}
	})
}

func TestValidatorOfExtremeNumbers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := gen.Bars(minuteKey(), gen.Range(minuteKey().Grid).Draw(t, "range"), 6).Draw(t, "bars")
		r := domain.Range{Start: utc("2000-01-01T00:00:00Z"), End: utc("2023-09-02T00:00:00Z")}
		if a, b := NewValidator(r, r.End).Check(s), NewValidator(r, r.End).Check(wide(s)); !slices.Equal(a.Findings, b.Findings) {
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
	s := must(domain.NewSeries(minuteKey(), bars...))
	for _, now := range []time.Time{judgedNow, judged.Start} {
		v := NewValidator(judged, now)
		first, second := v.CheckValidated(s.Slice(0, 20)), v.CheckValidated(s.Slice(20, 40))
		want := NewValidator(judged, now).Check(s)
		got := Merge(first.Findings, second.Findings)
		if len(want.Findings) == 0 || !slices.Equal(got, want.Findings) {
			t.Errorf("at %s: found %+v, want %+v", now, got, want.Findings)
		}
	}
}

// TestVerdictApplies tests the three policies on a series whose second bar breaks a fatal rule.
func TestVerdictApplies(t *testing.T) {
	t.Parallel()
	bars := cleanBars(3)
	bars[1].Volume = decimal(-1, 0)
	s := must(domain.NewSeries(minuteKey(), bars...))
	v := NewValidator(judged, judgedNow).Check(s)
	for policy, want := range map[domain.QualityPolicy]int{domain.QualityDrop: 2, domain.QualityFlag: 3} {
		kept, dropped, err := v.Apply(policy, s)
		if err != nil || kept.Len() != want || len(dropped) != 3-want {
			t.Errorf("%s: %v, dropped %v, %v", policy, kept, dropped, err)
		}
	}

	var broken *domain.RuleError
	if _, _, err := v.Apply(domain.QualityFail, s); !errors.As(err, &broken) || broken.Rule != domain.RuleNegativeVolume {
		t.Errorf("fail: %v", err)
	}
}

func BenchmarkValidatorCheck(b *testing.B) {
	s := must(domain.NewSeries(minuteKey(), cleanBars(100_000)...))
	end := s.Range().End
	b.ReportAllocs()
	for b.Loop() {
		if v := NewValidator(s.Range(), end).Check(s); len(v.Findings) > 0 {
			b.Fatal(v)
		}
	}

	b.ReportMetric(float64(b.N)*float64(s.Len())/b.Elapsed().Seconds()/1e6, "Mbars/s")
}
