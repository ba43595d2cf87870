package resilience

import (
	"context"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go/budget"
	"golang.org/x/sync/semaphore"

	"github.com/gal-friday/marketdata/ports"
)

const (
	// Of the calls under way, this share may be retries. A few are always allowed.
	retryShare = 0.1
	minRetries = 3

	// barBytes is the memory of a bar, and about that of a trade or a quote.
	barBytes = 56

	// Writes have this part of the bytes in flight, so that imports leave the rest to reads.
	writeParts = 4

	// maxWait is how long a call without a deadline waits for bytes.
	maxWait = 15 * time.Second
)

// Limits bound the calls of all servers together: their retries, so that these do not add to an overload, to a tenth of
// the calls under way, or three; and the memory of the rows on their way, so that many large reads at once do not
// exhaust it. A process needs one. It is safe for concurrent use.
type Limits struct {
	budget      budget.Budget
	calls       callCounter         // of the budget
	maxRows     int64               // that a read is expected to have at most; 0 is no maximum
	bytes       int64               // of all
	all, writes *semaphore.Weighted // the bytes of all calls, and those of writes among them
}

// NewLimits returns limits of so many bytes in flight. A read counts for the rows that its range has room for, but for
// maxRows at most; 0 is no maximum. A call of more than all bytes, or a write of more than a quarter, counts for these.
func NewLimits(bytes, maxRows int64) *Limits {
	retries := budget.NewBuilder().WithMaxRate(retryShare).WithMinConcurrency(minRetries).Build()

	return &Limits{
		budget: retries, calls: retries.(callCounter), maxRows: maxRows, bytes: bytes,
		all: semaphore.NewWeighted(bytes), writes: semaphore.NewWeighted(bytes / writeParts),
	}
}

// callCounter counts the calls under way, of which a share may be retries. Budgets of the library are one.
type callCounter interface {
	RecordExecution()
	ReleaseExecution()
}

// countAttempt makes an attempt, which counts as a call under way.
func (l *Limits) countAttempt(attempt func() (time.Duration, error)) (time.Duration, error) {
	l.calls.RecordExecution()
	defer l.calls.ReleaseExecution()

	return attempt()
}

// readWeight returns the bytes of a read of at most so many rows.
func (l *Limits) readWeight(rows int64) int64 {
	if l.maxRows > 0 {
		rows = min(rows, l.maxRows)
	}

	return min(rows, l.bytes/barBytes) * barBytes
}

// reserveRead waits for the bytes of a read of at most so many rows. release gives them back.
func (l *Limits) reserveRead(ctx context.Context, rows int64) (release func(), err error) {
	weight := l.readWeight(rows)
	return func() { l.all.Release(weight) }, acquire(ctx, l.all, weight)
}

// reserveWrite is reserveRead for a write of so many rows, which are in memory.
func (l *Limits) reserveWrite(ctx context.Context, rows int64) (release func(), err error) {
	weight := min(rows*barBytes, l.bytes/writeParts)
	if err := acquire(ctx, l.writes, weight); err != nil {
		return nil, err
	}
	if err := acquire(ctx, l.all, weight); err != nil {
		l.writes.Release(weight)
		return nil, err
	}

	return func() {
		l.all.Release(weight)
		l.writes.Release(weight)
	}, nil
}

// acquire waits for bytes, for half of the time that the call has left.
func acquire(ctx context.Context, bytes *semaphore.Weighted, weight int64) error {
	if bytes.TryAcquire(weight) {
		return nil
	}

	patience := maxWait
	if deadline, isSet := ctx.Deadline(); isSet {
		patience = time.Until(deadline) / 2
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	return bytes.Acquire(ctx, weight)
}

// shed returns the error of a call that got no bytes, which was not made.
func (p *Policy) shed(ctx context.Context, op string, rows int64, waited time.Duration) error {
	e := &ports.Error{Kind: ports.ErrOverloaded, Op: op, Store: p.name, Phase: ports.PhaseAcquire}
	if cause := ctx.Err(); cause != nil {
		e.Kind, e.Err = ports.ContextKind(cause), cause
		return e
	}

	e.Err = fmt.Errorf("other calls of this process use the memory of bars in flight (%d bytes); "+
		"a call of up to %d rows waited %s for its part", p.limits.bytes, rows, waited.Round(time.Millisecond))
	e.Remedy = "make fewer calls at once, or shorter ones, such as pages; or raise max_in_flight_bytes"

	return e
}

// withReservation makes a call within the bytes in flight: reserve waits for them. A call without rows needs none.
func (p *Policy) withReservation(
	ctx context.Context, op string, rows int64,
	reserve func(ctx context.Context, rows int64) (release func(), err error), call func() error,
) error {
	if rows == 0 {
		return call()
	}

	began := time.Now()
	release, err := reserve(ctx, rows)
	if err != nil {
		return p.shed(ctx, op, rows, time.Since(began))
	}

	defer release()

	return call()
}
