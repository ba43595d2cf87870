package ingest_test

import (
	"context"
	"testing"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
)

// Pages of any size touch, make up the range, and sum to the stored bars.
func TestPagesMakeUpTheRange(t *testing.T) {
	t.Parallel()
	md, coverage := newService(t), domain.Range{Start: minute(0), End: minute(20)}
	rapid.Check(t, func(t *rapid.T) {
		bars := drawBars(t, "bars")
		if _, err := md.Replace(context.Background(), domain.EmptySeries(minuteKey), coverage); err != nil {
			t.Fatal(err)
		}
		if _, err := md.Ingest(context.Background(), bars, coverage); err != nil {
			t.Fatal(err)
		}

		r := domain.Range{Start: minute(rapid.IntRange(0, 19).Draw(t, "start")), End: minute(25)}
		all := domain.NewSeriesBuilder(minuteKey, 0)
		at, n := r.Start, rapid.IntRange(1, 8).Draw(t, "page")
		var uncovered []domain.Range
		for p, err := range ingest.Pages(context.Background(), ingest.BarsOf(md, minuteKey), []domain.Range{r}, n) {
			if err != nil {
				t.Fatal(err)
			}
			if !p.Range.Start.Equal(at) || p.Rows.Len() > n || !p.Range.Covers(p.Rows.Range()) {
				t.Fatalf("after %s comes a page of %s with %s", at, p.Range, p.Rows)
			}

			at = p.Range.End
			uncovered = append(uncovered, p.Uncovered...)
			if err := all.AppendSeries(p.Rows); err != nil {
				t.Fatal(err)
			}
		}

		got := seriesOf(t, all)
		if !got.Equal(bars.Clip(r)) || !at.Equal(r.End) {
			t.Fatalf("pages are %s up to %s; want %s", got, at, bars.Clip(r))
		}
		uncovered = domain.MergeRanges(uncovered)
		if len(uncovered) != 1 || !uncovered[0].Equal(domain.Range{Start: minute(20), End: minute(25)}) {
			t.Fatalf("uncovered are %v", uncovered)
		}
	})
}
