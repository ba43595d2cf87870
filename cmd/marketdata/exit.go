package main

import (
	"errors"

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
    1  failed for a reason not below; diff: something differs
    2  the command line, the configuration or a file is wrong; the message says where
    3  unknown symbol or series
    4  the store is unavailable or overloaded, or took too long: a later try may succeed
    5  the store holds data that is corrupt or breaks a quality rule
    6  a limit refuses the request
    7  the store refuses the user, or its tables are not the ones expected
  130  interrupted (Ctrl-C)`

// exitCode is what a script can act on, by the kind of the error.
func exitCode(err error) int {
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
