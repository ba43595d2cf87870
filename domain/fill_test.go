package domain

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"
)

func TestFillPolicyTexts(t *testing.T) {
	t.Parallel()
	for p, text := range map[FillPolicy]string{FillNone: "none", FillPrevious: "previous"} {
		b, err := p.MarshalText()
		if err != nil || string(b) != text || p.String() != text {
			t.Errorf("%d is %s, %v", p, b, err)
		}
		var back FillPolicy
		if err := back.UnmarshalText(b); err != nil || back != p {
			t.Errorf("%s reads as %s, %v", b, back, err)
		}
	}

	var p FillPolicy
	if err := p.UnmarshalText([]byte("linear")); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if err := FillPolicy(7).Validate(); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := json.Marshal(DataRequest{Fill: 7}); err == nil {
		t.Error("a policy that is none has a text")
	}
}

// FillTo step by step gives what one Flush gives.
func TestFillInSteps(t *testing.T) {
	t.Parallel()
	r := Range{Start: judged.Start, End: judged.Start.Add(time.Hour)}
	gap := []Range{{Start: r.Start.Add(20 * time.Minute), End: r.Start.Add(25 * time.Minute)}}
	bars := cleanBars(30)
	for step := 1; step < 70; step += 7 {
		f := NewFiller(minuteKey(), r, gap, nil)
		out := NewSeriesBuilder(minuteKey(), 0)
		filled := time.Duration(0)
		put := func(s Series, ranges []Range, err error) {
			if err == nil {
				err = out.AppendSeries(s)
			}
			if err != nil {
				t.Fatal(err)
			}

			for _, r := range ranges {
				filled += r.End.Sub(r.Start)
			}
		}
		put(f.Fill(must(NewSeries(minuteKey(), bars[5]))))
		for at := 6; at < 29; at += step {
			put(f.FillTo(r.Start.Add(time.Duration(min(at, 29)) * time.Minute)))
		}
		put(f.Fill(must(NewSeries(minuteKey(), bars[29]))))
		put(f.Flush())
		if whole := must(out.Series()); whole.Len() != 15+1+30 || filled != 44*time.Minute {
			t.Errorf("steps of %d: %d bars, %s filled", step, whole.Len(), filled)
		}
	}
}

// TestSkipLeavesTheRangesOfTheCaller skips slots with ranges of a caller that have room for more.
func TestSkipLeavesTheRangesOfTheCaller(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return judged.Start.Add(time.Duration(minutes) * time.Minute) }
	uncovered := append(make([]Range, 0, 4), Range{Start: at(10), End: at(20)}, Range{Start: at(30), End: at(40)})
	before := slices.Clone(uncovered)
	f := NewFiller(minuteKey(), Range{Start: at(0), End: at(60)}, uncovered, nil)
	f.Skip(at(5))
	f.Skip(at(25))
	if !slices.EqualFunc(uncovered, before, Range.Equal) {
		t.Errorf("the ranges became %v", uncovered)
	}
}
