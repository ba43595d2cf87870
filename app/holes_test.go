package app_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

const intervals = 65

// inIntervals returns bars in 65 separate intervals of six minutes, ten minutes apart, and the intervals. Between them there are bars too,
// in the minutes 7 and 8 of each ten.
func inIntervals(t *testing.T) (bars domain.Series, covered []domain.Range) {
	t.Helper()
	var all []domain.Bar
	for i := range intervals {
		covered = append(covered, span(float64(10*i), float64(10*i+6)))
		for _, minute := range []int{0, 1, 2, 4, 5, 7, 8} {
			all = append(all, bar(10*i+minute))
		}
	}

	return series(t, all...), covered
}

// checkHoles fetches everything in the ways that read differently, and compares with the bars within the coverage.
func checkHoles(t *testing.T, md *app.Service, bars domain.Series, covered []domain.Range) {
	t.Helper()
	whole := domain.DataRequest{Key: key, Start: at(0), End: at(10 * intervals)}
	want := coveredPart(t, bars, covered)
	for name, c := range map[string]struct {
		change func(r *domain.DataRequest)
		want   domain.Series
	}{
		"all":      {func(*domain.DataRequest) {}, want},
		"first":    {func(r *domain.DataRequest) { r.First = 7 }, want.Slice(0, 7)},
		"last":     {func(r *domain.DataRequest) { r.Last = 1 }, want.Slice(want.Len()-1, want.Len())},
		"last few": {func(r *domain.DataRequest) { r.Last = 12 }, want.Slice(want.Len()-12, want.Len())},
	} {
		r := whole
		c.change(&r)
		got, err := md.Fetch(t.Context(), r)
		if err != nil || !got.Series.Equal(c.want) {
			t.Errorf("%s: %d bars, want %d: %v", name, got.Series.Len(), c.want.Len(), err)
		}
		if gaps := got.Range.Subtract(covered); name == "all" && (len(got.Uncovered) != len(gaps) || got.Range.Start != r.Start) {
			t.Errorf("%d ranges of %s are uncovered, want %d", len(got.Uncovered), got.Range, len(gaps))
		}

		streamed := domain.NewSeriesBuilder(key, 0)
		pieces, _ := md.Stream(t.Context(), r)
		for p, pieceErr := range pieces {
			if err = pieceErr; err != nil {
				break
			}
			if err = streamed.AppendSeries(p); err != nil {
				break
			}
		}
		if streamed := must(streamed.Series()); err != nil || !streamed.Equal(c.want) {
			t.Errorf("%s: streamed %d bars, want %d: %v", name, streamed.Len(), c.want.Len(), err)
		}
	}

	whole.Key.Grid = domain.Minute5.UTC()
	want5 := must(domain.Resample(coveredPart(t, bars, whole5(covered)), whole.Key))
	for _, last := range []int{0, 1, 9} {
		r := whole
		r.Last = last
		got, err := md.Fetch(t.Context(), r)
		if from := max(0, want5.Len()-last); last > 0 && (err != nil || !got.Series.Equal(want5.Slice(from, want5.Len()))) ||
			last == 0 && (err != nil || !got.Series.Equal(want5)) {
			t.Errorf("last %d of 5m: %v, want %v: %v", last, got.Series, want5, err)
		}
	}
}

// TestStreamedPiecesSpanNoHole streams bars that are resampled on both sides of a hole.
func TestStreamedPiecesSpanNoHole(t *testing.T) {
	t.Parallel()
	m := setup(t, at(30), app.Config{})
	covered := []domain.Range{span(0, 10), span(15, 30)}
	for _, r := range covered {
		m.hold(t, gen.FlatBars(key, r.Start, int(key.Grid.Slots(r))), r)
	}

	r := domain.DataRequest{Key: key, Start: at(0), End: at(30)}
	r.Key.Grid = domain.Minute5.UTC()
	bars := 0
	pieces, _ := m.Stream(t.Context(), r)
	for piece, err := range pieces {
		if err != nil {
			t.Fatal(err)
		}
		if rest := piece.Range().Subtract(covered); len(rest) > 0 {
			t.Errorf("a piece of %s spans %s, which is not covered", piece.Range(), rest[0])
		}

		bars += piece.Len()
	}
	if bars != 5 {
		t.Errorf("%d bars, want 5", bars)
	}
}

// whole5 is the first five minutes of each interval.
func whole5(covered []domain.Range) (ranges []domain.Range) {
	for _, r := range covered {
		ranges = append(ranges, domain.Minute5.UTC().AlignInward(r))
	}
	return ranges
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func coveredPart(t *testing.T, bars domain.Series, ranges []domain.Range) domain.Series {
	t.Helper()
	var parts []domain.Series
	for _, r := range ranges {
		parts = append(parts, bars.Clip(r))
	}

	return must(domain.ConcatSeries(domain.EmptySeries(bars.Key()), parts))
}

// TestHolesAreNotReads reads a series whose coverage has more intervals than a plan once was allowed reads.
func TestHolesAreNotReads(t *testing.T) {
	t.Parallel()
	m := setup(t, at(10*intervals), app.Config{MaxReads: new(1)})
	bars, covered := inIntervals(t)
	for _, r := range covered {
		m.hold(t, bars.Clip(r), r)
	}
	checkHoles(t, m.Service, bars, covered)

	p, err := m.Explain(t.Context(), domain.DataRequest{Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if text := p.String(); p.Reads() != 1 || strings.Count(text, "\n") > 5 || !strings.Contains(text, "64 ranges") {
		t.Errorf("%d reads:\n%s", p.Reads(), text)
	}
}

// TestBarsInHolesAreNotReturned reads a store without versions that has bars where it declares no coverage.
func TestBarsInHolesAreNotReturned(t *testing.T) {
	t.Parallel()
	bars, covered := inIntervals(t)
	all := make([]domain.Extent, 0, len(covered))
	for _, r := range covered {
		all = append(all, domain.Extent{Key: key, Range: r})
	}
	s := &scripted{Store: memory.New(), extents: extents(all...)}
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	checkHoles(t, around(t, s, s, clock.NewSimulated(at(10*intervals)), app.Config{}), bars, covered)
	s.extents = extents(all[:6]...)
	checkHoles(t, stepping(t, 3, s), bars.Clip(span(0, 60)), covered[:6])
}

// TestTradesInHoles aggregates trades whose coverage has many intervals: a bar that is not covered whole is not made.
func TestTradesInHoles(t *testing.T) {
	t.Parallel()
	m := setup(t, at(10*intervals), app.Config{})
	var covered []domain.Range
	for i := range intervals {
		covered = append(covered, span(float64(10*i), float64(10*i)+5.5))
		b := domain.NewTicksBuilder[domain.Trade](key.Symbol)
		for n := range 11 {
			trade := domain.Trade{Time: at(float64(10*i) + float64(n)/2), Price: domain.MustDecimal(fmt.Sprint(n + 1)), Size: domain.MustDecimal("1")}
			if err := b.Append(trade); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := m.store.WriteTrades(t.Context(), must(b.Ticks()), covered[i], ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	for name, store := range map[string]app.Source{
		"aggregated by the store": {Name: "test", Bars: m.store, Ticks: m.store, Catalog: m.store, Aggregate: m.store},
		"aggregated here":         {Name: "test", Bars: m.store, Ticks: m.store, Catalog: m.store},
	} {
		md := over(t, m.clock, nil, app.Config{}, store)
		for _, last := range []int{0, 3} {
			got, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Last: last})
			want := 5 * intervals
			if last > 0 {
				want = last
			}
			if err != nil || got.Series.Len() != want || got.Series.OpenTime(got.Series.Len()-1) != at(10*intervals-6) {
				t.Errorf("%s, last %d: %v: %v", name, last, got.Series, err)
			}
		}
	}
}

// TestBarsInHolesAreNotValidated resamples bars of a store without versions that has an impossible bar where it declares
// no coverage: it is not used, so that it fails no request.
func TestBarsInHolesAreNotValidated(t *testing.T) {
	t.Parallel()
	bars := series(t, bar(0), bar(1), bar(2), bar(3), bar(4), badBar(7), bar(10), bar(11))
	s := &scripted{Store: memory.New(), extents: extents(
		domain.Extent{Key: key, Range: span(0, 5)}, domain.Extent{Key: key, Range: span(10, 15)},
	)}
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	md := around(t, s, s, clock.NewSimulated(at(60)), app.Config{})
	for frequency, want := range map[domain.Frequency]int{domain.Minute1: 7, domain.Minute5: 2} {
		r := domain.DataRequest{Key: key, Start: at(0), End: at(15)}
		r.Key.Grid = frequency.UTC()
		got, err := md.Fetch(t.Context(), r)
		if err != nil || got.Series.Len() != want || !slices.Equal(got.Uncovered, []domain.Range{span(5, 10)}) {
			t.Errorf("%s: %v, uncovered %v, %v", frequency, got.Series, got.Uncovered, err)
		}
	}
}
