package app

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// This file has the methods of Service that read and write data. Each calls the service that does the work, and tells
// the observer.

// Fetch is query.Provider.Fetch, observed.
func (s *Service) Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error) {
	ctx, o := s.observer.begin(ctx, barRequest("fetch", r.Key, domain.Range{Start: r.Start, End: r.End}))
	result, err := s.Provider.Fetch(ctx, r)
	o.isCached = isCached(result.Provenance)
	o.end(ctx, result.Series.Len(), err)

	return result, err
}

// FetchMany is query.Provider.FetchMany, observed.
func (s *Service) FetchMany(ctx context.Context, requests []domain.DataRequest) []ports.BatchResult {
	ctx, o := s.observer.begin(ctx, request{op: "fetch many"})
	results := s.Provider.FetchMany(ctx, requests)
	o.isCached = len(results) > 0
	for i := range results {
		r, result := &requests[i], &results[i]
		o.endPart(ctx, barRequest("fetch", r.Key, domain.Range{Start: r.Start, End: r.End}),
			result.Result.Series.Len(), result.Err)
		o.isCached = o.isCached && isCached(result.Result.Provenance)
	}
	o.measure(ctx)

	return results
}

// Stream is query.Provider.Stream, observed.
func (s *Service) Stream(
	ctx context.Context, r domain.DataRequest,
) (iter.Seq2[domain.Series, error], func() domain.Result) {
	ctx, o := s.observer.begin(ctx, barRequest("stream", r.Key, domain.Range{Start: r.Start, End: r.End}))
	pieces, result := s.Provider.Stream(ctx, r)

	return observePieces(ctx, o, pieces, func() bool { return isCached(result().Provenance) }), result
}

// FetchTrades is query.Provider.FetchTrades, observed.
func (s *Service) FetchTrades(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Trade], error) {
	ctx, o := s.observer.begin(ctx, tickRequest("fetch trades", r.Symbol, domain.Range{Start: r.Start, End: r.End}))
	result, err := s.Provider.FetchTrades(ctx, r)
	o.end(ctx, result.Ticks.Len(), err)

	return result, err
}

// FetchQuotes is query.Provider.FetchQuotes, observed.
func (s *Service) FetchQuotes(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Quote], error) {
	ctx, o := s.observer.begin(ctx, tickRequest("fetch quotes", r.Symbol, domain.Range{Start: r.Start, End: r.End}))
	result, err := s.Provider.FetchQuotes(ctx, r)
	o.end(ctx, result.Ticks.Len(), err)

	return result, err
}

// StreamTrades is query.Provider.StreamTrades, observed.
func (s *Service) StreamTrades(
	ctx context.Context, r domain.TickRequest,
) (iter.Seq2[domain.Trades, error], func() domain.TickResult[domain.Trade]) {
	ctx, o := s.observer.begin(ctx, tickRequest("stream trades", r.Symbol, domain.Range{Start: r.Start, End: r.End}))
	pieces, result := s.Provider.StreamTrades(ctx, r)

	return observePieces(ctx, o, pieces, neverCached), result
}

// StreamQuotes is query.Provider.StreamQuotes, observed.
func (s *Service) StreamQuotes(
	ctx context.Context, r domain.TickRequest,
) (iter.Seq2[domain.Quotes, error], func() domain.TickResult[domain.Quote]) {
	ctx, o := s.observer.begin(ctx, tickRequest("stream quotes", r.Symbol, domain.Range{Start: r.Start, End: r.End}))
	pieces, result := s.Provider.StreamQuotes(ctx, r)

	return observePieces(ctx, o, pieces, neverCached), result
}

// Explain is query.Provider.Explain, observed.
func (s *Service) Explain(ctx context.Context, r domain.DataRequest) (ports.QueryPlan, error) {
	ctx, o := s.observer.begin(ctx, barRequest("explain", r.Key, domain.Range{Start: r.Start, End: r.End}))
	plan, err := s.Provider.Explain(ctx, r)
	o.end(ctx, 0, err)

	return plan, err
}

// Describe is describe.Describer.Describe, observed.
func (s *Service) Describe(ctx context.Context, symbol domain.Symbol) (ports.Description, error) {
	ctx, o := s.observer.begin(ctx, symbolRequest("describe", symbol))
	description, err := s.Describer.Describe(ctx, symbol)
	o.end(ctx, 0, err)

	return description, err
}

// ValidateSymbol is symbols.Catalog.ValidateSymbol, observed.
func (s *Service) ValidateSymbol(ctx context.Context, symbol domain.Symbol) error {
	ctx, o := s.observer.begin(ctx, symbolRequest("validate symbol", symbol))
	err := s.Catalog.ValidateSymbol(ctx, symbol)
	o.end(ctx, 0, err)

	return err
}

// SetSymbols is symbols.Catalog.SetSymbols, observed, with an audit record for each symbol.
func (s *Service) SetSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	ctx, o := s.observer.begin(ctx, request{op: "set symbols"})
	err := s.Catalog.SetSymbols(ctx, metas...)
	o.err = err
	for _, m := range metas {
		o.endPart(ctx, symbolRequest("set symbols", m.Symbol), 0, err)
	}
	o.measure(ctx)

	return err
}

// RemoveSymbol is ingest.Ingestor.RemoveSymbol, observed.
func (s *Service) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	ctx, o := s.observer.begin(ctx, symbolRequest("remove symbol", symbol))
	err := s.Ingestor.RemoveSymbol(ctx, symbol)
	o.end(ctx, 0, err)

	return err
}

// Ingest is ingest.Ingestor.Ingest, observed.
func (s *Service) Ingest(
	ctx context.Context, bars domain.Series, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, barRequest("ingest", bars.Key(), coverage))
	report, err := s.Ingestor.Ingest(ctx, bars, coverage, onConflict)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// IngestBatch is ingest.Ingestor.IngestBatch, observed, with an audit record for each write.
func (s *Service) IngestBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	ctx, o := s.observer.begin(ctx, request{op: "ingest batch"})
	results := s.Ingestor.IngestBatch(ctx, writes)
	for i, w := range writes {
		o.endPart(ctx, barRequest("ingest", w.Bars.Key(), w.Coverage), results[i].Report.Rows(), results[i].Err)
	}
	o.measure(ctx)

	return results
}

// Replace is ingest.Ingestor.Replace, observed.
func (s *Service) Replace(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, barRequest("replace", bars.Key(), r))
	report, err := s.Ingestor.Replace(ctx, bars, r)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// Delete is ingest.Ingestor.Delete, observed.
func (s *Service) Delete(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, barRequest("delete", key, r))
	report, err := s.Ingestor.Delete(ctx, key, r)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// Uncover is ingest.Ingestor.Uncover, observed.
func (s *Service) Uncover(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Range, error) {
	ctx, o := s.observer.begin(ctx, barRequest("uncover", key, r))
	uncovered, err := s.Ingestor.Uncover(ctx, key, r)
	o.end(ctx, 0, err)

	return uncovered, err
}

// Touch is ingest.Ingestor.Touch, observed.
func (s *Service) Touch(ctx context.Context, key domain.SeriesKey) error {
	ctx, o := s.observer.begin(ctx, barRequest("touch", key, domain.Range{}))
	err := s.Ingestor.Touch(ctx, key)
	o.end(ctx, 0, err)

	return err
}

// IngestTrades is ingest.Ingestor.IngestTrades, observed.
func (s *Service) IngestTrades(
	ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, tickRequest("ingest trades", trades.Symbol(), coverage))
	report, err := s.Ingestor.IngestTrades(ctx, trades, coverage, onConflict)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// IngestQuotes is ingest.Ingestor.IngestQuotes, observed.
func (s *Service) IngestQuotes(
	ctx context.Context, quotes domain.Quotes, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, tickRequest("ingest quotes", quotes.Symbol(), coverage))
	report, err := s.Ingestor.IngestQuotes(ctx, quotes, coverage, onConflict)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// ReplaceTrades is ingest.Ingestor.ReplaceTrades, observed.
func (s *Service) ReplaceTrades(
	ctx context.Context, trades domain.Trades, r domain.Range,
) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, tickRequest("replace trades", trades.Symbol(), r))
	report, err := s.Ingestor.ReplaceTrades(ctx, trades, r)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// ReplaceQuotes is ingest.Ingestor.ReplaceQuotes, observed.
func (s *Service) ReplaceQuotes(
	ctx context.Context, quotes domain.Quotes, r domain.Range,
) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, tickRequest("replace quotes", quotes.Symbol(), r))
	report, err := s.Ingestor.ReplaceQuotes(ctx, quotes, r)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// DeleteTrades is ingest.Ingestor.DeleteTrades, observed.
func (s *Service) DeleteTrades(
	ctx context.Context, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, tickRequest("delete trades", symbol, r))
	report, err := s.Ingestor.DeleteTrades(ctx, symbol, r)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// DeleteQuotes is ingest.Ingestor.DeleteQuotes, observed.
func (s *Service) DeleteQuotes(
	ctx context.Context, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	ctx, o := s.observer.begin(ctx, tickRequest("delete quotes", symbol, r))
	report, err := s.Ingestor.DeleteQuotes(ctx, symbol, r)
	o.end(ctx, report.Rows(), err)

	return report, err
}

// DropPartitions is ingest.Ingestor.DropPartitions, observed.
func (s *Service) DropPartitions(ctx context.Context, before time.Time) ([]ports.Partition, error) {
	ctx, o := s.observer.begin(ctx, request{op: "drop partitions", asked: domain.Range{End: before}})
	dropped, err := s.Ingestor.DropPartitions(ctx, before)
	o.end(ctx, 0, err)

	return dropped, err
}

// Diagnose is health.Diagnostics.Diagnose with the counters of suspicious requests, and with the measurements of the
// telemetry, which include those of the checks.
func (s *Service) Diagnose(ctx context.Context) (ports.Diagnosis, error) {
	diagnosis, err := s.Diagnostics.Diagnose(ctx)
	diagnosis.Suspicious = s.observer.audit.counts()
	if r, ok := s.observer.telemetry.(ports.TelemetryReporter); ok && err == nil {
		diagnosis.Operations = r.Operations()
	}

	return diagnosis, err
}
