package app_test

import (
	"errors"
	"testing"

	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A day of minutes in one store, the hours of its morning in another.
func TestExplain(t *testing.T) {
	t.Parallel()
	low, high := memory.New(), memory.New()
	hours := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Hour1.UTC()}
	for _, w := range []struct {
		store *memory.Store
		key   domain.SeriesKey
		r     domain.Range
	}{{low, hours, span(0, 120)}, {high, key, span(60, 240)}} {
		if _, err := ports.WriteBars(t.Context(), w.store, domain.EmptySeries(w.key), w.r, ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}

	md := over(t, clock.NewSimulated(at(330)), nil, app.Config{MaxBars: new(3)},
		app.Source{Name: "low", Bars: low, Catalog: low, Takes: domain.FrequencyRange{From: domain.Hour1}},
		app.Source{Name: "high", Bars: high, Takes: domain.FrequencyRange{Below: domain.Hour1}})
	p, err := md.Explain(t.Context(), domain.DataRequest{Key: hours})
	if err != nil {
		t.Fatal(err)
	}

	const tree = `BTC/USD 1h [2024-03-04T12:00:00Z, 2024-03-04T17:00:00Z): at most 4 bars in 2 reads, at most 122 rows, 6.8 kB
├─ stored 1h [2024-03-04T12:00:00Z, 2024-03-04T14:00:00Z): at most 2 bars
│  └─ low: at most 2 rows, 112 B
├─ resampled from 1m [2024-03-04T14:00:00Z, 2024-03-04T16:00:00Z): at most 2 bars
│  └─ high: at most 120 rows, 6.7 kB
├─ not covered [2024-03-04T16:00:00Z, 2024-03-04T17:00:00Z): no data for 1 bar
└─ may be refused: the plan may need 4 bars, at most 3 are allowed (max_bars); request a shorter range
`
	if got := p.String(); got != tree {
		t.Errorf("got\n%s\nwant\n%s", got, tree)
	}
}

// A limit that refuses a Fetch is explained, not returned.
func TestExplainNamesTheLimit(t *testing.T) {
	t.Parallel()
	m := setup(t, at(600), app.Config{MaxSlots: new(int64(100))})
	m.hold(t, sound(t, 0, 3), span(0, 500))
	for name, c := range map[string]struct {
		request domain.DataRequest
		refused bool
	}{
		"too long":          {domain.DataRequest{Start: at(0), End: at(500)}, true},
		"open end":          {domain.DataRequest{Start: at(300)}, true},
		"open end, few":     {domain.DataRequest{Start: at(420)}, false},
		"the last of many":  {domain.DataRequest{Last: 5}, false},
		"nothing to answer": {domain.DataRequest{End: at(-5)}, false},
	} {
		c.request.Key = key
		p, err := m.Explain(t.Context(), c.request)
		if err != nil || (len(p.Refusals) > 0) != c.refused {
			t.Errorf("%s: %v, refusals %v", name, err, p.Refusals)
		}
		if _, err := m.Fetch(t.Context(), c.request); errors.Is(err, ports.ErrTooLarge) != c.refused {
			t.Errorf("%s: fetch: %v", name, err)
		}
	}

	if _, err := m.Explain(t.Context(), domain.DataRequest{Key: domain.SeriesKey{Symbol: "X/Y", Grid: key.Grid}}); !errors.Is(err, ports.ErrNotFound) {
		t.Error(err)
	}
}
