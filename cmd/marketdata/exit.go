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

const exitCodes = `    0  done
    1  failed for a reason not below, or several did for different ones; diff: something differs
    2  the command line, the configuration or a file is wrong; the message says where
    3  unknown symbol or series
    4  the store is unavailable or overloaded, or took too long: a later try may succeed
    5  the store holds data that is corrupt or breaks a quality rule
    6  a limit refuses the request
    7  the store refuses the user, or its tables are not the ones expected
  130  interrupted (Ctrl-C)`

// exitCode is what a script can act on, by the kind of the error.
func exitCode(err error) int {
	if several := (*severalError)(nil); errors.As(err, &several) {
		return several.exitCode()
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
		{ports.ErrCorruptData, exitCorrupt},
		{ports.ErrIncomplete, exitCorrupt},
		{ports.ErrAuth, exitForbidden},
		{ports.ErrPermission, exitForbidden},
		{ports.ErrSchema, exitForbidden},
		{ports.ErrInvalid, exitInvalid},
	} {
		if errors.Is(err, of.kind) {
			return of.code
		}
	}

	return exitFailed
}

// userError is a mistake in what the user gave: the exit code of ErrInvalid, and nothing added to the message.
type userError struct{ error }

// Unwrap yields the kind and the cause.
func (e userError) Unwrap() []error { return []error{ports.ErrInvalid, e.error} }

// severalError is the error of several of which some failed, or all.
type severalError struct {
	errs []error // one or more
	of   int
}

func (e *severalError) Error() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d of %d failed", len(e.errs), e.of)
	for _, err := range e.errs {
		s.WriteString("\n  " + err.Error())
	}

	return s.String()
}

// Unwrap yields what failed.
func (e *severalError) Unwrap() []error { return e.errs }

// exitCode is that of all that failed, where it is the same, and else says no more than that some did.
func (e *severalError) exitCode() int {
	code := exitCode(e.errs[0])
	for _, err := range e.errs[1:] {
		if exitCode(err) != code {
			return exitFailed
		}
	}

	return code
}
