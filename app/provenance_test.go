package app_test

import (
	"slices"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A bar that opens just before the end of a request is resampled from rows behind that end, so the store that has only those rows
// appears in the provenance, as it does in the plan.
func TestProvenanceCoversTheLastBar(t *testing.T) {
	t.Parallel()
	early, late := memory.New(), memory.New()
	for _, w := range []struct {
		store    *memory.Store
		from, to int
	}{{early, 0, 6}, {late, 6, 15}} {
		bars := sound(t, w.from, w.to)
		if _, err := ports.WriteBars(t.Context(), w.store, bars, bars.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{},
		app.Source{Name: "early", Bars: early, Catalog: early}, app.Source{Name: "late", Bars: late})
	want := []domain.Origin{
		{Store: "early", Grid: key.Grid, Range: span(0, 6), Bars: 2},
		{Store: "late", Grid: key.Grid, Range: span(6, 10)},
	}

	for name, r := range map[string]domain.DataRequest{
		"range": {Start: at(-0.5), End: at(5.5)},
		"first": {Start: at(-0.5), End: at(5.5), First: 2},
		"last":  {End: at(5.5), Last: 2},
	} {
		r.Key = fives()
		got, err := md.Fetch(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}

		if got.Series.Len() != 2 || got.Series.At(1).Trades != 5*bar(0).Trades || !got.Range.End.Equal(r.End) {
			t.Errorf("%s: got %v of %s", name, got.Series, got.Range)
		}
		if !slices.EqualFunc(got.Provenance, want, equalLegs) {
			t.Errorf("%s: provenance %+v, want %+v", name, got.Provenance, want)
		}

		p, err := md.Explain(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}

		if reads := p.Legs[0].Reads; len(p.Legs) != 1 || len(reads) != 2 || !reads[1].Range.Equal(want[1].Range) {
			t.Errorf("%s: planned %+v", name, p.Legs)
		}
	}
}

func equalLegs(a, b domain.Origin) bool {
	sameRange := a.Range.Equal(b.Range)
	a.Range, b.Range = domain.Range{}, domain.Range{}
	return sameRange && a == b
}
