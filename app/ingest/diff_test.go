package ingest_test

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/gen"
)

// drawPieces cuts the bars into pieces at random, some of them empty.
func drawPieces(t *rapid.T, label string, bars domain.Series) iter.Seq2[domain.Series, error] {
	var pieces []domain.Series
	for bars.Len() > 0 {
		n := rapid.IntRange(0, bars.Len()).Draw(t, label)
		pieces = append(pieces, bars.Slice(0, n))
		bars = bars.Slice(n, bars.Len())
	}

	return func(yield func(domain.Series, error) bool) {
		for _, p := range pieces {
			if !yield(p, nil) {
				return
			}
		}
	}
}

// Diff finds the differences that a comparison minute by minute finds, however the bars are cut into pieces.
func TestDiffFindsEveryDifference(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		left, right := drawBars(t, "left"), drawBars(t, "right")
		var limits ingest.Tolerance
		tolerant := rapid.Bool().Draw(t, "tolerant")
		if tolerant {
			limits.Trades = 1
			limits.Fields[domain.FieldClose] = domain.MustDecimal("0.5")
		}

		var found []ingest.Difference
		differences, report := ingest.Diff(drawPieces(t, "left pieces", left), drawPieces(t, "right pieces", right), limits)
		for d, err := range differences {
			if err != nil {
				t.Fatal(err)
			}

			found = append(found, d)
		}

		var want ingest.DiffReport
		for n := range 20 {
			at := domain.Range{Start: minute(n), End: minute(n + 1)}
			a, b := left.Clip(at), right.Clip(at)
			if a.Len()+b.Len() == 0 {
				continue
			}

			want.Compared++
			if fields := differingFields(a, b, tolerant); fields > 0 {
				want.Different++
				want.Differences += fields
			}
		}
		if report() != want || len(found) != want.Differences {
			t.Fatalf("got %+v, %d listed; want %+v\n%v", report(), len(found), want, found)
		}
		if !slices.IsSortedFunc(found, func(a, b ingest.Difference) int { return a.Time.Compare(b.Time) }) {
			t.Fatalf("not in order: %v", found)
		}
	})
}

// differingFields counts the differences between two series of one bar or none. Tolerant, it lets a close differ by 0.5
// and a trade count by 1.
func differingFields(a, b domain.Series, tolerant bool) int {
	if a.Len() != b.Len() {
		return 1
	}

	fields := 0
	x, y := a.At(0), b.At(0)
	seven := domain.MustDecimal("7")
	closeTolerated := tolerant && !x.Close.Equal(seven) && !y.Close.Equal(seven) // 5 and 5.5
	tradesTolerated := tolerant && max(x.Trades-y.Trades, y.Trades-x.Trades) == 1
	for _, differs := range []bool{
		!x.Open.Equal(y.Open), !x.Volume.Equal(y.Volume),
		!x.Close.Equal(y.Close) && !closeTolerated, x.Trades != y.Trades && !tradesTolerated,
	} {
		if differs {
			fields++
		}
	}

	return fields
}

// DiffCoverage finds the minutes that one side covers, whatever the order of the ranges.
func TestDiffCoverageFindsEveryMinute(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (ranges []domain.Range) {
			for range rapid.IntRange(0, 5).Draw(t, label) {
				from := rapid.IntRange(0, 19).Draw(t, label)
				ranges = append(ranges, domain.Range{Start: minute(from), End: minute(from + rapid.IntRange(1, 5).Draw(t, label))})
			}

			return ranges
		}
		left, right := draw("left"), draw("right")
		found, report := ingest.DiffCoverage(minuteKey, left, right)
		covers := func(ranges []domain.Range, n int) bool {
			return slices.ContainsFunc(ranges, func(r domain.Range) bool { return r.Contains(minute(n)) })
		}
		for n := range 25 {
			var from, to bool
			for _, d := range found {
				if (domain.Range{Start: d.Time, End: d.End}).Contains(minute(n)) {
					from, to = from || d.From != "", to || d.To != ""
				}
			}
			if wantFrom, wantTo := covers(left, n) && !covers(right, n), covers(right, n) && !covers(left, n); from != wantFrom ||
				to != wantTo {
				t.Fatalf("minute %d: from %v, to %v; want %v, %v", n, from, to, wantFrom, wantTo)
			}
		}
		if report.Coverage != len(found) || report.IsEqual() != (len(found) == 0) ||
			!slices.IsSortedFunc(found, func(a, b ingest.Difference) int { return a.Time.Compare(b.Time) }) {
			t.Fatalf("%+v of %v", report, found)
		}
	})
}

// An error of either side ends the comparison, and both sides are released.
func TestDiffReportsErrors(t *testing.T) {
	t.Parallel()
	fault := errors.New("disk")
	released := 0
	failing := func(yield func(domain.Series, error) bool) {
		defer func() { released++ }()
		_ = yield(gen.FlatBars(minuteKey, minute(0), 2), nil) && yield(domain.Series{}, fault)
	}
	working := func(yield func(domain.Series, error) bool) {
		defer func() { released++ }()
		_ = yield(gen.FlatBars(minuteKey, minute(0), 5), nil) && yield(domain.EmptySeries(minuteKey), nil)
	}
	for _, sides := range [][2]iter.Seq2[domain.Series, error]{{failing, working}, {working, failing}} {
		differences, report := ingest.Diff(sides[0], sides[1], ingest.Tolerance{})
		var last error
		for _, err := range differences {
			last = err
		}
		if !errors.Is(last, fault) || report().Compared != 2 {
			t.Errorf("got %v after %d bars", last, report().Compared)
		}
	}

	if released != 4 {
		t.Errorf("%d sides were released; want 4", released)
	}
}
