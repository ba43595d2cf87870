package ingest

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Rows are bars, trades or quotes of one series in order of time: domain.Series, domain.Trades or domain.Quotes.
type Rows[S any] interface {
	Len() int              // the number of rows
	Range() domain.Range   // from the start of the first row to the end of the last
	Clip(r domain.Range) S // the rows of r
	Slice(from, to int) S  // the rows with these indices, without to
	Equal(o S) bool        // whether both have equal rows
}

// Page is the rows of one range of a series.
type Page[S any] struct {
	Rows      S
	Range     domain.Range   // contains the rows
	Uncovered []domain.Range // the parts of Range that are not covered, ascending
	Dropped   int            // bars of the range that the quality policy of the request left out
}

// Reader reads the rows of one series.
type Reader[S any] interface {
	// Read returns the first rows of r, at most limit, where 0 is no limit; of trades and quotes, it returns all of the
	// last instant. The range of the page is r.
	Read(ctx context.Context, r domain.Range, limit int) (Page[S], error)
}

// Dataset reads and writes the rows of one series in one store. BarsOf, TradesOf and QuotesOf return the datasets of a
// service; a Dataset is safe for concurrent use if its service is. Errors are those of the store.
type Dataset[S any] interface {
	Reader[S]

	// Name returns the name of the series, for errors and reports.
	Name() string

	// Coverage returns the declared and the inferred coverage, ascending and disjoint.
	Coverage(ctx context.Context) ([]domain.Range, error)

	// Ingest writes the rows and declares coverage, which must contain them, complete. A stored row with other values is
	// ports.ErrConflict, and then nothing is written.
	Ingest(ctx context.Context, rows S, coverage domain.Range) (ports.WriteReport, error)

	// Replace writes the rows, at least one, in the place of all rows of r, and declares r complete.
	Replace(ctx context.Context, rows S, r domain.Range) (ports.WriteReport, error)

	// Delete removes the rows of r and its coverage.
	Delete(ctx context.Context, r domain.Range) (ports.WriteReport, error)

	// Floor returns the last time at or before t at which a row can begin: every row before it ended at or before t.
	Floor(t time.Time) time.Time

	// Parts yields the parts of r that one call of a store should change at most, in order of time. They end where a
	// block of the series ends, or r.
	Parts(r domain.Range) iter.Seq[domain.Range]
}

// Service is the driving ports that a Dataset calls; *app.Service implements it.
type Service interface {
	ports.HistoricalDataProvider
	ports.CoverageProvider
	ports.Ingestor
}

// Pages yields all rows of the ranges, about n rows per page, so that memory is bounded by the page. The pages of a
// range touch and make up the range. An error is the last pair. n must be positive.
func Pages[S Rows[S]](ctx context.Context, from Reader[S], ranges []domain.Range, n int) iter.Seq2[Page[S], error] {
	return func(yield func(Page[S], error) bool) {
		for _, r := range ranges {
			for !r.Empty() {
				p, err := from.Read(ctx, r, n)
				if err != nil {
					yield(Page[S]{}, err)
					return
				}

				if p.Rows.Len() >= n {
					p.Range.End = p.Rows.Range().End
				}
				if !yield(p, nil) {
					return
				}

				r.Start = p.Range.End
			}
		}
	}
}

// BarsOf returns the bars of the key as the service stores them; bars that break a quality rule are included.
func BarsOf(s Service, key domain.SeriesKey) Dataset[domain.Series] { return barDataset{s, key} }

// barDataset is the bars of one key.
type barDataset struct {
	service Service
	key     domain.SeriesKey
}

// Name returns the text of the key.
func (d barDataset) Name() string { return d.key.String() }

// Coverage returns the coverage of the key over all stores of the service.
func (d barDataset) Coverage(ctx context.Context) ([]domain.Range, error) {
	extents, err := ports.Collect(d.service.Coverage(ctx, d.key.Symbol))
	var ranges []domain.Range
	for _, e := range extents {
		if e.Key == d.key {
			ranges = append(ranges, e.Range)
		}
	}

	return domain.MergeRanges(ranges), err
}

// Read fetches the first bars of r.
func (d barDataset) Read(ctx context.Context, r domain.Range, limit int) (Page[domain.Series], error) {
	result, err := d.service.Fetch(ctx, domain.DataRequest{
		Key: d.key, Start: r.Start, End: r.End, First: limit, Quality: domain.QualityFlag,
	})

	return Page[domain.Series]{Rows: result.Series, Range: r, Uncovered: result.Uncovered}, err
}

// Ingest writes the bars.
func (d barDataset) Ingest(
	ctx context.Context, bars domain.Series, coverage domain.Range,
) (ports.WriteReport, error) {
	return d.service.Ingest(ctx, bars, coverage, ports.ConflictFail)
}

// Replace puts the bars in the place of those of r.
func (d barDataset) Replace(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	return d.service.Replace(ctx, bars, r)
}

// Delete removes the bars of r.
func (d barDataset) Delete(ctx context.Context, r domain.Range) (ports.WriteReport, error) {
	return d.service.Delete(ctx, d.key, r)
}

// Floor returns the last edge of the grid at or before t.
func (d barDataset) Floor(t time.Time) time.Time { return d.key.Grid.Floor(t) }

// Parts yields parts of some 100,000 bars without a gap.
func (d barDataset) Parts(r domain.Range) iter.Seq[domain.Range] {
	return parts(d.key.Grid, domain.BarBlocks(d.key.Grid), r, blocksPerPart)
}

// TradesOf returns the trades of the symbol.
func TradesOf(s Service, symbol domain.Symbol) Dataset[domain.Trades] {
	return tickDataset[domain.Trade]{
		service: s, symbol: symbol, kind: domain.TickTrades,
		fetch: s.FetchTrades, ingest: s.IngestTrades, replace: s.ReplaceTrades, remove: s.DeleteTrades,
	}
}

// QuotesOf returns the quotes of the symbol.
func QuotesOf(s Service, symbol domain.Symbol) Dataset[domain.Quotes] {
	return tickDataset[domain.Quote]{
		service: s, symbol: symbol, kind: domain.TickQuotes,
		fetch: s.FetchQuotes, ingest: s.IngestQuotes, replace: s.ReplaceQuotes, remove: s.DeleteQuotes,
	}
}

// tickDataset is the trades or the quotes of a symbol. The functions are the methods of the service for the kind.
type tickDataset[T domain.Tick] struct {
	service ports.CoverageProvider
	symbol  domain.Symbol
	kind    domain.TickKind
	fetch   func(context.Context, domain.TickRequest) (domain.TickResult[T], error)
	ingest  func(context.Context, domain.Ticks[T], domain.Range, ports.ConflictPolicy) (ports.WriteReport, error)
	replace func(context.Context, domain.Ticks[T], domain.Range) (ports.WriteReport, error)
	remove  func(context.Context, domain.Symbol, domain.Range) (ports.WriteReport, error)
}

// Name returns the symbol.
func (d tickDataset[T]) Name() string { return string(d.symbol) }

// Coverage returns the coverage of the trades or the quotes over all stores of the service.
func (d tickDataset[T]) Coverage(ctx context.Context) ([]domain.Range, error) {
	extents, err := ports.Collect(d.service.TickCoverage(ctx, d.symbol))
	var ranges []domain.Range
	for _, e := range extents {
		if e.Kind == d.kind {
			ranges = append(ranges, e.Range)
		}
	}

	return domain.MergeRanges(ranges), err
}

// Read fetches the first trades or quotes of r.
func (d tickDataset[T]) Read(ctx context.Context, r domain.Range, limit int) (Page[domain.Ticks[T]], error) {
	result, err := d.fetch(ctx, domain.TickRequest{Symbol: d.symbol, Start: r.Start, End: r.End, First: limit})
	return Page[domain.Ticks[T]]{Rows: result.Ticks, Range: r, Uncovered: result.Uncovered}, err
}

// Ingest writes the ticks.
func (d tickDataset[T]) Ingest(
	ctx context.Context, ticks domain.Ticks[T], coverage domain.Range,
) (ports.WriteReport, error) {
	return d.ingest(ctx, ticks, coverage, ports.ConflictFail)
}

// Replace puts the ticks in the place of those of r.
func (d tickDataset[T]) Replace(
	ctx context.Context, ticks domain.Ticks[T], r domain.Range,
) (ports.WriteReport, error) {
	return d.replace(ctx, ticks, r)
}

// Delete removes the ticks of r.
func (d tickDataset[T]) Delete(ctx context.Context, r domain.Range) (ports.WriteReport, error) {
	return d.remove(ctx, d.symbol, r)
}

// Floor returns t to the microsecond.
func (d tickDataset[T]) Floor(t time.Time) time.Time { return access.Instants{}.Floor(t) }

// Parts yields the UTC days.
func (d tickDataset[T]) Parts(r domain.Range) iter.Seq[domain.Range] {
	return parts(access.Instants{}, domain.TickBlocks(), r, 1)
}
