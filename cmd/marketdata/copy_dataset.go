package main

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// rows are bars, trades or quotes of one series, in order of time: domain.Series, domain.Trades or domain.Quotes.
type rows[S any] interface {
	Len() int
	Range() domain.Range
	Clip(r domain.Range) S
	Slice(from, to int) S
	Equal(o S) bool
}

// store is the store of a dataset, behind the services of the application; *app.Service is one.
type store interface {
	ports.HistoricalDataProvider
	ports.Ingestor
}

// dataset reads and writes the rows of one series in one store, whatever their kind. Its errors are those of the store.
type dataset[S rows[S]] struct {
	name string // of the series

	// read returns the first rows of r, at most limit. Of trades and quotes it returns all of the last instant.
	read func(ctx context.Context, r domain.Range, limit int) (page[S], error)

	// ingest writes the rows and declares coverage, which includes them, complete.
	ingest func(ctx context.Context, s S, coverage domain.Range) (ports.WriteReport, error)

	// replace writes the rows in the place of all rows of r, and declares r complete unless there are no rows.
	replace func(ctx context.Context, s S, r domain.Range) (ports.WriteReport, error)
}

// barDataset returns the bars of the key as they are stored; those that break a quality rule are included.
func barDataset(s store, key domain.SeriesKey) dataset[domain.Series] {
	return dataset[domain.Series]{
		name: key.String(),
		read: func(ctx context.Context, r domain.Range, limit int) (page[domain.Series], error) {
			result, err := s.Fetch(ctx, domain.DataRequest{
				Key: key, Start: r.Start, End: r.End, First: limit, Quality: domain.QualityFlag,
			})
			return page[domain.Series]{result.Series, r, result.Uncovered}, err
		},
		ingest: s.Ingest, replace: s.Replace,
	}
}

// tradeDataset returns the trades of the symbol.
func tradeDataset(s store, symbol domain.Symbol) dataset[domain.Trades] {
	return dataset[domain.Trades]{
		name: string(symbol), read: tickReader(symbol, s.FetchTrades), ingest: s.IngestTrades, replace: s.ReplaceTrades,
	}
}

// quoteDataset returns the quotes of the symbol.
func quoteDataset(s store, symbol domain.Symbol) dataset[domain.Quotes] {
	return dataset[domain.Quotes]{
		name: string(symbol), read: tickReader(symbol, s.FetchQuotes), ingest: s.IngestQuotes, replace: s.ReplaceQuotes,
	}
}

func tickReader[T domain.Tick](
	symbol domain.Symbol, fetch func(context.Context, domain.TickRequest) (domain.TickResult[T], error),
) func(context.Context, domain.Range, int) (page[domain.Ticks[T]], error) {
	return func(ctx context.Context, r domain.Range, limit int) (page[domain.Ticks[T]], error) {
		result, err := fetch(ctx, domain.TickRequest{Symbol: symbol, Start: r.Start, End: r.End, First: limit})
		return page[domain.Ticks[T]]{result.Ticks, r, result.Uncovered}, err
	}
}

// page is the rows of a range, and the parts of the range that are not covered.
type page[S any] struct {
	rows      S
	span      domain.Range
	uncovered []domain.Range
}

// pages yields all rows of the ranges, about n rows per page, so that memory is bounded by the page. The pages of a
// range touch and make up the range. An error is the last pair.
func (d dataset[S]) pages(ctx context.Context, ranges []domain.Range, n int) iter.Seq2[page[S], error] {
	return func(yield func(page[S], error) bool) {
		for _, r := range ranges {
			for !r.Empty() {
				p, err := d.read(ctx, r, n)
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
}
