package ingest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

// Streamed bars sum to the stored ones, and the uncovered parts are reported, whatever the size of a window.
func TestStreamPagesReportsCoverage(t *testing.T) {
	t.Parallel()
	md := newService(t)
	all := domain.Range{Start: minute(0), End: minute(20)}
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		if _, err := md.Delete(ctx, minuteKey, all); err != nil {
			t.Fatal(err)
		}

		gap := domain.Range{Start: minute(7), End: minute(rapid.IntRange(8, 12).Draw(t, "gap ends"))}
		bars := drawBars(t, "bars")
		for _, r := range all.Subtract([]domain.Range{gap}) {
			if _, err := md.Ingest(ctx, bars.Clip(r), r, ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}
		}

		got := domain.NewSeriesBuilder(minuteKey, 0)
		var uncovered []domain.Range
		request := domain.DataRequest{Key: minuteKey, Start: all.Start, End: all.End}
		slots := int64(rapid.IntRange(1, 30).Draw(t, "slots"))
		for p, err := range ingest.StreamPages(ctx, md, request, slots) {
			if err == nil {
				err = got.AppendSeries(p.Rows)
			}
			if err != nil {
				t.Fatal(err)
			}

			uncovered = append(uncovered, p.Uncovered...)
		}

		want := domain.NewSeriesBuilder(minuteKey, 0)
		for _, r := range all.Subtract([]domain.Range{gap}) {
			if err := want.AppendSeries(bars.Clip(r)); err != nil {
				t.Fatal(err)
			}
		}
		if s := seriesOf(t, got); !s.Equal(seriesOf(t, want)) {
			t.Fatalf("got %s", s)
		}
		if uncovered = domain.MergeRanges(uncovered); len(uncovered) != 1 || !uncovered[0].Equal(gap) {
			t.Fatalf("uncovered are %v; want %s", uncovered, gap)
		}
	})
}

// spanningProvider streams one piece with a result.
type spanningProvider struct {
	ports.HistoricalDataProvider

	bars   domain.Series
	result domain.Result
}

func (p spanningProvider) Stream(
	context.Context, domain.DataRequest,
) (iter.Seq2[domain.Series, error], func() domain.Result) {
	return func(yield func(domain.Series, error) bool) { yield(p.bars, nil) },
		func() domain.Result { return p.result }
}

// A piece that spans an uncovered range is refused, because an export would declare the range covered.
func TestStreamPagesRefusesSpanningPieces(t *testing.T) {
	t.Parallel()
	p := spanningProvider{
		bars:   gen.FlatBars(minuteKey, minute(0), 10),
		result: domain.Result{Uncovered: []domain.Range{{Start: minute(3), End: minute(4)}}},
	}
	request := domain.DataRequest{Key: minuteKey, Start: minute(0), End: minute(10)}
	var last error
	for _, err := range ingest.StreamPages(t.Context(), p, request, 100) {
		last = err
	}
	if !errors.Is(last, ports.ErrInternal) {
		t.Errorf("got %v", last)
	}
}

// The slot of a bar that the quality policy leaves out is not covered by the pages, because something traded there.
func TestStreamPagesDoNotCoverDroppedBars(t *testing.T) {
	t.Parallel()
	p := spanningProvider{
		bars: gen.FlatBars(minuteKey, minute(0), 5).Drop([]int{2}),
		result: domain.Result{
			Range:     domain.Range{Start: minute(0), End: minute(9)},
			Uncovered: []domain.Range{{Start: minute(7), End: minute(8)}},
			Quality:   domain.QualityReport{Dropped: []time.Time{minute(2)}},
		},
	}
	request := domain.DataRequest{Key: minuteKey, Start: minute(0), End: minute(9), Quality: domain.QualityDrop}
	var covered []domain.Range
	for page, err := range ingest.StreamPages(t.Context(), p, request, 100) {
		if err != nil {
			t.Fatal(err)
		}
		covered = append(covered, page.Range.Subtract(page.Uncovered)...)
	}

	want := []domain.Range{
		{Start: minute(0), End: minute(2)}, {Start: minute(3), End: minute(7)}, {Start: minute(8), End: minute(9)},
	}
	if covered = domain.MergeRanges(covered); !slices.EqualFunc(covered, want, domain.Range.Equal) {
		t.Errorf("covered %v; want %v", covered, want)
	}
}
