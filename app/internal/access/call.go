package access

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

const (
	// cancelGrace is how long a canceled call may take to return its own error, which tells more than the context's.
	cancelGrace = 20 * time.Millisecond

	// promisedReturn is how soon a store returns once its context is done, as ports.BarReader promises.
	promisedReturn = 250 * time.Millisecond
)

// Logger receives messages, each with alternating keys and values. *slog.Logger is one. It is an interface because a
// backtest that logs nothing must not link log/slog.
type Logger interface {
	// InfoContext logs a record of the audit.
	InfoContext(ctx context.Context, message string, args ...any)

	// WarnContext is Warn with the context of the request.
	WarnContext(ctx context.Context, message string, args ...any)

	// Warn logs a condition that needs attention.
	Warn(message string, args ...any)

	// Error logs a failure.
	Error(message string, args ...any)
}

// Settings are the limits of calls, with defaults filled in.
type Settings struct {
	Timeout      time.Duration // of an operation whose context has no deadline
	StoreTimeout time.Duration // of one call of a store
	Logger       Logger        // receives panics, and stores that ignore cancellation

	Telemetry ports.Telemetry // receives the calls of stores; nil discards them
}

// Call describes an operation of the application, as its errors name it. It is a value: copies are independent.
type Call struct {
	Op       string       // "fetch"
	Subject  fmt.Stringer // a series key, a symbol
	Store    *Store       // the store that is called
	Settings *Settings
	Deadline time.Time // the default deadline of the operation; zero where the context has its own
}

// Text is a subject that is written out.
type Text string

// String returns the text.
func (t Text) String() string { return string(t) }

// For returns the same operation on another store.
func (c *Call) For(s *Store) *Call {
	if c.Store == s {
		return c
	}

	other := *c
	other.Store = s

	return &other
}

// SetDefaultDeadline gives the operation its default deadline where ctx has none and a store can wait.
func (c *Call) SetDefaultDeadline(ctx context.Context, stores Stores) {
	if _, ok := ctx.Deadline(); !ok && !stores.Local() {
		c.Deadline = time.Now().Add(c.Settings.Timeout)
	}
}

// WithTimeout returns the context of one call of a store: it ends after limit, or with the operation's default
// deadline.
func (c *Call) WithTimeout(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	deadline, cause := time.Now().Add(limit), &limitError{"one call of a store", limit, "store_timeout"}
	if !c.Deadline.IsZero() && c.Deadline.Before(deadline) {
		deadline, cause = c.Deadline, &limitError{"a call without a deadline", c.Settings.Timeout, "timeout"}
	}

	return context.WithDeadlineCause(ctx, deadline, cause)
}

// CheckTime returns the error of an operation whose context is done, or whose default deadline passed, while it
// computes between two calls of a store.
func (c *Call) CheckTime(ctx context.Context) error {
	if ctx.Err() == nil && (c.Deadline.IsZero() || time.Now().Before(c.Deadline)) {
		return nil
	}

	ctx, cancel := c.WithTimeout(ctx, c.Settings.StoreTimeout)
	defer cancel()

	return c.Interrupted(ctx, nil)
}

// Operation is a call of a store with one argument. Run is a function and not a closure, so that calling a local store
// allocates nothing.
type Operation[A, T any] struct {
	Name  string // for telemetry, such as "read bars"
	Run   func(ctx context.Context, s *Store, arg A) (T, error)
	Rows  func(result T) int // nil for an operation without rows
	Limit time.Duration      // of a health check, which is not counted as a call; 0 is Settings.StoreTimeout
}

// Do calls the store and counts the call. It returns soon after ctx is done even if the store does not return; the
// store's late result is lost. A panic of the store becomes an error. Every error is a *ports.Error that names
// operation, store and subject, and has the kind that the store gave it. Telemetry receives the call.
func Do[A, T any](ctx context.Context, c *Call, op Operation[A, T], arg A) (value T, err error) {
	if ctx.Err() != nil {
		return value, c.Interrupted(ctx, nil)
	}

	ctx, start := c.begin(ctx, op.Name)
	if c.Store.Local {
		if value, err = callRecovering(ctx, c, op, arg); err != nil {
			err = c.Failed(ctx, err)
		}
	} else {
		value, err = callAsync(ctx, c, op, arg)
	}

	m := ports.Measurement{Start: start}
	if err == nil && op.Rows != nil && c.Settings.Telemetry != nil {
		m.Rows = op.Rows(value)
	}
	c.end(ctx, op.Name, m, op.Limit == 0, err)
	if err != nil {
		var zero T
		return zero, err
	}

	return value, nil
}

// begin tells the telemetry that a call begins, and returns its context and the time. It and the other methods are
// apart from Do, which is compiled for every kind of call.
func (c *Call) begin(ctx context.Context, name string) (context.Context, time.Time) {
	if telemetry := c.Settings.Telemetry; telemetry != nil {
		ctx = telemetry.Begin(ctx, ports.Operation{Name: name, Store: c.Store.Name})
	}

	return ctx, time.Now()
}

// end counts a call, unless it was a health check, and tells the telemetry its outcome.
func (c *Call) end(ctx context.Context, name string, m ports.Measurement, isCounted bool, err error) {
	m.Duration = time.Since(m.Start)
	if isCounted {
		c.Store.count(m.Duration, err)
	}
	if c.Settings.Telemetry == nil {
		return
	}

	if err != nil {
		m.Kind = KindOf(err)
	}
	c.Settings.Telemetry.End(ctx, ports.Operation{Name: name, Store: c.Store.Name}, m)
}

// callAsync calls the store on a goroutine of its own, which is abandoned where the store ignores its context.
func callAsync[A, T any](ctx context.Context, c *Call, op Operation[A, T], arg A) (T, error) {
	value := new(T) // read only after a call that was not abandoned
	err := c.await(ctx, cmp.Or(op.Limit, c.Settings.StoreTimeout), func(ctx context.Context) (err error) {
		*value, err = callRecovering(ctx, c, op, arg)
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}

	return *value, nil
}

// await runs a call on a goroutine of its own. It is apart from callAsync, which is compiled for every kind of call.
func (c *Call) await(ctx context.Context, limit time.Duration, run func(context.Context) error) error {
	ctx, cancel := c.WithTimeout(ctx, limit)
	defer cancel()
	if ctx.Err() != nil {
		return c.Interrupted(ctx, nil)
	}

	var failed error // written before done is closed, and read only after it
	done := make(chan struct{})
	go func() {
		failed = run(ctx)
		close(done)
	}()

	if err := c.wait(ctx, done); err != nil {
		return err
	}
	if failed != nil {
		return c.Failed(ctx, failed)
	}

	return nil
}

// wait waits until done is closed. Once ctx is done it waits for cancelGrace and abandons the call with an error.
func (c *Call) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}

	timer := time.NewTimer(cancelGrace)
	defer timer.Stop()

	select {
	case <-done:
		return nil
	case <-timer.C:
		go c.logLateReturn(done)
		return c.Interrupted(ctx, errors.New("the store did not return"))
	}
}

// callRecovering calls the store and turns a panic into an error.
func callRecovering[A, T any](ctx context.Context, c *Call, op Operation[A, T], arg A) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = c.panicError(v)
		}
	}()

	return op.Run(ctx, c.Store, arg)
}

// logLateReturn waits for an abandoned call, and logs one that took longer than a store may after cancellation.
func (c *Call) logLateReturn(done <-chan struct{}) {
	start := time.Now()
	<-done

	if late := cancelGrace + time.Since(start); late > promisedReturn {
		c.Settings.Logger.Warn("store ignored a canceled call",
			"op", c.Op, "store", string(c.Store.Name), "subject", c.Subject.String(), "for", late)
	}
}

// panicError reports a panic of the store. Its stack goes to the log.
func (c *Call) panicError(v any) error {
	p := &ports.PanicError{Value: v, Stack: debug.Stack()}
	c.Settings.Logger.Error("store panicked",
		"op", c.Op, "store", string(c.Store.Name), "subject", c.Subject.String(), "panic", v, "stack", string(p.Stack))

	return c.Fault(ports.ErrInternal, p)
}
