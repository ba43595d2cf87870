package ports

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// The kinds of failure. A caller must test the kind with errors.Is, because messages may change.
var (
	ErrInvalid     = domain.ErrInvalid               // the request is invalid; nothing was read or written
	ErrNotClosed   = errors.New("not closed yet")    // rows are early, see NotClosedError; nothing was written
	ErrNotFound    = errors.New("not found")         // no catalog has the symbol
	ErrTooLarge    = errors.New("too large")         // the request or its result exceeds a limit
	ErrTimeout     = errors.New("timeout")           // a deadline passed; Phase says where
	ErrCanceled    = errors.New("canceled")          // the caller canceled the context
	ErrUnavailable = errors.New("unavailable")       // the store cannot be reached or disconnected; a retry may succeed
	ErrOverloaded  = errors.New("overloaded")        // the store or its pool is at its capacity; a retry may succeed
	ErrAuth        = errors.New("authentication")    // the store rejected the credentials or certificates
	ErrPermission  = errors.New("permission")        // the store denies the operation to this user
	ErrSchema      = errors.New("schema")            // the tables of the store are not as expected
	ErrCorruptData = errors.New("corrupt data")      // stored data is malformed or violates a fatal quality rule
	ErrConflict    = errors.New("conflict")          // the data changed during the operation; a retry may succeed
	ErrIncomplete  = errors.New("incomplete answer") // the result may be incomplete
	ErrInternal    = errors.New("internal")          // a bug of this program or of an adapter
)

// Kinds returns the kinds of failure. An error that wraps several is of the first of them.
func Kinds() []error {
	return []error{
		ErrInvalid, ErrNotClosed, ErrNotFound, ErrTooLarge, ErrTimeout, ErrCanceled, ErrUnavailable, ErrOverloaded, ErrAuth,
		ErrPermission, ErrSchema, ErrCorruptData, ErrConflict, ErrIncomplete, ErrInternal,
	}
}

// ErrForeignSchema is wrapped by an ErrSchema about tables or views that others made: no migration creates what is
// missing there.
var ErrForeignSchema = errors.New("schema of others")

// NotClosedError says from when on a write is not early any more. Its kind is ErrNotClosed.
type NotClosedError struct {
	RetryAt time.Time // by the business clock
}

// Error returns when to write again.
func (e *NotClosedError) Error() string {
	return ErrNotClosed.Error() + ", write again at " + e.RetryAt.UTC().Format(time.RFC3339Nano)
}

// Unwrap returns ErrNotClosed.
func (e *NotClosedError) Unwrap() error { return ErrNotClosed }

// Phase is the part of a store call in which a deadline passed, or a connection failed.
type Phase string

// The phases of a store call.
const (
	PhaseAcquire Phase = "acquire" // waiting for a connection of the pool
	PhaseConnect Phase = "connect"
	PhaseQuery   Phase = "query"
	PhaseRead    Phase = "read"
)

// Error is the failure of an operation. It unwraps to the sentinel of its kind and to its cause, so that errors.Is
// matches the kind and errors.As the cause.
type Error struct {
	Kind    error            // one of the sentinels above
	Op      string           // the operation, such as "fetch" or "write bars"
	Store   domain.StoreName // "" if no store was involved
	Subject string           // the subject of the operation: a series key, a symbol
	Phase   Phase            // "" if unknown; nothing was sent to the server in PhaseAcquire and PhaseConnect
	Err     error            // the cause; nil if the kind says it all
	Remedy  string           // such as a command; "" if none is known

	Retryable  bool          // the same read may succeed soon
	RetryAfter time.Duration // before which another call is of no use; 0 if unknown
}

// Error returns "store: op subject: kind: cause; remedy", of a timeout with its phase behind the kind. It leaves out
// the parts that are empty, and the kind if the cause wraps it.
func (e *Error) Error() string {
	if e.Remedy == "" {
		return e.withoutRemedy()
	}

	return e.withoutRemedy() + "; " + e.Remedy
}

func (e *Error) withoutRemedy() string {
	var s strings.Builder
	if e.Store != "" {
		s.WriteString(string(e.Store) + ": ")
	}

	s.WriteString(e.Op)
	if e.Subject != "" {
		s.WriteString(" " + e.Subject)
	}

	switch {
	case e.Err == nil:
		s.WriteString(": " + e.kindText())
	case errors.Is(e.Err, e.Kind):
		s.WriteString(": " + e.Err.Error())
	default:
		s.WriteString(": " + e.kindText() + ": " + e.Err.Error())
	}

	return s.String()
}

// kindText returns the text of the kind, and of a timeout what the call was waiting for.
func (e *Error) kindText() string {
	if doing := phaseTexts[e.Phase]; doing != "" && errors.Is(e.Kind, ErrTimeout) {
		return e.Kind.Error() + " while " + doing
	}

	return e.Kind.Error()
}

// phaseTexts say to people what a call does in a phase.
var phaseTexts = map[Phase]string{
	PhaseAcquire: "waiting for a connection",
	PhaseConnect: "connecting",
	PhaseQuery:   "running the query",
	PhaseRead:    "reading the result",
}

// Unwrap returns the kind and, if there is one, the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}

	return []error{e.Kind, e.Err}
}

// SplitRemedy returns the text of an error without its remedy, and the remedy; "" if the error knows none.
func SplitRemedy(err error) (text, remedy string) {
	text = err.Error()
	if e := (*Error)(nil); errors.As(err, &e) && e.Remedy != "" {
		if before, isLast := strings.CutSuffix(text, "; "+e.Remedy); isLast {
			return before, e.Remedy
		}
	}

	return text, ""
}

// ContextKind returns ErrTimeout or ErrCanceled if err is or wraps the corresponding error of a context, and nil
// otherwise.
func ContextKind(err error) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, context.Canceled):
		return ErrCanceled
	}

	return nil
}
