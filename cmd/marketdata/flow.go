package main

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// rows is the bars, the trades or the quotes of one series.
type rows[S any] interface {
	Len() int
	Range() domain.Range
	Clip(r domain.Range) S
	Slice(from, to int) S
	Equal(o S) bool
}

// flow is how the rows of one series are read and written, whatever they are.
type flow[S rows[S]] struct {
	series  string // for messages
	holds   file.Kind
	fetch   func(ctx context.Context, md *app.Service, r domain.Range, first int) (page[S], error) // the first few in r
	ingest  func(ctx context.Context, md *app.Service, s S, claim domain.Range) (ports.WriteReport, error)
	replace func(ctx context.Context, md *app.Service, s S, r domain.Range) (ports.WriteReport, error)
}

// barFlow reads bars under the policy, and tells how many it left out.
func barFlow(key domain.SeriesKey, quality domain.QualityPolicy, dropped func(n int)) flow[domain.Series] {
	return flow[domain.Series]{
		series: key.String(), holds: file.Bars,
		fetch: func(ctx context.Context, md *app.Service, r domain.Range, first int) (page[domain.Series], error) {
			got, err := md.Fetch(ctx, domain.DataRequest{Key: key, Start: r.Start, End: r.End, First: first, Quality: quality})
			dropped(len(got.Quality.Dropped))
			return page[domain.Series]{got.Series, r, got.Uncovered}, err
		},
		ingest: func(ctx context.Context, md *app.Service, s domain.Series, claim domain.Range) (ports.WriteReport, error) {
			return md.Ingest(ctx, s, claim)
		},
		replace: func(ctx context.Context, md *app.Service, s domain.Series, r domain.Range) (ports.WriteReport, error) {
			return md.Replace(ctx, s, r)
		},
	}
}

// storedBars reads bars as they are stored, those that break a rule too.
func storedBars(key domain.SeriesKey) flow[domain.Series] {
	return barFlow(key, domain.QualityFlag, func(int) {})
}

func tradeFlow(symbol domain.Symbol) flow[domain.Trades] {
	return flow[domain.Trades]{
		series: string(symbol), holds: file.Trades,
		fetch: fetchedTicks(symbol, (*app.Service).FetchTrades),
		ingest: func(ctx context.Context, md *app.Service, s domain.Trades, claim domain.Range) (ports.WriteReport, error) {
			return md.IngestTrades(ctx, s, claim)
		},
		replace: func(ctx context.Context, md *app.Service, s domain.Trades, r domain.Range) (ports.WriteReport, error) {
			return md.ReplaceTrades(ctx, s, r)
		},
	}
}

func quoteFlow(symbol domain.Symbol) flow[domain.Quotes] {
	return flow[domain.Quotes]{
		series: string(symbol), holds: file.Quotes,
		fetch: fetchedTicks(symbol, (*app.Service).FetchQuotes),
		ingest: func(ctx context.Context, md *app.Service, s domain.Quotes, claim domain.Range) (ports.WriteReport, error) {
			return md.IngestQuotes(ctx, s, claim)
		},
		replace: func(ctx context.Context, md *app.Service, s domain.Quotes, r domain.Range) (ports.WriteReport, error) {
			return md.ReplaceQuotes(ctx, s, r)
		},
	}
}

func fetchedTicks[T domain.Tick](
	symbol domain.Symbol, fetch func(*app.Service, context.Context, domain.TickRequest) (domain.TickResult[T], error),
) func(context.Context, *app.Service, domain.Range, int) (page[domain.Ticks[T]], error) {
	return func(ctx context.Context, md *app.Service, r domain.Range, first int) (page[domain.Ticks[T]], error) {
		got, err := fetch(md, ctx, domain.TickRequest{Symbol: symbol, Start: r.Start, End: r.End, First: first})
		return page[domain.Ticks[T]]{got.Ticks, r, got.Uncovered}, err
	}
}

// page is the rows of a range.
type page[S any] struct {
	rows S
	span domain.Range
	gaps []domain.Range // of the span, what nobody holds
}

// pages yields everything in r, about n rows at a time, so that a range of any length takes little memory. The pages' ranges touch
// and make up r.
func (f flow[S]) pages(ctx context.Context, md *app.Service, r domain.Range, n int) iter.Seq2[page[S], error] {
	return func(yield func(page[S], error) bool) {
		for !r.Empty() {
			p, err := f.fetch(ctx, md, r, n)
			if err != nil {
				yield(page[S]{}, err)
				return
			}

			if p.rows.Len() >= n {
				p.span.End = p.rows.Range().End
			}
			if !yield(p, nil) {
				return
			}

			r.Start = p.span.End
		}
	}
}

// pageRows is how many rows are read at once: fewer than the limits of both configurations allow.
func pageRows(configs ...wiring.Config) int {
	n := 100_000
	for _, cfg := range configs {
		if limit := *cfg.WithDefaults().Service.MaxBars; limit > 0 {
			n = min(n, max(1, limit-1))
		}
	}

	return n
}

// clip is what of the ranges lies from start on and before end, each zero where it is not bounded.
func clip(ranges []domain.Range, start, end time.Time) []domain.Range {
	var clipped []domain.Range
	for _, r := range ranges {
		if r.Start.Before(start) {
			r.Start = start
		}
		if !end.IsZero() && end.Before(r.End) {
			r.End = end
		}
		if !r.Empty() {
			clipped = append(clipped, r)
		}
	}

	return clipped
}

// spanned is from the start of the first range to the end of the last; zero without any.
func spanned(ranges []domain.Range) domain.Range {
	if len(ranges) == 0 {
		return domain.Range{}
	}
	return domain.Range{Start: ranges[0].Start, End: ranges[len(ranges)-1].End}
}
