package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// readLimits says how much one request reads, so that the limits of the configuration do not refuse it.
type readLimits struct {
	rows  int   // of a page
	slots int64 // of the range of a stream
}

// newReadLimits returns the limits under which every one of the configurations accepts a request.
func newReadLimits(configs ...wiring.Config) readLimits {
	limits := readLimits{rows: 100_000, slots: 10_000_000}
	for _, cfg := range configs {
		service := cfg.WithDefaults().Service
		if most := *service.MaxBars; most > 0 {
			limits.rows = min(limits.rows, max(1, most-1))
		}
		if most := *service.MaxSlots; most > 0 {
			limits.slots = min(limits.slots, max(1, most-1))
		}
	}

	return limits
}

// streamBars yields the bars of the request, which must have a start and an end, in bounded memory: a page for each
// piece of Stream. A range of more slots than a request may have is streamed window by window. What is not covered is
// known at the end of a window only: a last page without bars has the range of the window and its uncovered parts.
// dropped is called with the number of bars that the quality policy dropped from the window. An error is the last pair.
func streamBars(
	ctx context.Context, p ports.HistoricalDataProvider, r domain.DataRequest, slots int64, dropped func(n int),
) iter.Seq2[page[domain.Series], error] {
	return func(yield func(page[domain.Series], error) bool) {
		for window := range windows(r.Key.Grid, domain.Range{Start: r.Start, End: r.End}, slots) {
			r.Start, r.End = window.Start, window.End
			pieces, result := p.Stream(ctx, r)
			var written []domain.Range
			for piece, err := range pieces {
				if err != nil {
					yield(page[domain.Series]{}, err)
					return
				}

				written = append(written, piece.Range())
				if !yield(page[domain.Series]{rows: piece, span: piece.Range()}, nil) {
					return
				}
			}

			end := result()
			dropped(len(end.Quality.Dropped))
			last := page[domain.Series]{domain.EmptySeries(r.Key), window, end.Uncovered}
			if !yield(last, checkCovered(r.Key, written, window.Subtract(end.Uncovered))) {
				return
			}
		}
	}
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

// rowsOf yields the rows of the pages, without empty ones.
func rowsOf[S rows[S]](pages iter.Seq2[page[S], error]) iter.Seq2[S, error] {
	return func(yield func(S, error) bool) {
		for p, err := range pages {
			if err != nil || p.rows.Len() > 0 {
				if !yield(p.rows, err) || err != nil {
					return
				}
			}
		}
	}
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
