// Package resilience makes calls of a server survive its short failures, and stops them while it fails for longer. It
// wraps each port of a store: New gives the stores of one server one Policy.
//
//	call ──► bytes in flight ──► breaker ──► store ──► result
//	           │ too many calls    ▲ │ open     │ failure that passes by itself: see ports.Error.Retryable
//	           ▼                   │ ▼          ▼
//	         error                 │ error    at most two retries, as long as budget, deadline and breaker allow
//	                               └────────────┘
//
// A read is retried until it has yielded its first value. A write is retried only if nothing was sent to the server,
// because a write whose connection broke may have been done.
//
// Failures of the server open the breaker: ErrUnavailable, ErrOverloaded, and ErrTimeout at a limit of our own. What
// the caller causes counts for nothing: a cancellation, a deadline of the caller, an invalid request, and an exhausted
// pool.
package resilience

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/gal-friday/marketdata/adapters/breaker"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	maxAttempts = 3

	// The pause before retry n is random, up to firstBackoff * 2^(n-1), at most maxBackoff.
	firstBackoff = 25 * time.Millisecond
	maxBackoff   = 500 * time.Millisecond

	// maxRetryAfter is how long a server may have a retry wait.
	maxRetryAfter = 2 * time.Second

	// minAttempt is the time that a retry needs. With less before the deadline there is none.
	minAttempt = 50 * time.Millisecond

	// probeWait is how long a call waits for the probe of another caller while the breaker is open: longer than a server
	// that works needs, with a new connection.
	probeWait = 2 * time.Second

	// The breaker opens if this share of the calls within the period failed, and there were enough.
	openShare  = 0.5
	openCalls  = 20
	openPeriod = 10 * time.Second
)

// Policy guards the calls of one server. It is safe for concurrent use.
type Policy struct {
	name    domain.StoreName // in errors
	breaker *breaker.Breaker
	retry   failsafe.Executor[time.Duration] // a result is the pause before the next attempt
	limits  *Limits
}

// New returns the policy of a server with a closed breaker.
func New(name domain.StoreName, limits *Limits) *Policy {
	pause := func(last failsafe.ExecutionAttempt[time.Duration]) time.Duration { return last.LastResult() }
	retry := retrypolicy.NewBuilder[time.Duration]().
		WithMaxAttempts(maxAttempts).WithDelayFunc(pause).WithBudget(limits.budget).Build()

	return &Policy{
		name: name, breaker: breaker.Rate(openShare, openCalls, openPeriod), retry: failsafe.With(retry), limits: limits,
	}
}

// attempt is one attempt of a call.
type attempt struct {
	permit   breaker.Permit
	isFinal  bool // there is no retry
	isExempt bool // the error is not of the server
}

// deliver says that the caller gets a part of the result, so that there is no retry. A probe ends with it, because the
// caller may take its time for the rest.
func (a *attempt) deliver() {
	if !a.isFinal {
		a.isFinal = true
		a.permit.EndProbe()
	}
}

// exempt says that the error of the call is that of another server.
func (a *attempt) exempt() { a.isFinal, a.isExempt = true, true }

// call is a call of a store.
type call func(a *attempt) error

// read makes a call that changes nothing.
func (p *Policy) read(ctx context.Context, op string, c call) error {
	return p.run(ctx, op, isRetryable, c)
}

// write makes a call that may change something.
func (p *Policy) write(ctx context.Context, op string, c call) error {
	return p.run(ctx, op, isUnsent, c)
}

// run makes a call, and again where mayRetry accepts its error.
func (p *Policy) run(ctx context.Context, op string, mayRetry func(error) bool, c call) error {
	r := retried{policy: p, ctx: ctx, op: op, mayRetry: mayRetry, call: c}
	pause, err := p.limits.countAttempt(r.attempt) // not by the retry policy, because most calls need one attempt only
	if err != nil {
		r.retry(pause, err)
	}
	if cause := ctx.Err(); r.err != nil && cause != nil && !errors.Is(r.err, cause) {
		return &ports.Error{
			Kind: ports.ContextKind(cause), Op: op, Store: p.name, Err: fmt.Errorf("%w: %w", cause, r.err),
		}
	}

	return r.err
}

// retried is a call under way.
type retried struct {
	policy   *Policy
	ctx      context.Context //nolint:containedctx // of the call
	op       string
	mayRetry func(error) bool
	call     call

	attempts int
	err      error // of the last attempt
}

// errAgain has the retry policy make another attempt.
var errAgain = errors.New("again")

// attempt makes one attempt. If there may be another one, it returns the pause before it and errAgain.
func (r *retried) attempt() (time.Duration, error) {
	var a attempt
	r.err = r.policy.try(r.ctx, r.op, &a, r.call)
	r.attempts++
	if r.err == nil || a.isFinal || r.ctx.Err() != nil || !r.mayRetry(r.err) {
		return 0, nil //nolint:nilerr // the caller takes the error from r
	}

	pause := pauseBefore(r.attempts, r.err)
	if deadline, isSet := r.ctx.Deadline(); isSet && time.Until(deadline) < pause+minAttempt {
		return 0, nil
	}

	return pause, errAgain
}

// retry makes the other attempts, after the first one, which returned pause and err.
func (r *retried) retry(pause time.Duration, err error) {
	isFirst := true
	_, _ = r.policy.retry.WithContext(r.ctx).Get(func() (time.Duration, error) { // its own error says less than r.err
		if isFirst {
			isFirst = false
			return pause, err
		}

		return r.attempt()
	})
}

// try makes one attempt and reports its outcome to the breaker.
func (p *Policy) try(ctx context.Context, op string, a *attempt, c call) error {
	permit, refusal := p.breaker.AcquireWithin(ctx, probeWait)
	if refusal != nil {
		a.isFinal = true
		return &ports.Error{
			Kind: ports.ErrUnavailable, Op: op, Store: p.name, Err: refusal,
			Retryable: true, RetryAfter: refusal.RetryAfter,
		}
	}

	a.permit = permit
	err := c(a)
	switch {
	case err == nil:
		permit.Succeed()
	case a.isExempt || isEndedByCaller(ctx):
		permit.Release()
	case isFailure(err):
		permit.Fail(err)
	case isAnswer(err):
		permit.Succeed()
	default:
		permit.Release()
	}

	return err
}

// pauseBefore returns the pause before retry n, after an error.
func pauseBefore(n int, err error) time.Duration {
	pause := rand.N(min(firstBackoff<<(n-1), maxBackoff))
	if e, ok := errors.AsType[*ports.Error](err); ok {
		pause = max(pause, min(e.RetryAfter, maxRetryAfter))
	}

	return pause
}

// isRetryable reports whether the same read may succeed soon.
func isRetryable(err error) bool {
	e, ok := errors.AsType[*ports.Error](err)
	return ok && e.Retryable
}

// isUnsent reports whether the same write may succeed soon, and the server has nothing of this one.
func isUnsent(err error) bool {
	e, ok := errors.AsType[*ports.Error](err)
	return ok && e.Retryable && (e.Phase == ports.PhaseAcquire || e.Phase == ports.PhaseConnect)
}

// isEndedByCaller reports whether the caller ended the call. A deadline that has a cause of its own is a limit of this
// program, as the application sets one for each call of a store.
func isEndedByCaller(ctx context.Context) bool {
	cause := ctx.Err()
	return errors.Is(cause, context.Canceled) || cause != nil && context.Cause(ctx) == cause //nolint:errorlint // identity
}

// isFailure reports whether the server failed. An exhausted pool is a limit of this process.
func isFailure(err error) bool {
	if errors.Is(err, ports.ErrOverloaded) {
		e, ok := errors.AsType[*ports.Error](err)
		return !ok || e.Phase != ports.PhaseAcquire || e.Retryable
	}

	return errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrTimeout)
}

// isAnswer reports whether the server answered, and its answer was no.
func isAnswer(err error) bool {
	for _, kind := range [...]error{
		ports.ErrAuth, ports.ErrPermission, ports.ErrSchema, ports.ErrConflict, ports.ErrCorruptData,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}

	return false
}
