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

// inferring is an application over a store whose coverage is declared up to the minute 20 and inferred from there to the minute 33.
func inferring(t *testing.T) *app.Service {
	t.Helper()
	s := &scripted{Store: memory.New(), extents: extents(
		domain.Extent{Key: key, Range: span(0, 20)}, domain.Extent{Key: key, Range: span(20, 33), Inferred: true},
	)}
	bars := sound(t, 0, 33)
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	return around(t, s, s, clock.NewSimulated(at(60)), app.Config{})
}

// TestResultSaysWhatIsInferred names the inferred parts of results: within a range, of the last bars, resampled, and streamed.
func TestResultSaysWhatIsInferred(t *testing.T) {
	t.Parallel()
	md := inferring(t)
	key5 := domain.SeriesKey{Symbol: key.Symbol, Grid: must(domain.ParseGrid("15m"))}
	for name, c := range map[string]struct {
		request domain.DataRequest
		want    []domain.Range
	}{
		"all":                {domain.DataRequest{Key: key}, []domain.Range{span(20, 33)}},
		"declared only":      {domain.DataRequest{Key: key, Start: at(3), End: at(20)}, nil},
		"across the edge":    {domain.DataRequest{Key: key, Start: at(18), End: at(25)}, []domain.Range{span(20, 25)}},
		"the last bars":      {domain.DataRequest{Key: key, End: at(33), Last: 4}, []domain.Range{span(29, 33)}},
		"resampled":          {domain.DataRequest{Key: key5, Start: at(0), End: at(30)}, []domain.Range{span(15, 30)}},
		"beyond, not at all": {domain.DataRequest{Key: key, Start: at(40), End: at(50)}, nil},
	} {
		got, err := md.Fetch(t.Context(), c.request)
		if err != nil || !slices.Equal(got.Inferred, c.want) {
			t.Errorf("%s: inferred %v, want %v: %v", name, got.Inferred, c.want, err)
		}
		pieces, result := md.Stream(t.Context(), c.request)
		for _, err := range pieces {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if !slices.Equal(result().Inferred, c.want) {
			t.Errorf("%s: a stream infers %v, want %v", name, result().Inferred, c.want)
		}
	}
}

// TestDescribeSaysWhatIsUncovered describes a symbol of which only half an hour in thirty days is covered, and one without bars.
func TestDescribeSaysWhatIsUncovered(t *testing.T) {
	t.Parallel()
	d, err := inferring(t).Describe(t.Context(), key.Symbol)
	window := d.Statistics.Window
	if want := (domain.Range{Start: window.Start, End: at(60)}).Subtract([]domain.Range{span(0, 33)}); err != nil ||
		!slices.Equal(d.Uncovered, want) || !slices.Equal(d.Inferred, []domain.Range{span(20, 33)}) || len(d.UncoveredQuotes) != 1 {
		t.Errorf("uncovered %v, want %v; inferred %v; quotes %v: %v", d.Uncovered, want, d.Inferred, d.UncoveredQuotes, err)
	}

	m := setup(t, at(60), app.Config{})
	if err := m.store.PutSymbols(t.Context(), domain.NewSymbolMeta(key.Symbol)); err != nil {
		t.Fatal(err)
	}
	d, err = m.Describe(t.Context(), key.Symbol)
	if err != nil || !slices.Equal(d.Uncovered, []domain.Range{d.Statistics.Window}) {
		t.Errorf("without bars: uncovered %v of %s: %v", d.Uncovered, d.Statistics.Window, err)
	}
}
