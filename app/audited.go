package app

import (
	"context"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// This file has the methods of Service that read and write data. Each calls the service that does the work, and then
// the audit.

// Fetch is query.Provider.Fetch with the audit.
func (s *Service) Fetch(ctx context.Context, r domain.DataRequest) (domain.Result, error) {
	result, err := s.Provider.Fetch(ctx, r)
	s.audit.finish(ctx, request{"fetch", r.Key, r.Start, r.End}, result.Series.Len(), err)

	return result, err
}

// FetchMany is query.Provider.FetchMany with the audit.
func (s *Service) FetchMany(ctx context.Context, requests []domain.DataRequest) []ports.BatchResult {
	results := s.Provider.FetchMany(ctx, requests)
	for i := range results {
		r, result := &requests[i], &results[i]
		s.audit.finish(ctx, request{"fetch", r.Key, r.Start, r.End}, result.Result.Series.Len(), result.Err)
	}

	return results
}

// Stream is query.Provider.Stream with the audit.
func (s *Service) Stream(
	ctx context.Context, r domain.DataRequest,
) (iter.Seq2[domain.Series, error], func() domain.Result) {
	pieces, result := s.Provider.Stream(ctx, r)
	return audited(ctx, s.audit, request{"stream", r.Key, r.Start, r.End}, pieces), result
}

// FetchTrades is query.Provider.FetchTrades with the audit.
func (s *Service) FetchTrades(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Trade], error) {
	result, err := s.Provider.FetchTrades(ctx, r)
	s.audit.finish(ctx, request{"fetch trades", ofSymbol(r.Symbol), r.Start, r.End}, result.Ticks.Len(), err)

	return result, err
}

// FetchQuotes is query.Provider.FetchQuotes with the audit.
func (s *Service) FetchQuotes(ctx context.Context, r domain.TickRequest) (domain.TickResult[domain.Quote], error) {
	result, err := s.Provider.FetchQuotes(ctx, r)
	s.audit.finish(ctx, request{"fetch quotes", ofSymbol(r.Symbol), r.Start, r.End}, result.Ticks.Len(), err)

	return result, err
}

// StreamTrades is query.Provider.StreamTrades with the audit.
func (s *Service) StreamTrades(
	ctx context.Context, r domain.TickRequest,
) (iter.Seq2[domain.Trades, error], func() domain.TickResult[domain.Trade]) {
	pieces, result := s.Provider.StreamTrades(ctx, r)
	return audited(ctx, s.audit, request{"stream trades", ofSymbol(r.Symbol), r.Start, r.End}, pieces), result
}

// StreamQuotes is query.Provider.StreamQuotes with the audit.
func (s *Service) StreamQuotes(
	ctx context.Context, r domain.TickRequest,
) (iter.Seq2[domain.Quotes, error], func() domain.TickResult[domain.Quote]) {
	pieces, result := s.Provider.StreamQuotes(ctx, r)
	return audited(ctx, s.audit, request{"stream quotes", ofSymbol(r.Symbol), r.Start, r.End}, pieces), result
}

// Explain is query.Provider.Explain with the audit.
func (s *Service) Explain(ctx context.Context, r domain.DataRequest) (ports.QueryPlan, error) {
	plan, err := s.Provider.Explain(ctx, r)
	s.audit.finish(ctx, request{"explain", r.Key, r.Start, r.End}, 0, err)

	return plan, err
}

// Describe is describe.Describer.Describe with the audit.
func (s *Service) Describe(ctx context.Context, symbol domain.Symbol) (ports.Description, error) {
	description, err := s.Describer.Describe(ctx, symbol)
	s.audit.finish(ctx, request{op: "describe", key: ofSymbol(symbol)}, 0, err)

	return description, err
}

// ValidateSymbol is symbols.Catalog.ValidateSymbol with the audit.
func (s *Service) ValidateSymbol(ctx context.Context, symbol domain.Symbol) error {
	err := s.Catalog.ValidateSymbol(ctx, symbol)
	s.audit.finish(ctx, request{op: "validate symbol", key: ofSymbol(symbol)}, 0, err)

	return err
}

// SetSymbols is symbols.Catalog.SetSymbols with an audit record for each symbol.
func (s *Service) SetSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	err := s.Catalog.SetSymbols(ctx, metas...)
	for _, m := range metas {
		s.audit.finish(ctx, request{op: "set symbols", key: ofSymbol(m.Symbol)}, 0, err)
	}

	return err
}

// RemoveSymbol is ingest.Ingestor.RemoveSymbol with the audit.
func (s *Service) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	err := s.Ingestor.RemoveSymbol(ctx, symbol)
	s.audit.finish(ctx, request{op: "remove symbol", key: ofSymbol(symbol)}, 0, err)

	return err
}

// finishWrite records a write, with the rows that it wrote, found unchanged or deleted.
func (s *Service) finishWrite(ctx context.Context, r request, report ports.WriteReport, err error) {
	s.audit.finish(ctx, r, report.Inserted+report.Changed+report.Unchanged+report.Deleted, err)
}

// Ingest is ingest.Ingestor.Ingest with the audit.
func (s *Service) Ingest(
	ctx context.Context, bars domain.Series, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	report, err := s.Ingestor.Ingest(ctx, bars, coverage, onConflict)
	s.finishWrite(ctx, requestOf("ingest", bars.Key(), coverage), report, err)

	return report, err
}

// IngestBatch is ingest.Ingestor.IngestBatch with an audit record for each write.
func (s *Service) IngestBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	results := s.Ingestor.IngestBatch(ctx, writes)
	for i, w := range writes {
		s.finishWrite(ctx, requestOf("ingest", w.Bars.Key(), w.Coverage), results[i].Report, results[i].Err)
	}

	return results
}

// Replace is ingest.Ingestor.Replace with the audit.
func (s *Service) Replace(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	report, err := s.Ingestor.Replace(ctx, bars, r)
	s.finishWrite(ctx, requestOf("replace", bars.Key(), r), report, err)

	return report, err
}

// Delete is ingest.Ingestor.Delete with the audit.
func (s *Service) Delete(ctx context.Context, key domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	report, err := s.Ingestor.Delete(ctx, key, r)
	s.finishWrite(ctx, requestOf("delete", key, r), report, err)

	return report, err
}

// Uncover is ingest.Ingestor.Uncover with the audit.
func (s *Service) Uncover(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Range, error) {
	uncovered, err := s.Ingestor.Uncover(ctx, key, r)
	s.audit.finish(ctx, requestOf("uncover", key, r), 0, err)

	return uncovered, err
}

// Touch is ingest.Ingestor.Touch with the audit.
func (s *Service) Touch(ctx context.Context, key domain.SeriesKey) error {
	err := s.Ingestor.Touch(ctx, key)
	s.audit.finish(ctx, request{op: "touch", key: key}, 0, err)

	return err
}

// IngestTrades is ingest.Ingestor.IngestTrades with the audit.
func (s *Service) IngestTrades(
	ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	report, err := s.Ingestor.IngestTrades(ctx, trades, coverage, onConflict)
	s.finishWrite(ctx, requestOf("ingest trades", ofSymbol(trades.Symbol()), coverage), report, err)

	return report, err
}

// IngestQuotes is ingest.Ingestor.IngestQuotes with the audit.
func (s *Service) IngestQuotes(
	ctx context.Context, quotes domain.Quotes, coverage domain.Range, onConflict ports.ConflictPolicy,
) (ports.WriteReport, error) {
	report, err := s.Ingestor.IngestQuotes(ctx, quotes, coverage, onConflict)
	s.finishWrite(ctx, requestOf("ingest quotes", ofSymbol(quotes.Symbol()), coverage), report, err)

	return report, err
}

// ReplaceTrades is ingest.Ingestor.ReplaceTrades with the audit.
func (s *Service) ReplaceTrades(
	ctx context.Context, trades domain.Trades, r domain.Range,
) (ports.WriteReport, error) {
	report, err := s.Ingestor.ReplaceTrades(ctx, trades, r)
	s.finishWrite(ctx, requestOf("replace trades", ofSymbol(trades.Symbol()), r), report, err)

	return report, err
}

// ReplaceQuotes is ingest.Ingestor.ReplaceQuotes with the audit.
func (s *Service) ReplaceQuotes(
	ctx context.Context, quotes domain.Quotes, r domain.Range,
) (ports.WriteReport, error) {
	report, err := s.Ingestor.ReplaceQuotes(ctx, quotes, r)
	s.finishWrite(ctx, requestOf("replace quotes", ofSymbol(quotes.Symbol()), r), report, err)

	return report, err
}

// DeleteTrades is ingest.Ingestor.DeleteTrades with the audit.
func (s *Service) DeleteTrades(
	ctx context.Context, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	report, err := s.Ingestor.DeleteTrades(ctx, symbol, r)
	s.finishWrite(ctx, requestOf("delete trades", ofSymbol(symbol), r), report, err)

	return report, err
}

// DeleteQuotes is ingest.Ingestor.DeleteQuotes with the audit.
func (s *Service) DeleteQuotes(
	ctx context.Context, symbol domain.Symbol, r domain.Range,
) (ports.WriteReport, error) {
	report, err := s.Ingestor.DeleteQuotes(ctx, symbol, r)
	s.finishWrite(ctx, requestOf("delete quotes", ofSymbol(symbol), r), report, err)

	return report, err
}

// DropPartitions is ingest.Ingestor.DropPartitions with the audit.
func (s *Service) DropPartitions(ctx context.Context, before time.Time) ([]ports.Partition, error) {
	dropped, err := s.Ingestor.DropPartitions(ctx, before)
	s.audit.finish(ctx, request{op: "drop partitions", end: before}, 0, err)

	return dropped, err
}

// Diagnose is health.Diagnostics.Diagnose with the counters of suspicious requests.
func (s *Service) Diagnose(ctx context.Context) (ports.Diagnosis, error) {
	diagnosis, err := s.Diagnostics.Diagnose(ctx)
	diagnosis.Suspicious = s.audit.counts()

	return diagnosis, err
}
