package replay

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Recorder hands requests on and notes what was asked and answered. It changes neither, and is as safe for concurrent use as what
// it hands them to.
type Recorder struct {
	next ports.HistoricalDataProvider

	mu     sync.Mutex
	report Report
}

var _ ports.HistoricalDataProvider = (*Recorder)(nil)

// NewRecorder returns a Recorder around next, which has noted nothing.
func NewRecorder(next ports.HistoricalDataProvider) *Recorder { return &Recorder{next: next} }

// Fetch is next's, noted.
func (r *Recorder) Fetch(ctx context.Context, request domain.DataRequest) (domain.Result, error) {
	result, err := r.next.Fetch(ctx, request)
	r.note(barEntry(request, result), err)
	return result, err
}

// Stream is next's, noted when it ends, as a Fetch of the same is. Its bars are kept until then, for their fingerprint.
func (r *Recorder) Stream(ctx context.Context, request domain.DataRequest) (iter.Seq2[domain.Series, error], func() domain.Result) {
	pieces, result := r.next.Stream(ctx, request)
	return func(yield func(domain.Series, error) bool) {
		all := domain.NewSeriesBuilder(request.Key, 0)
		end := func(err error) {
			whole := result()
			if bars, buildErr := all.Series(); buildErr == nil {
				whole.Series = bars
			}
			r.note(barEntry(request, whole), err)
		}
		for piece, err := range pieces {
			if err == nil {
				err = all.AppendSeries(piece)
			}
			if err != nil {
				end(err)
				yield(domain.Series{}, err)
				return
			}
			if !yield(piece, nil) {
				end(errBrokenOff)
				return
			}
		}
		end(nil)
	}, result
}

var errBrokenOff = errors.New("the stream was broken off")

func barEntry(request domain.DataRequest, result domain.Result) Entry {
	return Entry{
		Request: Request{Bars: &request},
		Now:     result.Now, Range: result.Range, Clamped: result.Clamped, Count: result.Series.Len(),
		Dropped: len(result.Quality.Dropped), Uncovered: slices.Clone(result.Uncovered),
		Provenance: slices.Clone(result.Provenance), Fingerprint: result.Fingerprint(),
	}
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
		Uncovered: slices.Clone(result.Uncovered), Store: result.Store, Fingerprint: result.Fingerprint(),
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
