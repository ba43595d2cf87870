package app_test

import (
	"context"
	"errors"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

func fives() domain.SeriesKey {
	return domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Minute5.UTC()}
}

// The stored minutes are judged, not the bars that they make up.
func TestQualityOfFinerBars(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{})
	bars := series(t, bar(0), badBar(1), badBar(2), bar(3), bar(4), badBar(5), badBar(9), bar(10), bar(12))
	m.hold(t, bars, span(0, 15))
	fetch := func(r domain.DataRequest) (domain.Result, error) {
		r.Key = fives()
		return m.Fetch(t.Context(), r)
	}
	rule := (*domain.RuleError)(nil)
	if _, err := fetch(domain.DataRequest{}); !errors.Is(err, ports.ErrCorruptData) || !errors.As(err, &rule) || !rule.At.Equal(at(1)) || rule.Key != key {
		t.Errorf("fail: %v", err)
	}
	if r, err := fetch(domain.DataRequest{Last: 1}); err != nil || r.Series.Len() != 1 || r.Quality.Bars != 2 {
		t.Errorf("the last, which is sound: %v, %+v", err, r)
	}
	r, err := fetch(domain.DataRequest{Quality: domain.QualityFlag})
	if err != nil || r.Series.Len() != 3 || len(r.Quality.Findings) == 0 || r.Quality.Findings[0].Count != 4 {
		t.Errorf("flag: %v, %+v", err, r)
	}
	for name, request := range map[string]domain.DataRequest{"all": {}, "first": {First: 2}, "last": {Last: 2}, "more": {Last: 9}} {
		request.Quality = domain.QualityDrop
		r, err := fetch(request)
		if err != nil || r.Series.Len() != 2 || len(r.Quality.Dropped) != 4 || !r.Quality.Dropped[3].Equal(at(9)) {
			t.Fatalf("%s: drop: %v, %+v", name, err, r)
		}

		if first := r.Series.At(0); !first.OpenTime.Equal(at(0)) || first.Trades != 3*7 || !r.Series.OpenTime(1).Equal(at(10)) {
			t.Errorf("%s: drop: %s", name, first)
		}
	}
}

// Of finer bars only those before now are read: the last bar they make is over.
func TestFormingBarIsNotMade(t *testing.T) {
	t.Parallel()
	m := setup(t, at(14.5), app.Config{})
	m.hold(t, sound(t, 0, 30), span(0, 30))
	r, err := m.Fetch(t.Context(), domain.DataRequest{Key: fives()})
	if err != nil || r.Series.Len() != 2 || !r.Next.Equal(at(10)) || r.Quality.Bars != 10 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestLimitsOfMadeBars(t *testing.T) {
	t.Parallel()
	m := setup(t, at(60), app.Config{MaxBars: new(5)})
	m.hold(t, sound(t, 0, 30), span(0, 30))
	if _, err := m.Fetch(t.Context(), domain.DataRequest{Key: fives()}); !errors.Is(err, ports.ErrTooLarge) {
		t.Errorf("six bars of thirty: %v", err)
	}
	if r, err := m.Fetch(t.Context(), domain.DataRequest{Key: fives(), Start: at(5)}); err != nil || r.Series.Len() != 5 {
		t.Errorf("five bars of 25: %v, %+v", err, r)
	}
}

// A store that cannot say what it holds, or give it, fails the request, unless it is not needed.
func TestFailingLeg(t *testing.T) {
	t.Parallel()
	broken := &scripted{Store: memory.New(), extents: func(context.Context) ([]domain.Extent, error) { return nil, ports.ErrUnavailable }}
	whole := memory.New()
	bars := sound(t, 0, 10)
	if _, err := ports.WriteBars(t.Context(), whole, bars, bars.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	md := over(t, clock.NewSimulated(at(60)), nil, app.Config{},
		app.Source{Name: "whole", Bars: whole, Catalog: whole}, app.Source{Name: "broken", Bars: broken})
	for name, c := range map[string]struct {
		request domain.DataRequest
		fails   bool
	}{
		"covered":         {domain.DataRequest{Start: at(2), End: at(8)}, false},
		"the last few":    {domain.DataRequest{End: at(10), Last: 4}, false},
		"behind it":       {domain.DataRequest{Start: at(2), End: at(12)}, true},
		"from the first":  {domain.DataRequest{End: at(8)}, true},
		"more than it is": {domain.DataRequest{End: at(10), Last: 11}, true},
	} {
		c.request.Key = key
		r, err := md.Fetch(t.Context(), c.request)
		if c.fails != errors.Is(err, ports.ErrUnavailable) || !c.fails && err != nil || c.fails && r.Series.Len() > 0 {
			t.Errorf("%s: %v, %s", name, err, r.Series)
		}
	}
}
