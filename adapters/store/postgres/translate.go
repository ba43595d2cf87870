package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// phaseError says in which phase of a call an error came up.
type phaseError struct {
	phase ports.Phase
	error
}

func (e *phaseError) Unwrap() error { return e.error }

// inPhase marks an error; nil stays nil. An error keeps its first mark.
func withPhase(phase ports.Phase, err error) error {
	var marked *phaseError
	if err == nil || errors.As(err, &marked) {
		return err
	}

	return &phaseError{phase, err}
}

// limitError is a limit of ours that was reached: what it means is known where it is found. It does not unwrap: a caller who looks
// for context.DeadlineExceeded means his own.
type limitError struct {
	kind  error
	phase ports.Phase
	err   error
}

func (e *limitError) Error() string { return e.err.Error() }

// translate makes every error that leaves the store a *ports.Error; nil stays nil. ctx is the caller's, not one derived from it.
func translate(ctx context.Context, op, subject string, err error) error {
	if err == nil {
		return nil
	}

	e := &ports.Error{Op: op, Store: Name, Subject: subject, Err: err}
	var phase *phaseError
	if errors.As(err, &phase) {
		e.Phase = phase.phase
	}
	var limit *limitError
	switch own := ctx.Err(); {
	case own != nil:
		// The server says that its statement was cancelled, the network that it was closed: the caller wants to hear of himself.
		e.Kind = ports.ContextKind(own)
		if !errors.Is(err, own) {
			e.Err = fmt.Errorf("%w: %w", own, err)
		}
	case errors.As(err, &limit):
		e.Kind, e.Phase = limit.kind, limit.phase
	default:
		e.Kind = errorKind(err)
	}

	return e
}

// kindOf is for an error that is not the caller's context's.
func errorKind(err error) error {
	var (
		rule    *domain.RuleError
		tick    *domain.TickError
		setting *settingError
		shape   *schemaError
		server  *pgconn.PgError
		connect *pgconn.ConnectError
		network net.Error
	)
	switch {
	case errors.As(err, &rule), errors.As(err, &tick):
		return ports.ErrCorruptData
	case errors.Is(err, ports.ErrInvalid), errors.Is(err, errReused):
		return ports.ErrInvalid
	case errors.As(err, &setting), errors.As(err, &shape):
		return ports.ErrSchema
	case errors.As(err, &server):
		return sqlStateKind(server.Code)
	case isTLSError(err):
		return ports.ErrAuth
	case ports.ContextKind(err) != nil: // a limit of ours
		return ports.ErrTimeout
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err):
		return ports.ErrUnavailable
	}

	return ports.ErrInternal
}

func isTLSError(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		errors.As(err, &record) || errors.As(err, &alert) ||
		strings.Contains(err.Error(), "server refused TLS connection") // the driver has no value for it
}

// kindOfState reads an SQLSTATE. Deadlocks and failed serializations are ErrUnavailable: the same call may succeed when it is made
// again, whole. So are rows that somebody who does not take turns with us has put in while we did.
func sqlStateKind(code string) error {
	switch code {
	case "22021": // a text that cannot be one, such as a pattern with a zero byte
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
	case strings.HasPrefix(code, "28"):
		return ports.ErrAuth
	case strings.HasPrefix(code, "08"):
		return ports.ErrUnavailable
	case strings.HasPrefix(code, "53"):
		return ports.ErrOverloaded
	}

	return ports.ErrInternal
}
