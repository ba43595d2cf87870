package ingest

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// The windows of a range touch, make it up, and end on edges, whatever the grid.
func TestWindowsMakeUpTheRange(t *testing.T) {
	t.Parallel()
	start := time.Date(2018, 4, 4, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{"1s", "1m", "7h", "1d@America/New_York", "1w", "1M", "100M"} {
		g, err := domain.ParseGrid(text)
		if err != nil {
			t.Fatal(err)
		}

		const slots = 50_000
		r := g.Align(domain.Range{Start: start, End: start.AddDate(60, 0, 0)})
		if text == "1s" {
			r = g.Align(domain.Range{Start: start, End: start.Add(5000 * time.Minute)})
		}
		at := r.Start
		for w := range windows(g, r, slots) {
			if !w.Start.Equal(at) || w.Empty() || !g.Aligned(w.End) || g.Slots(w) > slots+1 {
				t.Fatalf("%s: after %s comes %s", text, at, w)
			}
			at = w.End
		}

		if !at.Equal(r.End) {
			t.Errorf("%s: the windows end at %s, the range at %s", text, at, r.End)
		}
	}
}
