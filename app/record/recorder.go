package record

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/fingerprint"
	"github.com/gal-friday/marketdata/ports"
)

// Provider is the interface that a Recorder wraps and implements. *app.Service implements it.
type Provider interface {
	ports.HistoricalDataProvider
	ports.BatchProvider
}

// Recorder forwards requests to a Provider and records each request with its result. It changes neither. It is safe for
// concurrent use if the Provider is.
type Recorder struct {
	next Provider

	mu     sync.Mutex
	report Report
}

var (
	_ ports.HistoricalDataProvider = (*Recorder)(nil)
	_ ports.BatchProvider          = (*Recorder)(nil)
)

// New returns a Recorder that forwards to next and has an empty report.
func New(next Provider) *Recorder { return &Recorder{next: next} }

// Fetch forwards the request and records its result.
func (r *Recorder) Fetch(ctx context.Context, request domain.DataRequest) (domain.Result, error) {
	result, err := r.next.Fetch(ctx, request)
	r.record(fetchEntry(request, result), err)
	return result, err
}

// FetchMany forwards the requests and records each of them as a Fetch.
func (r *Recorder) FetchMany(ctx context.Context, requests []domain.DataRequest) []ports.BatchResult {
	results := r.next.FetchMany(ctx, requests)
	for i, result := range results {
		r.record(fetchEntry(requests[i], result.Result), result.Err)
	}

	return results
}

// Stream forwards the request and records it as a Fetch when the iteration ends, also if the caller stops it early.
func (r *Recorder) Stream(
	ctx context.Context, request domain.DataRequest,
) (iter.Seq2[domain.Series, error], func() domain.Result) {
	pieces, result := r.next.Stream(ctx, request)
	yielded := fingerprint.NewHasher(request.Key)
	end := func(count int, err error) {
		whole := result()
		r.record(barEntry(request, whole, count, yielded.SumResult(whole.Range)), err)
	}

	return recordPieces(pieces, yielded.Add, end), result
}

// recordPieces yields the pieces, and calls add with each of them and end with the number of their rows.
func recordPieces[S interface{ Len() int }](
	pieces iter.Seq2[S, error], add func(S), end func(count int, err error),
) iter.Seq2[S, error] {
	return func(yield func(S, error) bool) {
		count := 0
		for piece, err := range pieces {
			if err != nil {
				end(count, err)
				yield(piece, err)
				return
			}

			count += piece.Len()
			add(piece)
			if !yield(piece, nil) {
				end(count, errBrokenOff)
				return
			}
		}

		end(count, nil)
	}
}

// errBrokenOff is recorded for a stream whose caller stopped the iteration.
var errBrokenOff = errors.New("the stream was broken off")

func fetchEntry(request domain.DataRequest, result domain.Result) Entry {
	return barEntry(request, result, result.Series.Len(), fingerprint.OfResult(result))
}

func barEntry(request domain.DataRequest, result domain.Result, count int, sum fingerprint.Digest) Entry {
	return Entry{
		Request: Request{Bars: &request},
		Now:     result.Now, Range: result.Range, Clamped: result.Clamped, Count: count,
		Dropped: len(result.Quality.Dropped), Uncovered: slices.Clone(result.Uncovered),
		Provenance: slices.Clone(result.Provenance), Fingerprint: sum,
	}
}

// Latest forwards the request and records its result.
func (r *Recorder) Latest(ctx context.Context, symbols ...domain.Symbol) ([]ports.Freshness, error) {
	list, err := r.next.Latest(ctx, symbols...)
	e := Entry{
		Request: Request{Latest: &LatestRequest{Symbols: slices.Clone(symbols)}},
		Count:   len(list), Freshness: slices.Clone(list),
	}
	if len(list) > 0 {
		e.Now = list[0].CoveredUntil.Add(list[0].Behind)
	}

	r.record(e, err)

	return list, err
}

// FetchTrades forwards the request and records its result.
func (r *Recorder) FetchTrades(
	ctx context.Context, request domain.TickRequest,
) (domain.TickResult[domain.Trade], error) {
	result, err := r.next.FetchTrades(ctx, request)
	r.record(fetchTickEntry(Request{Trades: &request}, result), err)
	return result, err
}

// FetchQuotes forwards the request and records its result.
func (r *Recorder) FetchQuotes(
	ctx context.Context, request domain.TickRequest,
) (domain.TickResult[domain.Quote], error) {
	result, err := r.next.FetchQuotes(ctx, request)
	r.record(fetchTickEntry(Request{Quotes: &request}, result), err)
	return result, err
}

// StreamTrades forwards the request and records it as a FetchTrades when the iteration ends, also if the caller stops
// it early.
func (r *Recorder) StreamTrades(
	ctx context.Context, request domain.TickRequest,
) (iter.Seq2[domain.Trades, error], func() domain.TickResult[domain.Trade]) {
	pieces, result := r.next.StreamTrades(ctx, request)
	return recordTicks(r, Request{Trades: &request}, request.Symbol, pieces, result), result
}

// StreamQuotes is StreamTrades for quotes.
func (r *Recorder) StreamQuotes(
	ctx context.Context, request domain.TickRequest,
) (iter.Seq2[domain.Quotes, error], func() domain.TickResult[domain.Quote]) {
	pieces, result := r.next.StreamQuotes(ctx, request)
	return recordTicks(r, Request{Quotes: &request}, request.Symbol, pieces, result), result
}

// recordTicks is the sequence of the pieces that records the request when it ends.
func recordTicks[T domain.Tick](
	r *Recorder, request Request, symbol domain.Symbol,
	pieces iter.Seq2[domain.Ticks[T], error], result func() domain.TickResult[T],
) iter.Seq2[domain.Ticks[T], error] {
	yielded := fingerprint.NewTickHasher[T](symbol)
	end := func(count int, err error) {
		whole := result()
		r.record(tickEntry(request, whole, count, yielded.SumResult(whole.Range)), err)
	}

	return recordPieces(pieces, yielded.Add, end)
}

func fetchTickEntry[T domain.Tick](request Request, result domain.TickResult[T]) Entry {
	return tickEntry(request, result, result.Ticks.Len(), fingerprint.OfTickResult(result))
}

func tickEntry[T domain.Tick](
	request Request, result domain.TickResult[T], count int, sum fingerprint.Digest,
) Entry {
	return Entry{
		Request: request,
		Now:     result.Now, Range: result.Range, Clamped: result.Clamped, Count: count,
		Uncovered: slices.Clone(result.Uncovered), Store: result.Store, Fingerprint: sum,
	}
}

// record appends the entry with the text of its error.
func (r *Recorder) record(e Entry, err error) {
	if err != nil {
		e.Error = err.Error()
	}

	r.mu.Lock()
	defer r.mu.Unlock()

	r.report.Entries = append(r.report.Entries, e)
}

// Report returns a copy of the entries recorded so far, in the order in which the requests completed.
func (r *Recorder) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()

	return Report{Entries: slices.Clone(r.report.Entries)}
}
