package app_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A store that breaks its contract yields an error, never a bar.
func TestStoreThatBreaksItsContract(t *testing.T) {
	t.Parallel()
	other, err := domain.NewSeries(domain.SeriesKey{Symbol: "ETH/USD", Grid: key.Grid}, bar(3))
	if err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		request domain.DataRequest
		gives   []domain.Series
		says    string
	}{
		"pieces out of order":  {domain.DataRequest{}, []domain.Series{sound(t, 4, 6), sound(t, 0, 2)}, "begins at"},
		"a bar twice":          {domain.DataRequest{}, []domain.Series{sound(t, 0, 3), sound(t, 2, 4)}, "begins at"},
		"another series":       {domain.DataRequest{}, []domain.Series{sound(t, 0, 3), other}, "a piece of ETH/USD"},
		"before the start":     {domain.DataRequest{Start: at(2)}, []domain.Series{sound(t, 1, 4)}, "outside"},
		"at the end":           {domain.DataRequest{End: at(4)}, []domain.Series{sound(t, 1, 5)}, "outside"},
		"not closed":           {domain.DataRequest{}, []domain.Series{sound(t, 58, 61)}, "outside"},
		"more than first":      {domain.DataRequest{First: 2}, []domain.Series{sound(t, 0, 1), sound(t, 1, 3)}, "more than the 2"},
		"more than last":       {domain.DataRequest{Last: 2}, []domain.Series{sound(t, 0, 3)}, "more than the 2"},
		"a piece without bars": {domain.DataRequest{}, []domain.Series{domain.EmptySeries(key)}, "without a row"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, md := holding(t, sound(t, 0, 60), app.Config{})
			store.read = pieces(c.gives...)
			c.request.Key = key
			r, err := md.Fetch(t.Context(), c.request)
			if !errors.Is(err, ports.ErrInternal) || !strings.Contains(err.Error(), "broke its contract") || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want one that says %q", err, c.says)
			}
			if r.Series.Len() > 0 {
				t.Errorf("bars came with it: %s", r.Series)
			}
		})
	}
}

// Extents that are unordered, overlapping, off the grid, empty or of other series do no harm.
func TestExtentsAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	store, md := holding(t, sound(t, 0, 9), app.Config{})
	daily := domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Day1.UTC()}
	store.extents = extents(
		domain.Extent{Key: key, Range: span(6, 9)}, domain.Extent{Key: key, Range: span(-0.5, 4)},
		domain.Extent{Key: key, Range: span(3, 3.5), Inferred: true}, domain.Extent{Key: key, Range: span(5, 5)},
		domain.Extent{Key: daily, Range: span(-1440, 1440)},
	)
	r, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, End: at(9)})
	if err != nil {
		t.Fatal(err)
	}

	want{bars: []int{0, 1, 2, 3, 6, 7, 8}, within: span(0, 9), uncovered: []domain.Range{span(4, 6)}, next: at(9)}.check(t, r)
}

// Bars that nobody claims are not read: their ranges are uncovered, and whoever comes back for them goes on from there.
func TestUnclaimedBars(t *testing.T) {
	t.Parallel()
	store, md := holding(t, sound(t, 0, 3), app.Config{})
	store.extents = extents()
	r, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, Start: at(0), End: at(5)})
	if err != nil {
		t.Fatal(err)
	}

	want{within: span(0, 5), uncovered: []domain.Range{span(0, 5)}, next: at(0)}.check(t, r)
}

// However a store cuts its answer, the answer is the same.
func TestPiecesAreJoined(t *testing.T) {
	t.Parallel()
	store, md := holding(t, sound(t, 0, 9), app.Config{})
	store.read = pieces(sound(t, 0, 1), series(t, bar(1), badBar(2), bar(3)), sound(t, 4, 9))
	r, err := md.Fetch(t.Context(), domain.DataRequest{Key: key, End: at(9), Quality: domain.QualityDrop})
	if err != nil {
		t.Fatal(err)
	}

	want{bars: []int{0, 1, 3, 4, 5, 6, 7, 8}, within: span(0, 9), next: at(9), dropped: []int{2}}.check(t, r)
}
