package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	driver "modernc.org/sqlite"
	code "modernc.org/sqlite/lib"

	"github.com/gal-friday/marketdata/ports"
)

// phaseError says where a call was when it failed.
type phaseError struct {
	phase ports.Phase
	err   error
}

func (e *phaseError) Error() string { return e.err.Error() }
func (e *phaseError) Unwrap() error { return e.err }

func inPhase(p ports.Phase, err error) error { return &phaseError{phase: p, err: err} }

// unreadable is a row of the small tables that is none of ours. err is ErrInvalid and not wrapped: nobody asked wrongly.
func unreadable(err error) error { return fmt.Errorf("%w: %s", ports.ErrCorruptData, err.Error()) }

// translate makes every error that leaves the store a *ports.Error.
func translate(ctx context.Context, op, subject string, err error) error {
	if err == nil {
		return nil
	}

	e := &ports.Error{Op: op, Store: Name, Subject: subject, Err: err}
	if p, ok := errors.AsType[*phaseError](err); ok {
		e.Phase, e.Err = p.phase, p.err
	}
	var hint string
	hint, e.Kind = kindOf(e.Err)
	if errors.Is(e.Kind, ports.ErrInternal) && ctx.Err() != nil {
		// A context that is done closes statements and transactions under their user, which then fail in ways of their own.
		e.Err = ctx.Err()
		e.Kind = ports.ContextKind(e.Err)
	}

	if hint != "" {
		e.Err = fmt.Errorf("%w; %s", e.Err, hint)
	}
	if !errors.Is(e.Kind, ports.ErrTimeout) {
		e.Phase = ""
	}

	return e
}

// primary is the part of an extended result code that names its class.
const primary = 0xff

// kindOf is the kind of the failure, and before it what to do about it, where that is not plain.
func kindOf(err error) (hint string, kind error) {
	if kind := ports.ContextKind(err); kind != nil {
		return "", kind
	}

	for _, kind := range [...]error{ports.ErrCorruptData, ports.ErrSchema, ports.ErrInvalid} {
		if errors.Is(err, kind) {
			return "", kind
		}
	}
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return kindOfCode(e.Code() & primary)
	}

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "make its directory first, or give another path", ports.ErrUnavailable
	case errors.Is(err, fs.ErrPermission):
		return "the file and its directory have to be writable for this user", ports.ErrPermission
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return "give the path of a file that can be written", ports.ErrUnavailable
	}

	return "", ports.ErrInternal
}

func kindOfCode(c int) (hint string, kind error) {
	switch c {
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		return "another process has been writing the file for over 5 s; try again", ports.ErrOverloaded
	case code.SQLITE_FULL:
		return "the disk is full; make room and try again", ports.ErrOverloaded
	case code.SQLITE_NOMEM:
		return "", ports.ErrOverloaded
	case code.SQLITE_PERM, code.SQLITE_READONLY, code.SQLITE_AUTH:
		return "the file and its directory have to be writable for this user", ports.ErrPermission
	case code.SQLITE_CANTOPEN:
		return "the directory has to be writable: SQLite keeps two files beside this one", ports.ErrUnavailable
	case code.SQLITE_IOERR:
		return "", ports.ErrUnavailable
	case code.SQLITE_NOTADB:
		return "give the path of a marketdata file, or a new one", ports.ErrSchema
	case code.SQLITE_CORRUPT:
		return "the file is damaged; restore it from a copy", ports.ErrCorruptData
	}
	return "", ports.ErrInternal
}
