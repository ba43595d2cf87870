package ports

import (
	"context"
	"errors"
	"strings"

	"github.com/gal-friday/marketdata/domain"
)

// The kinds of failure. Act on the kind with errors.Is, never on the message.
var (
	ErrInvalid     = domain.ErrInvalid               // the request is wrong; nothing was read or written
	ErrNotFound    = errors.New("not found")         // no catalog knows the symbol
	ErrTooLarge    = errors.New("too large")         // a limit refuses the request or its answer
	ErrTimeout     = errors.New("timeout")           // a deadline passed; Phase says where
	ErrCanceled    = errors.New("canceled")          // the caller gave up
	ErrUnavailable = errors.New("unavailable")       // the store cannot be reached or went away; a later try may succeed
	ErrOverloaded  = errors.New("overloaded")        // the store or the pool has no room; a later try may succeed
	ErrAuth        = errors.New("authentication")    // credentials or certificates were refused
	ErrPermission  = errors.New("permission")        // the store forbids it to this user
	ErrSchema      = errors.New("schema")            // the store's tables are not the ones expected
	ErrCorruptData = errors.New("corrupt data")      // the store holds what no Series can, or bars that break a fatal rule
	ErrConflict    = errors.New("conflict")          // the data changed meanwhile; a later try may succeed
	ErrIncomplete  = errors.New("incomplete answer") // the answer is not provably whole
	ErrInternal    = errors.New("internal")          // a fault of ours
)

// Phase is where a deadline passed.
type Phase string

// The phases of a store call.
const (
	PhaseAcquire Phase = "acquire" // waiting for a connection of the pool
	PhaseConnect Phase = "connect"
	PhaseQuery   Phase = "query"
	PhaseRead    Phase = "read"
)

// Error is a failure of an operation. It unwraps to its kind's sentinel and to its cause, so errors.Is finds the one
// and errors.As the other.
type Error struct {
	Kind    error            // one of the sentinels above
	Op      string           // what was being done: "fetch", "write bars"
	Store   domain.StoreName // "" where no store was involved
	Subject string           // what it was done to: a series key, a symbol
	Phase   Phase            // for ErrTimeout
	Err     error            // the cause, nil where there is none beyond the kind
}

// Error is "store: op subject: cause"; the kind is named unless the cause already does.
func (e *Error) Error() string {
	var s strings.Builder
	if e.Store != "" {
		s.WriteString(string(e.Store) + ": ")
	}
	s.WriteString(e.Op)
	if e.Subject != "" {
		s.WriteString(" " + e.Subject)
	}
	if e.Phase != "" {
		s.WriteString(" (" + string(e.Phase) + ")")
	}
	switch {
	case e.Err == nil:
		s.WriteString(": " + e.Kind.Error())
	case errors.Is(e.Err, e.Kind):
		s.WriteString(": " + e.Err.Error())
	default:
		s.WriteString(": " + e.Kind.Error() + ": " + e.Err.Error())
	}

	return s.String()
}

// Unwrap yields the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// ContextKind is ErrTimeout or ErrCanceled where err is, or wraps, a context's error; nil otherwise.
func ContextKind(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, context.Canceled):
		return ErrCanceled
	}
	return nil
}
