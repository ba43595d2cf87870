package replay

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

// Provider is what a Recorder stands in front of: *app.Service is one.
type Provider interface {
	ports.HistoricalDataProvider
	ports.BatchProvider
}

// Recorder hands requests on and notes what was asked and answered. It changes neither, and is as safe for concurrent
// use as what it hands them to.
type Recorder struct {
	next Provider

	mu     sync.Mutex
	report Report
}

var (
	_ ports.HistoricalDataProvider = (*Recorder)(nil)
	_ ports.BatchProvider          = (*Recorder)(nil)
)

// NewRecorder returns a Recorder around next, which has noted nothing.
func NewRecorder(next Provider) *Recorder { return &Recorder{next: next} }

// Fetch is next's, noted.
func (r *Recorder) Fetch(ctx context.Context, request domain.DataRequest) (domain.Result, error) {
	result, err := r.next.Fetch(ctx, request)
	r.note(fetchEntry(request, result), err)
	return result, err
}

// FetchMany is next's, noted as a Fetch of each request.
func (r *Recorder) FetchMany(ctx context.Context, requests []domain.DataRequest) []ports.BatchResult {
	answers := r.next.FetchMany(ctx, requests)
	for i, answer := range answers {
		r.note(fetchEntry(requests[i], answer.Result), answer.Err)
	}
	return answers
}

// Stream is next's, noted when it ends, as a Fetch of the same is.
func (r *Recorder) Stream(ctx context.Context, request domain.DataRequest) (iter.Seq2[domain.Series, error], func() domain.Result) {
	pieces, result := r.next.Stream(ctx, request)
	return func(yield func(domain.Series, error) bool) {
		count, told := 0, fingerprint.NewHasher(request.Key)
		end := func(err error) {
			whole := result()
			r.note(barEntry(request, whole, count, told.SumResult(whole.Range)), err)
		}
		for piece, err := range pieces {
			if err != nil {
				end(err)
				yield(domain.Series{}, err)
				return
			}

			count += piece.Len()
			told.Add(piece)
			if !yield(piece, nil) {
				end(errBrokenOff)
				return
			}
		}

		end(nil)
	}, result
}

var errBrokenOff = errors.New("the stream was broken off")

func fetchEntry(request domain.DataRequest, result domain.Result) Entry {
	return barEntry(request, result, result.Series.Len(), fingerprint.OfResult(result))
}

func barEntry(request domain.DataRequest, result domain.Result, count int, told fingerprint.Digest) Entry {
	return Entry{
		Request: Request{Bars: &request},
		Now:     result.Now, Range: result.Range, Clamped: result.Clamped, Count: count,
		Dropped: len(result.Quality.Dropped), Uncovered: slices.Clone(result.Uncovered),
		Provenance: slices.Clone(result.Provenance), Fingerprint: told,
	}
}

// Latest is next's, noted.
func (r *Recorder) Latest(ctx context.Context, symbols ...domain.Symbol) ([]ports.Freshness, error) {
	list, err := r.next.Latest(ctx, symbols...)
	e := Entry{
		Request: Request{Latest: &LatestRequest{Symbols: slices.Clone(symbols)}},
		Count:   len(list), Freshness: slices.Clone(list),
	}
	if len(list) > 0 {
		e.Now = list[0].CoveredUntil.Add(list[0].Behind)
	}
	r.note(e, err)

	return list, err
}

// FetchTrades is next's, noted.
func (r *Recorder) FetchTrades(ctx context.Context, request domain.TickRequest) (domain.TickResult[domain.Trade], error) {
	result, err := r.next.FetchTrades(ctx, request)
	r.note(tickEntry(Request{Trades: &request}, result), err)
	return result, err
}

// FetchQuotes is next's, noted.
func (r *Recorder) FetchQuotes(ctx context.Context, request domain.TickRequest) (domain.TickResult[domain.Quote], error) {
	result, err := r.next.FetchQuotes(ctx, request)
	r.note(tickEntry(Request{Quotes: &request}, result), err)
	return result, err
}

func tickEntry[T domain.Tick](request Request, result domain.TickResult[T]) Entry {
	return Entry{
		Request: request,
		Now:     result.Now, Range: result.Range, Clamped: result.Clamped, Count: result.Ticks.Len(),
		Uncovered: slices.Clone(result.Uncovered), Store: result.Store, Fingerprint: fingerprint.OfTickResult(result),
	}
}

func (r *Recorder) note(e Entry, err error) {
	if err != nil {
		e.Error = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Entries = append(r.report.Entries, e)
}

// Report is what was noted so far, in the order in which the answers came.
func (r *Recorder) Report() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Report{Entries: slices.Clone(r.report.Entries)}
}
