// Package breaker stops calls of a server while it fails, so that callers get an error at once and the server gets time
// to recover.
//
//	        failures: too many of the last calls
//	closed ─────────────────────────────────────► open ◄──────────────┐
//	  ▲                                             │ pause is over    │ the probe fails:
//	  │                                             ▼                  │ the next pause is twice as long
//	  └────────────────────────────────────── half-open ───────────────┘
//	   the probe succeeds                      one call at a time is a probe
//
// The first pause is FirstPause, the longest MaxPause.
package breaker

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// The pauses before a probe.
const (
	FirstPause = 100 * time.Millisecond
	MaxPause   = 5 * time.Second
)

// Breaker is a circuit breaker. It is safe for concurrent use.
type Breaker struct {
	closed func() circuitbreaker.Builder[any] // the rule that opens a closed circuit

	// mu guards the rest. Each change of state begins a new circuit, so that the outcome of a call that began before
	// changes nothing.
	mu       sync.Mutex
	circuit  circuitbreaker.CircuitBreaker[any]
	pause    time.Duration // the next one
	since    time.Time     // when it opened; zero while it is closed
	probedAt time.Time     // when the last probe began
	probe    chan struct{} // closed when the probe that is under way ends; nil without one
	last     error         // the last failure
}

// Consecutive returns a closed Breaker that so many failures in a row open.
func Consecutive(failures uint) *Breaker {
	return newBreaker(func() circuitbreaker.Builder[any] {
		return circuitbreaker.NewBuilder[any]().WithFailureThreshold(failures)
	})
}

// Rate returns a closed Breaker that opens if, of the calls within a period, the share failed, or more. Fewer calls
// than the given number do not open it. Share is from 0 to 1.
func Rate(share float64, calls uint, period time.Duration) *Breaker {
	return newBreaker(func() circuitbreaker.Builder[any] {
		return circuitbreaker.NewBuilder[any]().WithFailureRateThreshold(share, calls, period)
	})
}

func newBreaker(closed func() circuitbreaker.Builder[any]) *Breaker {
	b := &Breaker{closed: closed}
	b.close()

	return b
}

// Acquire returns the permit of one call, whose outcome must be reported, or an error at once while the circuit is
// open.
func (b *Breaker) Acquire() (Permit, *OpenError) {
	permit, _, err := b.acquire()
	return permit, err
}

// AcquireWithin is Acquire, except that it waits for the outcome of a probe that is under way: at most so long, and not
// longer than ctx. So callers beside the probe that finds the server again succeed too.
func (b *Breaker) AcquireWithin(ctx context.Context, limit time.Duration) (Permit, *OpenError) {
	permit, probe, err := b.acquire()
	if err == nil || probe == nil {
		return permit, err
	}

	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-probe:
	case <-timer.C:
	case <-ctx.Done():
	}

	return b.Acquire()
}

// acquire returns a permit, or an error and the probe that is under way.
func (b *Breaker) acquire() (Permit, <-chan struct{}, *OpenError) {
	b.mu.Lock()
	defer b.mu.Unlock()
	isProbe := !b.since.IsZero()
	if isProbe && b.circuit.IsHalfOpen() && time.Since(b.probedAt) >= MaxPause {
		b.halfOpen() // the probe takes too long to wait for
	}
	if !b.circuit.TryAcquirePermit() {
		return Permit{}, b.probe, b.openError()
	}
	if isProbe {
		b.probedAt, b.probe = time.Now(), make(chan struct{})
	}

	return Permit{b, b.circuit}, nil, nil
}

// Open returns why calls are refused, or nil while the circuit is closed.
func (b *Breaker) Open() *OpenError {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.since.IsZero() {
		return nil
	}

	return b.openError()
}

// openError returns the error of a refused call.
func (b *Breaker) openError() *OpenError {
	e := &OpenError{Since: b.since, Last: b.last, RetryAfter: b.circuit.RemainingDelay()}
	if e.RetryAfter == 0 {
		e.RetryAfter = FirstPause // nobody knows when the probe that is under way ends
	}

	return e
}

func (b *Breaker) close() {
	b.endProbe()
	b.circuit, b.pause, b.since = b.closed().Build(), FirstPause, time.Time{}
}

// open pauses calls. The pause after it is twice as long.
func (b *Breaker) open() {
	b.endProbe()
	b.circuit = circuitbreaker.NewBuilder[any]().WithDelay(b.pause).Build()
	b.circuit.Open()
	b.pause = min(2*b.pause, MaxPause)
	if b.since.IsZero() {
		b.since = time.Now()
	}
}

// halfOpen lets the next call be the probe.
func (b *Breaker) halfOpen() {
	b.endProbe()
	b.circuit = circuitbreaker.NewBuilder[any]().Build()
	b.circuit.HalfOpen()
}

// endProbe wakes those who wait for the probe.
func (b *Breaker) endProbe() {
	if b.probe != nil {
		close(b.probe)
		b.probe = nil
	}
}

// Permit is the right to make one call. One of its methods must be called when the outcome is known.
type Permit struct {
	breaker *Breaker
	circuit circuitbreaker.CircuitBreaker[any]
}

// report applies the outcome unless the state changed since the call began.
func (p Permit) report(apply func(b *Breaker, isProbe bool)) {
	b := p.breaker
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.circuit == p.circuit {
		apply(b, !b.since.IsZero())
	}
}

// Succeed reports that the server answered.
func (p Permit) Succeed() {
	p.report(func(b *Breaker, isProbe bool) {
		if isProbe {
			b.close()
			return
		}

		b.circuit.RecordSuccess()
		if b.circuit.IsOpen() { // it is the call that makes the earlier failures count
			b.open()
		}
	})
}

// EndProbe closes the circuit if the call is the probe, before its outcome is reported: the server answers, and the
// rest of the call may take long.
func (p Permit) EndProbe() {
	p.report(func(b *Breaker, isProbe bool) {
		if isProbe {
			b.close()
		}
	})
}

// Fail reports that the server did not answer as it should.
func (p Permit) Fail(err error) {
	p.report(func(b *Breaker, isProbe bool) {
		b.last = err
		if !isProbe {
			b.circuit.RecordFailure()
		}
		if isProbe || b.circuit.IsOpen() {
			b.open()
		}
	})
}

// Release reports that the call says nothing about the server, as one that its caller canceled.
func (p Permit) Release() {
	p.report(func(b *Breaker, isProbe bool) {
		if isProbe {
			b.halfOpen()
		}
	})
}

// OpenError refuses a call while the circuit is open.
type OpenError struct {
	Since      time.Time
	Last       error         // the last failure
	RetryAfter time.Duration // when the next call may be a probe, above 0
}

// Error tells since when calls are refused, and the last failure.
func (e *OpenError) Error() string {
	return fmt.Sprintf("not asked, because its calls fail since %s; the last error: %v",
		e.Since.UTC().Format(time.RFC3339Nano), e.Last)
}
