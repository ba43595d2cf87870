package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gal-friday/marketdata/ports"
)

const (
	exitOK          = 0
	exitFailed      = 1
	exitInvalid     = 2
	exitNotFound    = 3
	exitUnavailable = 4
	exitCorrupt     = 5
	exitTooLarge    = 6
	exitForbidden   = 7
	exitInterrupted = 130
)

const exitCodes = `    0  success
    1  failure for another reason, or for several; diff, import: rows differ
    2  invalid command line, configuration or file; the message says where
    3  unknown symbol, or no data
    4  a store is unavailable, overloaded or too slow, or its answer was cut
       or its data changed meanwhile: a retry may succeed
    5  stored data is corrupt or breaks a quality rule
    6  a limit refuses the request
    7  a store denies access, or its schema is missing or of another version
  130  interrupted (Ctrl-C)`

// exitCode returns the exit code for the kind of the error, so that a script can act on it.
func exitCode(err error) int {
	if batch := (*batchError)(nil); errors.As(err, &batch) {
		return batch.exitCode()
	}

	if conflict := (*ports.ConflictError)(nil); errors.As(err, &conflict) {
		return exitFailed // another try meets the same rows
	}

	if inUse := (*ports.SymbolInUseError)(nil); errors.As(err, &inUse) {
		return exitFailed // another try meets the same data
	}

	for _, of := range []struct {
		kind error
		code int
	}{
		{ports.ErrCanceled, exitInterrupted},
		{ports.ErrNotFound, exitNotFound},
		{ports.ErrTooLarge, exitTooLarge},
		{ports.ErrUnavailable, exitUnavailable},
		{ports.ErrOverloaded, exitUnavailable},
		{ports.ErrTimeout, exitUnavailable},
		{ports.ErrConflict, exitUnavailable},
		{ports.ErrCorruptData, exitCorrupt},
		{ports.ErrIncomplete, exitUnavailable}, // the server or the connection ended within an answer
		{ports.ErrAuth, exitForbidden},
		{ports.ErrPermission, exitForbidden},
		{ports.ErrSchema, exitForbidden},
		{ports.ErrInvalid, exitInvalid},
		{ports.ErrNotClosed, exitInvalid},
	} {
		if errors.Is(err, of.kind) {
			return of.code
		}
	}

	return exitFailed
}

// userError marks an error as caused by the user's input: it has the kind ErrInvalid and the message of the cause.
type userError struct{ error }

// userErrorf returns a userError with the formatted message.
func userErrorf(format string, args ...any) error { return userError{fmt.Errorf(format, args...)} }

// Unwrap returns ErrInvalid and the cause.
func (e userError) Unwrap() []error { return []error{ports.ErrInvalid, e.error} }

// batchError is the error of a batch of requests of which some failed.
type batchError struct {
	errs  []error // one or more
	total int     // requests of the batch
}

// Error returns the number of failed requests and, on a line each, their errors.
func (e *batchError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d of %d failed", len(e.errs), e.total)
	for _, err := range e.errs {
		s.WriteString("\n  " + err.Error())
	}

	return s.String()
}

// Unwrap returns the errors of the failed requests.
func (e *batchError) Unwrap() []error { return e.errs }

// exitCode returns the exit code that all errors have in common, or exitFailed where they differ.
func (e *batchError) exitCode() int {
	code := exitCode(e.errs[0])
	for _, err := range e.errs[1:] {
		if exitCode(err) != code {
			return exitFailed
		}
	}

	return code
}
