package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

const (
	// grace is how long a store is waited for once its context is done: its own error tells more than the context's.
	grace = 20 * time.Millisecond

	// promised is how soon a store returns once its context is done (ports.BarReader).
	promised = 250 * time.Millisecond
)

// limitError is the cause of a context that one of our own limits ended. It is a context.DeadlineExceeded.
type limitError struct {
	of    string // what it bounds
	after time.Duration
	name  string // in the configuration
}

func (e *limitError) Error() string {
	return fmt.Sprintf("our limit of %s for %s passed (%s)", e.after, e.of, e.name)
}

// Unwrap yields context.DeadlineExceeded.
func (e *limitError) Unwrap() error { return context.DeadlineExceeded }

// PanicError is the cause of an ErrInternal: a store, catalog or cache that panicked.
type PanicError struct {
	Value any    // what it panicked with
	Stack []byte // of the goroutine that did, as debug.Stack formats it
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// caller makes calls of one store for one kind of operation.
type caller struct {
	op      string       // what the errors say was being done
	subject fmt.Stringer // and to what
	store   *store
	cfg     *Config   // with defaults
	until   time.Time // when the call has to be over; zero is when its context is
}

// text is a subject that is written already.
type text string

func (t text) String() string { return string(t) }

// at is the same caller, of another store.
func (c *caller) at(s *store) *caller {
	if c.store == s {
		return c
	}

	at := *c
	at.store = s
	return &at
}

// bound gives the call the default deadline where ctx has none and any of the stores may wait. It costs nothing until one does.
func (c *caller) bound(ctx context.Context, all stores) {
	if _, ok := ctx.Deadline(); !ok && !all.local() {
		c.until = time.Now().Add(c.cfg.Timeout)
	}
}

// limit is the context of one call of a store, which has at most so long.
func (c *caller) limit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	deadline, cause := time.Now().Add(limit), &limitError{"one call of a store", limit, "store_timeout"}
	if !c.until.IsZero() && c.until.Before(deadline) {
		deadline, cause = c.until, &limitError{"a call without a deadline", c.cfg.Timeout, "timeout"}
	}
	return context.WithDeadlineCause(ctx, deadline, cause)
}

// question is a call of a store with one argument. It is a function with an argument, not a closure, so that asking a store that
// does not wait costs no allocation.
type question[A, T any] func(context.Context, *store, A) (T, error)

// call asks the store and counts it. It returns soon after ctx is done even if the store does not; what the store then still does
// is lost. A panic of the store is an error. Every error is a *ports.Error that names operation, store and subject and has the kind
// that the store gave it.
func call[A, T any](ctx context.Context, c *caller, ask question[A, T], arg A) (T, error) {
	if ctx.Err() != nil {
		var none T
		return none, c.interrupted(ctx, nil)
	}

	began := time.Now()
	value, err := within(ctx, c, c.cfg.StoreTimeout, ask, arg)
	c.store.count(time.Since(began), err)
	return value, err
}

// within asks the store within a limit, which a store that does not wait has no need of.
func within[A, T any](ctx context.Context, c *caller, limit time.Duration, ask question[A, T], arg A) (T, error) {
	if !c.store.Local {
		return limited(ctx, c, limit, ask, arg)
	}

	value, err := guarded(ctx, c, ask, arg)
	if err != nil {
		var none T
		return none, c.failed(ctx, err)
	}

	return value, nil
}

func limited[A, T any](ctx context.Context, c *caller, limit time.Duration, ask question[A, T], arg A) (T, error) {
	var none T
	ctx, cancel := c.limit(ctx, limit)
	defer cancel()
	if ctx.Err() != nil {
		return none, c.interrupted(ctx, nil)
	}

	type outcome struct {
		value T
		err   error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.value, o.err = guarded(ctx, c, ask, arg)
		done <- o
	}()

	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case o = <-done:
		case <-timer.C:
			go c.watch(func() { <-done })
			return none, c.interrupted(ctx, errors.New("the store has not answered"))
		}
	}
	if o.err != nil {
		return none, c.failed(ctx, o.err)
	}

	return o.value, nil
}

// guarded asks the store and makes an error of its panic.
func guarded[A, T any](ctx context.Context, c *caller, ask question[A, T], arg A) (value T, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = c.panicked(v)
		}
	}()
	return ask(ctx, c.store, arg)
}

// watch logs a store that takes longer to return from a cancelled call than a store may.
func (c *caller) watch(returned func()) {
	since := time.Now()
	returned()
	if late := grace + time.Since(since); late > promised {
		c.cfg.Logger.Warn("store ignored a cancelled call", slog.String("op", c.op), slog.String("store", c.store.Name),
			slog.String("subject", c.subject.String()), slog.Duration("for", late))
	}
}

// panicked reports a panic of the store, with its stack in the log.
func (c *caller) panicked(v any) error {
	p := &PanicError{Value: v, Stack: debug.Stack()}
	c.cfg.Logger.Error("store panicked", slog.String("op", c.op), slog.String("store", c.store.Name),
		slog.String("subject", c.subject.String()), slog.Any("panic", v), slog.String("stack", string(p.Stack)))
	return c.fault(ports.ErrInternal, p)
}

// failed is the store's error as ours.
func (c *caller) failed(ctx context.Context, err error) error {
	if p := (*PanicError)(nil); errors.As(err, &p) {
		return err
	}
	if ctx.Err() != nil {
		return c.interrupted(ctx, err)
	}

	e := &ports.Error{Kind: kindOf(err), Op: c.op, Store: c.store.Name, Subject: c.subject.String(), Err: err}
	if from, ok := err.(*ports.Error); ok { //nolint:errorlint // what wraps one has words of its own, which are kept
		e.Phase, e.Err = from.Phase, from.Err
	}
	return e
}

// interrupted says whose deadline passed, or that the caller gave up. err is what the store said of it, if anything.
func (c *caller) interrupted(ctx context.Context, err error) error {
	e := &ports.Error{Kind: ports.ContextKind(ctx.Err()), Op: c.op, Store: c.store.Name, Subject: c.subject.String()}
	if from := (*ports.Error)(nil); errors.As(err, &from) {
		e.Phase = from.Phase
	}
	whose := context.Cause(ctx)
	if limit := (*limitError)(nil); !errors.As(whose, &limit) {
		if errors.Is(e.Kind, ports.ErrTimeout) {
			whose = fmt.Errorf("the caller's deadline passed: %w", ctx.Err())
		} else {
			whose = fmt.Errorf("the caller gave up: %w", ctx.Err())
		}
	}

	if err != nil {
		whose = fmt.Errorf("%w (%w)", whose, err)
	}
	e.Err = whose
	return e
}

// fault is an error of this call with the cause given.
func (c *caller) fault(kind, cause error) error {
	return &ports.Error{Kind: kind, Op: c.op, Store: c.store.Name, Subject: c.subject.String(), Err: cause}
}

// kinds are the kinds of failure that a store may report.
var kinds = [...]error{
	ports.ErrInvalid, ports.ErrNotFound, ports.ErrTooLarge, ports.ErrTimeout, ports.ErrCanceled, ports.ErrUnavailable,
	ports.ErrOverloaded, ports.ErrAuth, ports.ErrPermission, ports.ErrSchema, ports.ErrCorruptData, ports.ErrIncomplete,
	ports.ErrInternal,
}

// kindOf is the kind that err has; an error without one is a fault of the adapter.
func kindOf(err error) error {
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return kind
		}
	}
	if kind := ports.ContextKind(err); kind != nil {
		return kind
	}

	return ports.ErrInternal
}
