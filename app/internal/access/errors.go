package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// limitError is the cause of a context that one of our own limits ended. It unwraps to context.DeadlineExceeded.
type limitError struct {
	subject string // the quantity that the limit bounds
	after   time.Duration
	setting string // its name in the configuration
}

// Error names the limit and its setting.
func (e *limitError) Error() string {
	return fmt.Sprintf("our limit of %s for %s passed (%s)", e.after, e.subject, e.setting)
}

// Unwrap returns context.DeadlineExceeded.
func (e *limitError) Unwrap() error { return context.DeadlineExceeded }

// Refusal returns the error of an operation that is refused before any I/O. Its kind is ErrTooLarge or ErrNotClosed
// where cause wraps that, else ErrInvalid.
func Refusal(op, subject string, cause error) error {
	kind := ports.ErrInvalid
	for _, other := range [...]error{ports.ErrTooLarge, ports.ErrNotClosed} {
		if errors.Is(cause, other) {
			kind = other
		}
	}

	return &ports.Error{Kind: kind, Op: op, Subject: subject, Err: cause}
}

// Refuse is Refusal with the operation and subject of the call.
func (c *Call) Refuse(cause error) error { return Refusal(c.Op, c.Subject.String(), cause) }

// Fault returns an error of this call with the kind and cause given.
func (c *Call) Fault(kind, cause error) error {
	return &ports.Error{Kind: kind, Op: c.Op, Store: c.storeName(), Subject: c.Subject.String(), Err: cause}
}

// Conflict returns err, which wraps ErrStateChanged, as an error of this call; nil stays nil.
func (c *Call) Conflict(err error) error {
	if err == nil {
		return nil
	}

	return c.Fault(ports.ErrConflict, err)
}

func (c *Call) storeName() domain.StoreName {
	if c.Store == nil {
		return ""
	}

	return c.Store.Name
}

// Failed returns the store's error as an error of this call.
func (c *Call) Failed(ctx context.Context, err error) error {
	if p := (*ports.PanicError)(nil); errors.As(err, &p) {
		return err
	}
	if ctx.Err() != nil {
		return c.Interrupted(ctx, err)
	}

	e := &ports.Error{Kind: KindOf(err), Op: c.Op, Store: c.Store.Name, Subject: c.Subject.String(), Err: err}
	if from, ok := err.(*ports.Error); ok { //nolint:errorlint // an error that wraps one has its own text, which is kept
		e.Phase, e.Err, e.Remedy = from.Phase, from.Err, from.Remedy
		e.Retryable, e.RetryAfter = from.Retryable, from.RetryAfter
	}

	return e
}

// interruption is the cause of a call whose caller ended it. Its text leaves out the error of a store, because that is
// a consequence.
type interruption struct {
	text string
	err  error
}

// Error returns what the caller did.
func (e *interruption) Error() string { return e.text }

// Unwrap returns the error of the context, and that of the store.
func (e *interruption) Unwrap() error { return e.err }

// Interrupted returns the error of a call whose context is done: it says whose deadline passed, or that the caller
// canceled. err is the store's own error, or nil.
func (c *Call) Interrupted(ctx context.Context, err error) error {
	e := &ports.Error{Kind: ports.ContextKind(ctx.Err()), Op: c.Op, Store: c.storeName(), Subject: c.Subject.String()}
	if from := (*ports.Error)(nil); errors.As(err, &from) {
		e.Phase = from.Phase
	}

	cause := context.Cause(ctx)
	if limit := (*limitError)(nil); !errors.As(cause, &limit) {
		if errors.Is(e.Kind, ports.ErrCanceled) {
			e.Err = &interruption{"interrupted", errors.Join(e.Kind, ctx.Err(), err)}
			return e
		}
		cause = &interruption{"the caller's deadline passed", ctx.Err()}
	}
	if err != nil {
		cause = fmt.Errorf("%w (%w)", cause, err)
	}
	e.Err = cause

	return e
}

// KindOf returns the kind of err. An error without a kind is a fault of the adapter, so ErrInternal.
func KindOf(err error) error {
	for _, kind := range ports.Kinds() {
		if errors.Is(err, kind) {
			return kind
		}
	}
	if kind := ports.ContextKind(err); kind != nil {
		return kind
	}

	return ports.ErrInternal
}

// FormatTime writes t as messages do.
func FormatTime(t time.Time) string { return t.Format(time.RFC3339Nano) }

// JoinSymbols lists symbols in a message, at most three by name.
func JoinSymbols(symbols []domain.Symbol) Text {
	const named = 3
	var text Text
	for i, s := range symbols[:min(named, len(symbols))] {
		if i > 0 {
			text += ", "
		}
		text += Text(s)
	}
	if more := len(symbols) - named; more > 0 {
		text += Text(fmt.Sprintf(", and %d more", more))
	}

	return text
}

// ValidateSymbols reports every invalid symbol.
func ValidateSymbols(symbols []domain.Symbol) error {
	var faults []error
	for _, s := range symbols {
		if err := s.Validate(); err != nil {
			faults = append(faults, err)
		}
	}

	return errors.Join(faults...)
}

// IsOutage reports whether the error says that a store could not be asked, now.
func IsOutage(err error) bool {
	return errors.Is(err, ports.ErrUnavailable) || errors.Is(err, ports.ErrTimeout) || errors.Is(err, ports.ErrOverloaded)
}
