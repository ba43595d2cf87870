package ports

import (
	"context"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Telemetry receives the operations of the application: each request that reads or writes data, and each call of a
// store that serves one or checks the store. It must be safe for concurrent use. It must not block and must not fail,
// because the caller of the request waits for it: an implementation discards what it cannot keep. A cached request
// takes a microsecond, so both methods together should take a tenth of one, and allocate nothing.
type Telemetry interface {
	// Begin is called before the operation, and returns its context: ctx, or a context derived from it, such as one with
	// a span. It may be canceled already. An operation that begins need not end: a stream that nobody reads does not.
	Begin(ctx context.Context, op Operation) context.Context

	// End is called after the operation, with the context that Begin returned, which may be done.
	End(ctx context.Context, op Operation, m Measurement)
}

// Operation names an operation. Its texts are constants of the application, except the names of stores, which are those
// of the configuration: no number of requests leads to more than some hundred operations.
type Operation struct {
	Name        string           // of a request as errors name it, such as "fetch"; of a call such as "read bars"
	Store       domain.StoreName // that is called; "" for a request
	Frequencies FrequencyClass   // of a request for bars, trades or quotes; "" for others
}

// FrequencyClass is a class of frequencies, because each frequency of its own would be too many for a label.
type FrequencyClass string

// The classes of frequencies, by the unit of the frequency.
const (
	FrequencyTicks   FrequencyClass = "ticks" // trades and quotes
	FrequencySeconds FrequencyClass = "seconds"
	FrequencyMinutes FrequencyClass = "minutes"
	FrequencyHours   FrequencyClass = "hours"
	FrequencyDays    FrequencyClass = "days" // and weeks and months
)

// ClassOf returns the class of a frequency; "" if it is invalid.
func ClassOf(f domain.Frequency) FrequencyClass {
	switch f.Unit() {
	case domain.UnitSecond:
		return FrequencySeconds
	case domain.UnitMinute:
		return FrequencyMinutes
	case domain.UnitHour:
		return FrequencyHours
	case domain.UnitDay, domain.UnitWeek, domain.UnitMonth:
		return FrequencyDays
	}

	return ""
}

// Measurement is the outcome of one operation.
type Measurement struct {
	Start    time.Time     // by the monotonic clock; without the adjustments of the wall clock since the application began
	Duration time.Duration // of a stream without the time that its consumer took between the pieces
	Kind     error         // nil if the operation succeeded; else one of Kinds, itself and not wrapped
	Rows     int           // bars, trades, quotes or entries read or written; 0 for a call that failed
	Cached   bool          // of a request for bars: all of them came from caches, without a read of a store
}

// TelemetryReporter reports statistics. A Telemetry that keeps them may implement it; Diagnosis.Operations is its
// report.
type TelemetryReporter interface {
	// Operations returns the statistics of each operation that ended, ordered by its name, store and frequencies. Safe
	// for concurrent use.
	Operations() []OperationStats
}

// OperationStats are the statistics of an operation over three windows of time, which end now.
type OperationStats struct {
	Name        string           `json:"operation"`
	Store       domain.StoreName `json:"store,omitempty"`       // that is called; "" for a request
	Frequencies FrequencyClass   `json:"frequencies,omitempty"` // of a request for bars, trades or quotes

	LastMinute WindowStats `json:"last_minute"`     // and up to 10 seconds more
	Last15     WindowStats `json:"last_15_minutes"` // and up to a minute more
	SinceStart WindowStats `json:"since_start"`
}

// WindowStats are the statistics of an operation over a window of time. A percentile is the duration that this share of
// the operations did not exceed, successful or not, within a tenth of the exact one; 0 if there were none.
type WindowStats struct {
	Count  int64            `json:"count"`
	Errors map[string]int64 `json:"errors,omitempty"` // of Count, by the text of their kind
	Cached int64            `json:"cached"`           // of Count, answered without a read of a store
	Rows   int64            `json:"rows"`

	P50  domain.Seconds `json:"p50_seconds"`
	P95  domain.Seconds `json:"p95_seconds"`
	P99  domain.Seconds `json:"p99_seconds"`
	P999 domain.Seconds `json:"p99_9_seconds"`
}

// Failed returns the number of errors of all kinds.
func (w WindowStats) Failed() int64 {
	var failed int64
	for _, n := range w.Errors {
		failed += n
	}

	return failed
}
