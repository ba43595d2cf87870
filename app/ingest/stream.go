package ingest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// StreamPages yields the bars of the request, which must have a start and an end, in bounded memory: a page for each
// piece of Stream. A range of more than maxSlots slots of the grid, which must be positive, is streamed window by
// window under the MaxSlots limit of the provider. What is not covered is known at the end of a window only: a last
// page without bars has the range of the window, its uncovered parts, and the number of bars that the quality policy
// dropped. Together, the pages cover what CoveredSlots returns of the whole result. An error is the last pair.
//
// Because the last page of a window comes after its bars, StreamPages is for a reader that takes the pages in turn,
// such as one that writes a file; Copy needs Pages.
func StreamPages(
	ctx context.Context, p ports.HistoricalDataProvider, r domain.DataRequest, maxSlots int64,
) iter.Seq2[Page[domain.Series], error] {
	return func(yield func(Page[domain.Series], error) bool) {
		for window := range windows(r.Key.Grid, domain.Range{Start: r.Start, End: r.End}, maxSlots) {
			r.Start, r.End = window.Start, window.End
			pieces, result := p.Stream(ctx, r)
			var written []domain.Range
			for piece, err := range pieces {
				if err != nil {
					yield(Page[domain.Series]{}, err)
					return
				}

				written = append(written, piece.Range())
				page := Page[domain.Series]{Rows: piece, Range: piece.Range()}
				if r.Quality == domain.QualityDrop {
					page.Uncovered = page.Range.Subtract(slotsOf(piece)) // one of them may be that of a dropped bar
				}
				if !yield(page, nil) {
					return
				}
			}

			end := result()
			last := Page[domain.Series]{
				Rows: domain.EmptySeries(r.Key), Range: window,
				Uncovered: window.Subtract(CoveredSlots(r.Key.Grid, end)), Dropped: len(end.Quality.Dropped),
			}
			if !yield(last, checkCovered(r.Key, written, window.Subtract(end.Uncovered))) {
				return
			}
		}
	}
}

// CoveredSlots returns the ranges, of whole slots of the grid of its bars, that a result covers: ascending and
// disjoint. In them, a slot without a bar means that nothing traded. The slot of a bar that the quality policy dropped
// is not covered.
func CoveredSlots(g domain.Grid, r domain.Result) []domain.Range {
	if r.Range.Empty() {
		return nil
	}

	var uncovered []domain.Range
	for _, u := range r.Uncovered {
		uncovered = append(uncovered, domain.Range{Start: g.Floor(u.Start), End: g.Ceil(u.End)})
	}
	for _, at := range r.Quality.Dropped {
		slot := domain.Range{Start: g.Floor(at), End: g.Next(g.Floor(at))}
		if r.Series.Clip(slot).Len() == 0 {
			uncovered = append(uncovered, slot)
		}
	}

	return g.Align(r.Range).Subtract(uncovered)
}

// slotsOf returns the slots that have a bar, merged.
func slotsOf(s domain.Series) []domain.Range {
	var slots []domain.Range
	for i := range s.Len() {
		slot := domain.Range{Start: s.OpenTime(i), End: s.Key().Grid.Next(s.OpenTime(i))}
		if n := len(slots); n > 0 && slots[n-1].End.Equal(slot.Start) {
			slots[n-1].End = slot.End
		} else {
			slots = append(slots, slot)
		}
	}

	return slots
}

// checkCovered refuses pieces that reach beyond the coverage, because an uncovered range must not be exported as
// covered.
func checkCovered(key domain.SeriesKey, pieces, coverage []domain.Range) error {
	for _, r := range pieces {
		if rest := r.Subtract(coverage); len(rest) > 0 {
			return &ports.Error{Kind: ports.ErrInternal, Op: "stream", Subject: key.String(),
				Err: fmt.Errorf("a piece of %s spans %s, which is not covered", r, rest[0])}
		}
	}

	return nil
}

// windows yields ranges that touch and make up r, each of about so many slots of the grid and ending on an edge of it.
func windows(g domain.Grid, r domain.Range, slots int64) iter.Seq[domain.Range] {
	const longest = 50 * 365 * 24 * time.Hour // because a time.Duration ends at 292 years
	length := longest
	if nominal := g.Frequency().Nominal(); int64(nominal) < int64(longest)/slots {
		length = time.Duration(slots) * nominal
	}

	return func(yield func(domain.Range) bool) {
		for !r.Empty() {
			window := domain.Range{Start: r.Start, End: g.Ceil(r.Start.Add(length))}
			if !window.End.Before(r.End) {
				window.End = r.End
			}
			if !yield(window) {
				return
			}

			r.Start = window.End
		}
	}
}

// StreamBars yields the bars that the provider has in the ranges, as they are stored: bars that break a quality rule
// are included. It streams each range as StreamPages does.
func StreamBars(
	ctx context.Context, p ports.HistoricalDataProvider, key domain.SeriesKey, ranges []domain.Range, maxSlots int64,
) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		for _, r := range ranges {
			request := domain.DataRequest{Key: key, Start: r.Start, End: r.End, Quality: domain.QualityFlag}
			for page, err := range StreamPages(ctx, p, request, maxSlots) {
				if err == nil && page.Rows.Len() == 0 {
					continue
				}
				if !yield(page.Rows, err) || err != nil {
					return
				}
			}
		}
	}
}

// ResampleBars yields the bars of key that are resampled from a sequence of finer bars, in bounded memory. An error is
// the last pair.
func ResampleBars(finer iter.Seq2[domain.Series, error], key domain.SeriesKey) iter.Seq2[domain.Series, error] {
	return func(yield func(domain.Series, error) bool) {
		resampler, err := domain.NewResampler(key)
		if err != nil {
			yield(domain.Series{}, err)
			return
		}

		for piece, err := range finer {
			var bars domain.Series
			if err == nil {
				bars, err = resampler.AddBars(piece)
			}
			if !yield(bars, err) || err != nil {
				return
			}
		}

		yield(resampler.Flush(), nil)
	}
}

// ComparableRanges returns the parts of the coverage of a coarse series in which each bar has all its finer bars
// covered: there, stored bars can be compared with resampled ones.
func ComparableRanges(coarse, finer domain.Grid, coverage, finerCoverage []domain.Range) []domain.Range {
	var whole []domain.Range
	for _, r := range finerCoverage {
		whole = append(whole, finer.DivisibleRanges(coarse, r)...)
	}

	var both []domain.Range
	for _, r := range coverage {
		both = slices.Concat(both, intersect(whole, r))
	}

	return both
}

// intersect returns the parts of the ranges that lie in r.
func intersect(ranges []domain.Range, r domain.Range) []domain.Range {
	var parts []domain.Range
	for _, part := range ranges {
		if part = part.Intersect(r); !part.Empty() {
			parts = append(parts, part)
		}
	}

	return parts
}
