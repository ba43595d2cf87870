package ports

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// ConflictPolicy says what a write does with a stored row that has other values than the written row of the same time
// (of trades and quotes: time and sequence number). Rows that are not covered count as absent.
type ConflictPolicy uint8

// The conflict policies.
const (
	ConflictFail    ConflictPolicy = iota // nothing of the series is written, and the error is a *ConflictError
	ConflictReplace                       // the stored row gets the values of the written one
	ConflictKeep                          // the stored row stays
)

// Validate returns an error that wraps ErrInvalid if the policy is none of the conflict policies.
func (p ConflictPolicy) Validate() error {
	if p <= ConflictKeep {
		return nil
	}
	return fmt.Errorf("conflict policy %d: give one of ports.ConflictFail, ConflictReplace and ConflictKeep: %w",
		p, ErrInvalid)
}

// ConflictError refuses a write under ConflictFail, because stored rows have other values. It is of kind ErrConflict,
// but another try meets the same rows.
type ConflictError struct {
	Rows  int       // how many differ
	First time.Time // the time of the first of them
}

// Error returns how many rows differ, and the first.
func (e *ConflictError) Error() string {
	rows := "rows differ"
	if e.Rows == 1 {
		rows = "row differs"
	}

	return fmt.Sprintf("%d stored %s, the first at %s; nothing was written",
		e.Rows, rows, e.First.UTC().Format(time.RFC3339Nano))
}

// Add adds rows that differ, the first at a time. Calls must be in order of time.
func (e *ConflictError) Add(first time.Time, rows int) {
	if e.Rows == 0 {
		e.First = first
	}
	e.Rows += rows
}

// Unwrap returns ErrConflict.
func (e *ConflictError) Unwrap() error { return ErrConflict }

// WriteReport counts the rows of a write by their outcome.
type WriteReport struct {
	Inserted  int `json:"inserted"`
	Changed   int `json:"changed"`
	Unchanged int `json:"unchanged"` // equal rows were stored already, so nothing was written
	Kept      int `json:"kept"`      // rows with other values were stored, and ConflictKeep kept them
	Deleted   int `json:"deleted"`   // by a replacement or a deletion
}

// Add returns the sum of both reports.
func (r WriteReport) Add(o WriteReport) WriteReport {
	return WriteReport{
		Inserted:  r.Inserted + o.Inserted,
		Changed:   r.Changed + o.Changed,
		Unchanged: r.Unchanged + o.Unchanged,
		Kept:      r.Kept + o.Kept,
		Deleted:   r.Deleted + o.Deleted,
	}
}

// Rows returns the number of rows that were written, found unchanged or deleted.
func (r WriteReport) Rows() int { return r.Inserted + r.Changed + r.Unchanged + r.Deleted }

// BarWrite is a write to one series of bars.
type BarWrite struct {
	Bars       domain.Series
	Coverage   domain.Range // contains the bars, and may have none
	OnConflict ConflictPolicy
}

// WriteResult is the outcome of one write of a batch.
type WriteResult struct {
	Report WriteReport
	Err    error // then nothing of the series was written, unless the outcome is unknown
}

// BarWriter writes bars. A write is atomic for each series, and when it returns, every later read sees it. A number
// that the store cannot represent to the digit is an error, and nothing of the series is stored. Safe for concurrent
// use.
type BarWriter interface {
	// WriteBatch writes many series: result i is that of write i. It inserts the bars and declares the coverage as
	// complete: where it has no bar afterwards, nothing traded. It makes the symbols known to the store's catalog.
	// Writing the same again changes nothing. Each write succeeds or fails by itself, and a reader may see some of them
	// before others. A second write to one series is ErrInvalid.
	WriteBatch(ctx context.Context, writes []BarWrite) []WriteResult

	// ReplaceBars replaces all bars of the key in r by the given ones, and declares r as complete. The bars must lie in
	// r. No bars are ErrInvalid: DeleteBars deletes, and WriteBatch then declares that nothing traded.
	ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (WriteReport, error)

	// DeleteBars removes the bars of the key in r and their coverage, so that r is not covered.
	DeleteBars(ctx context.Context, key domain.SeriesKey, r domain.Range) (WriteReport, error)
}

// NewWriteResults returns the results of a batch before anything is written: an error for each second write to one
// series, and for each unknown policy. The operation and the store are those of the error.
func NewWriteResults(op string, store domain.StoreName, writes []BarWrite) []WriteResult {
	results := make([]WriteResult, len(writes))
	written := make(map[domain.SeriesKey]struct{}, len(writes))
	for i, w := range writes {
		key := w.Bars.Key()
		err := w.OnConflict.Validate()
		if _, isRepeated := written[key]; isRepeated {
			err = errRepeatedSeries
		}
		if err != nil {
			results[i].Err = &Error{Kind: ErrInvalid, Op: op, Store: store, Subject: key.String(), Err: err}
		}
		written[key] = struct{}{}
	}

	return results
}

// WriteBars writes one series by WriteBatch.
func WriteBars(
	ctx context.Context, w BarWriter, bars domain.Series, coverage domain.Range, onConflict ConflictPolicy,
) (WriteReport, error) {
	result := w.WriteBatch(ctx, []BarWrite{{bars, coverage, onConflict}})[0]
	return result.Report, result.Err
}

// TradeWriter writes trades, under the promises of BarWriter.
type TradeWriter interface {
	// WriteTrades inserts the trades, and declares coverage as complete.
	WriteTrades(
		ctx context.Context, trades domain.Trades, coverage domain.Range, onConflict ConflictPolicy,
	) (WriteReport, error)

	// ReplaceTrades replaces all trades in r by the given ones. No trades are ErrInvalid.
	ReplaceTrades(ctx context.Context, trades domain.Trades, r domain.Range) (WriteReport, error)

	// DeleteTrades removes the trades in r and their coverage.
	DeleteTrades(ctx context.Context, symbol domain.Symbol, r domain.Range) (WriteReport, error)
}

// QuoteWriter writes quotes, under the promises of BarWriter.
type QuoteWriter interface {
	// WriteQuotes is TradeWriter.WriteTrades for quotes.
	WriteQuotes(
		ctx context.Context, quotes domain.Quotes, coverage domain.Range, onConflict ConflictPolicy,
	) (WriteReport, error)

	// ReplaceQuotes is TradeWriter.ReplaceTrades for quotes.
	ReplaceQuotes(ctx context.Context, quotes domain.Quotes, r domain.Range) (WriteReport, error)

	// DeleteQuotes is TradeWriter.DeleteTrades for quotes.
	DeleteQuotes(ctx context.Context, symbol domain.Symbol, r domain.Range) (WriteReport, error)
}

var errRepeatedSeries = errors.New("the series is in the batch twice; join its bars")

// ErrNothingToReplace refuses a replacement without rows.
var ErrNothingToReplace = fmt.Errorf("a replacement needs rows; delete the range instead: %w", ErrInvalid)
