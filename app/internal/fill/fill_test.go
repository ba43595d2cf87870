package fill_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/internal/fill"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

var (
	key   = gen.MinuteKey("BTC/USD")
	start = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
)

// must is for values that a test knows to be right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}

	return v
}

// quietBars returns n bars without a gap.
func quietBars(n int) []domain.Bar {
	bars := make([]domain.Bar, n)
	for i := range bars {
		price := domain.MustDecimal("100.5")
		bars[i] = domain.Bar{
			OpenTime: start.Add(time.Duration(i) * time.Minute), Open: price, High: price, Low: price, Close: price, Volume: price,
		}
	}

	return bars
}

// TestFillEqualsNaive compares a Filler, which gets the bars in pieces, with a loop over the slots.
func TestFillEqualsNaive(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := key.Grid
		r := gen.Range(g).Draw(t, "range")
		s := gen.Bars(key, r, gen.Slots).Draw(t, "bars")
		hole := domain.Range{
			Start: r.Start.Add(20 * time.Minute),
			End:   r.Start.Add(time.Duration(rapid.IntRange(20, 90).Draw(t, "hole")) * time.Minute),
		}
		var before *domain.Bar
		if rapid.Bool().Draw(t, "known before") {
			before = &domain.Bar{Close: domain.MustDecimal("7")}
		}

		want := naiveFill(s, r, hole, before)
		f := fill.New(key, r, []domain.Range{hole}, before)
		got := domain.NewSeriesBuilder(key, 0)
		slots := int64(0)
		add := func(piece domain.Series, filled []domain.Range, err error) {
			if err == nil {
				err = got.AppendSeries(piece)
			}
			if err != nil {
				t.Fatal(err)
			}

			for _, r := range filled {
				slots += g.Slots(r)
			}
		}
		for from := 0; from < s.Len(); {
			to := rapid.IntRange(from, s.Len()).Draw(t, "cut")
			add(f.Fill(s.Slice(from, to)))
			from = to
		}
		add(f.Flush())
		if whole, naive := must(got.Series()), must(domain.NewSeries(key, want...)); !whole.Equal(naive) {
			t.Fatalf("got %v, want %v", whole, naive)
		}
		if int(slots) != len(want)-s.Len() {
			t.Fatalf("%d slots listed as filled, %d bars filled", slots, len(want)-s.Len())
		}
	})
}

// naiveFill fills slot by slot.
func naiveFill(s domain.Series, r, hole domain.Range, last *domain.Bar) (bars []domain.Bar) {
	i := 0
	for at := r.Start; at.Before(r.End); at = key.Grid.Next(at) {
		switch {
		case i < s.Len() && s.OpenTime(i).Equal(at):
			b := s.At(i)
			bars, last, i = append(bars, b), &b, i+1
		case hole.Contains(at):
			last = nil
		case last != nil:
			bars = append(bars, domain.Bar{OpenTime: at, Open: last.Close, High: last.Close, Low: last.Close, Close: last.Close})
		}
	}

	return bars
}

// FillTo step by step gives what one Flush gives.
func TestFillInSteps(t *testing.T) {
	t.Parallel()
	r := domain.Range{Start: start, End: start.Add(time.Hour)}
	gap := []domain.Range{{Start: r.Start.Add(20 * time.Minute), End: r.Start.Add(25 * time.Minute)}}
	bars := quietBars(30)
	for step := 1; step < 70; step += 7 {
		f := fill.New(key, r, gap, nil)
		out := domain.NewSeriesBuilder(key, 0)
		filled := time.Duration(0)
		put := func(s domain.Series, ranges []domain.Range, err error) {
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
		put(f.Fill(must(domain.NewSeries(key, bars[5]))))
		for at := 6; at < 29; at += step {
			put(f.FillTo(r.Start.Add(time.Duration(min(at, 29)) * time.Minute)))
		}
		put(f.Fill(must(domain.NewSeries(key, bars[29]))))
		put(f.Flush())
		if whole := must(out.Series()); whole.Len() != 15+1+30 || filled != 44*time.Minute {
			t.Errorf("steps of %d: %d bars, %s filled", step, whole.Len(), filled)
		}
	}
}

// TestSkipLeavesTheRangesOfTheCaller skips slots with ranges of a caller that have room for more.
func TestSkipLeavesTheRangesOfTheCaller(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	uncovered := append(make([]domain.Range, 0, 4), domain.Range{Start: at(10), End: at(20)}, domain.Range{Start: at(30), End: at(40)})
	before := slices.Clone(uncovered)
	f := fill.New(key, domain.Range{Start: at(0), End: at(60)}, uncovered, nil)
	f.Skip(at(5))
	f.Skip(at(25))
	if !slices.EqualFunc(uncovered, before, domain.Range.Equal) {
		t.Errorf("the ranges became %v", uncovered)
	}
}
