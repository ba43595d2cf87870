package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/tlsconfig"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// phaseError records the phase of a store call in which an error occurred.
type phaseError struct {
	phase ports.Phase
	err   error
}

// Error returns the text of the error without its phase, which ports.Error adds.
func (e *phaseError) Error() string { return e.err.Error() }

// Unwrap returns the error.
func (e *phaseError) Unwrap() error { return e.err }

// withPhase records the phase of an error; nil stays nil, and an error keeps the phase that was recorded first.
func withPhase(phase ports.Phase, err error) error {
	var recorded *phaseError
	if err == nil || errors.As(err, &recorded) {
		return err
	}

	return &phaseError{phase, err}
}

// limitError reports that a limit of this store was reached, with the kind of the resulting error. It does not unwrap,
// because a caller that tests for context.DeadlineExceeded means its own deadline.
type limitError struct {
	kind  error
	phase ports.Phase
	err   error
}

// Error returns the text of the cause.
func (e *limitError) Error() string { return e.err.Error() }

// translate converts an error that leaves the store to a *ports.Error; nil stays nil. ctx must be the caller's, not one
// derived from it, because it decides whether the caller ended the call.
func translate(ctx context.Context, op, subject string, err error) error {
	if err == nil {
		return nil
	}

	e := &ports.Error{Op: op, Store: Name, Subject: subject, Err: err}
	var phase *phaseError
	if errors.As(err, &phase) {
		e.Phase = phase.phase
	}
	if advised := (*remedyError)(nil); errors.As(err, &advised) {
		e.Remedy = advised.remedy
	}
	var limit *limitError
	switch ctxErr := ctx.Err(); {
	case ctxErr != nil:
		// err is a consequence: the server reports a canceled statement, or the network a closed connection.
		e.Kind = ports.ContextKind(ctxErr)
		if !errors.Is(err, ctxErr) {
			e.Err = fmt.Errorf("%w: %w", ctxErr, err)
		}
	case errors.As(err, &limit):
		e.Kind, e.Phase = limit.kind, limit.phase
	default:
		e.Kind = errorKind(err)
		e.Retryable, e.RetryAfter = retryability(e.Kind, err)
	}

	return e
}

// connectionsPause is how soon a connection may be free again on a server that has no more.
const connectionsPause = 100 * time.Millisecond

// retryability reports whether a read that failed may succeed soon, and before which pause it is of no use. Of the
// errors of a server it lists those that pass by themselves: a full disk and a statement that took too long do not.
func retryability(kind, err error) (isRetryable bool, after time.Duration) {
	server, isAnswer := errors.AsType[*pgconn.PgError](err)
	if !isAnswer {
		return errors.Is(kind, ports.ErrUnavailable), 0
	}

	switch server.Code {
	case "53300":
		return true, connectionsPause
	case "57P01", "57P02", "57P03", "40001", "40P01", "25P03":
		return true, 0
	}

	return strings.HasPrefix(server.Code, "08"), 0
}

// errorKind returns the kind of an error that the caller's context did not cause.
func errorKind(err error) error {
	var (
		rule    *domain.RuleError
		tick    *domain.TickError
		setting *settingError
		schema  *schemaError
		server  *pgconn.PgError
		file    *secret.FileError
		connect *pgconn.ConnectError
		network net.Error
	)
	switch {
	case errors.As(err, &rule), errors.As(err, &tick):
		return ports.ErrCorruptData
	case errors.Is(err, ports.ErrInvalid), errors.Is(err, errReused):
		return ports.ErrInvalid
	case errors.Is(err, ports.ErrConflict):
		return ports.ErrConflict
	case errors.As(err, &setting), errors.As(err, &schema), errors.Is(err, ports.ErrForeignSchema):
		return ports.ErrSchema
	case errors.As(err, &server):
		if errors.As(err, &connect) && (server.Code == "22023" || server.Code == "42704") {
			return ports.ErrInvalid // a parameter of the DSN is unknown, or its value is not possible
		}

		return sqlStateKind(server.Code)
	case isTLSError(err), errors.As(err, &file):
		return ports.ErrAuth
	case isMalformed(err):
		return ports.ErrIncomplete
	case ports.ContextKind(err) != nil: // of a limit of this store
		return ports.ErrTimeout
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, pgconn.ErrConnClosed), pgconn.SafeToRetry(err):
		return ports.ErrUnavailable
	}

	return ports.ErrInternal
}

// isTLSError reports whether the TLS handshake failed, on either side.
func isTLSError(err error) bool {
	return tlsconfig.IsRefused(err) ||
		strings.Contains(err.Error(), "server refused TLS connection") // the driver exports no error for it
}

// isMalformed reports whether an answer could not be decoded.
func isMalformed(err error) bool {
	var malformed malformedError
	return errors.As(err, &malformed) ||
		strings.Contains(err.Error(), " body is invalid") // the driver exports no error for it
}

// sqlStateKind returns the kind of an SQLSTATE. Deadlocks and serialization failures are ports.ErrUnavailable, because
// the same call may succeed when it is retried as a whole. So is a unique violation, because it means that a writer
// which does not take the series lock inserted rows at the same time.
func sqlStateKind(code string) error {
	switch code {
	case "22021": // invalid text, such as a pattern with a zero byte
		return ports.ErrInvalid
	case "42501", "25006":
		return ports.ErrPermission
	case "57014":
		return ports.ErrTimeout
	case "40001", "40P01", "23505", "25P03", "57P01", "57P02", "57P03", "57P04", "57P05":
		return ports.ErrUnavailable
	case "55P03":
		return ports.ErrOverloaded
	case "3D000", "3F000", "42P01", "42703", "42883", "42804", "42P07", "42P17", "23514", "0A000":
		return ports.ErrSchema
	}

	switch {
	case strings.HasPrefix(code, "22"): // a value that a view cannot convert
		return ports.ErrCorruptData
	case strings.HasPrefix(code, "28"):
		return ports.ErrAuth
	case strings.HasPrefix(code, "08"):
		return ports.ErrUnavailable
	case strings.HasPrefix(code, "53"):
		return ports.ErrOverloaded
	}

	return ports.ErrInternal
}
