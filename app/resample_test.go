package app_test

import (
	"testing"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Where the grid is stored and finer bars are too, a request says which of them answer.
func TestResampleLeavesStoredBarsOut(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	m := setup(t, at(60), app.Config{})
	minutes := sound(t, 0, 60)
	coarse := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Minute5.UTC()}
	other := bar(0) // another than the minutes make
	stored, err := domain.NewSeries(coarse, other)
	if err != nil {
		t.Fatal(err)
	}

	for _, s := range []domain.Series{minutes, stored} {
		if _, err := ports.WriteBars(ctx, m.store, s, span(0, 60), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	made, err := domain.Resample(minutes, coarse)
	if err != nil {
		t.Fatal(err)
	}

	for _, limits := range []domain.DataRequest{{}, {First: 3}, {Last: 3}} {
		for resample, all := range map[bool]domain.Series{false: stored, true: made} {
			r := limits
			r.Key, r.Start, r.Resample = coarse, at(0), resample
			want := all
			switch {
			case r.First > 0:
				want = all.Slice(0, min(r.First, all.Len()))
			case r.Last > 0:
				want = all.Slice(max(0, all.Len()-r.Last), all.Len())
			}

			result, err := m.Fetch(ctx, r)
			if err != nil || !result.Series.Equal(want) {
				t.Errorf("%s, resample %t: got %v, want %v (%v)", r, resample, result.Series, want, err)
			}
			streamed := domain.NewSeriesBuilder(coarse, 0)
			pieces, _ := m.Stream(ctx, r)
			for piece, err := range pieces {
				if err == nil {
					err = streamed.AppendSeries(piece)
				}
				if err != nil {
					t.Fatal(err)
				}
			}

			if got, err := streamed.Series(); err != nil || !got.Equal(want) {
				t.Errorf("%s streamed, resample %t: got %v, want %v (%v)", r, resample, got, want, err)
			}
			plan, err := m.Explain(ctx, r)
			if err != nil || len(plan.Legs) != 1 || (plan.Legs[0].Grid == coarse.Grid) == resample {
				t.Errorf("%s explained, resample %t: %v (%v)", r, resample, plan, err)
			}
		}
	}
}
