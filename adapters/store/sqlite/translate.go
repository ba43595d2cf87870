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

// phaseError adds the phase in which a call failed.
type phaseError struct {
	phase ports.Phase
	err   error
}

// Error returns the text of the cause, because ports.Error adds the phase.
func (e *phaseError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *phaseError) Unwrap() error { return e.err }

func withPhase(p ports.Phase, err error) error { return &phaseError{phase: p, err: err} }

// corruptError marks err, about stored data, as ports.ErrCorruptData.
func corruptError(err error) error { return fmt.Errorf("%w: %w", ports.ErrCorruptData, err) }

// invalidRow returns the error for a row that this package cannot have written. It does not wrap err, because err is
// ErrInvalid, which would blame the request.
func invalidRow(err error) error { return fmt.Errorf("%w: %s", ports.ErrCorruptData, err.Error()) }

// translate converts every error that leaves the store into a *ports.Error.
func translate(ctx context.Context, op, subject string, err error) error {
	if err == nil {
		return nil
	}

	e := &ports.Error{Op: op, Store: Name, Subject: subject, Err: err}
	if p, ok := errors.AsType[*phaseError](err); ok {
		e.Phase, e.Err = p.phase, p.err
	}
	var hint string
	hint, e.Kind = errorKind(e.Err)
	if errors.Is(e.Kind, ports.ErrInternal) && ctx.Err() != nil {
		// The context closed the statement or the transaction during its use, which then failed with another error.
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

// primaryCodeMask selects the primary result code of an extended one.
const primaryCodeMask = 0xff

const hintWritable = "the file and its directory must be writable for this user"

// errorKind returns the kind of the error, and a hint for the user if there is a remedy.
func errorKind(err error) (hint string, kind error) {
	if kind := ports.ContextKind(err); kind != nil {
		return "", kind
	}

	for _, kind := range [...]error{ports.ErrCorruptData, ports.ErrSchema, ports.ErrInvalid, ports.ErrConflict,
		ports.ErrUnavailable} {
		if errors.Is(err, kind) {
			return "", kind
		}
	}
	if e, ok := errors.AsType[*driver.Error](err); ok {
		return codeKind(e.Code())
	}

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "create its directory first, or give another path", ports.ErrUnavailable
	case errors.Is(err, fs.ErrPermission):
		return hintWritable, ports.ErrPermission
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return "give the path of a file that can be written", ports.ErrUnavailable
	}

	return "", ports.ErrInternal
}

// codeKind is errorKind for an extended result code of SQLite.
func codeKind(extended int) (hint string, kind error) {
	switch extended {
	case code.SQLITE_IOERR_WRITE, code.SQLITE_IOERR_FSYNC, code.SQLITE_IOERR_TRUNCATE, code.SQLITE_IOERR_SHMSIZE:
		return "a write to the file failed; check the disk, its quota and the limit on the size of files",
			ports.ErrUnavailable
	}

	switch extended & primaryCodeMask {
	case code.SQLITE_BUSY, code.SQLITE_LOCKED:
		return "another process has been writing the file for over 5 s; try again", ports.ErrOverloaded
	case code.SQLITE_FULL:
		return "the disk is full; free space and try again", ports.ErrOverloaded
	case code.SQLITE_NOMEM:
		return "", ports.ErrOverloaded
	case code.SQLITE_PERM, code.SQLITE_READONLY, code.SQLITE_AUTH:
		return hintWritable, ports.ErrPermission
	case code.SQLITE_CANTOPEN:
		return "the directory must be writable, because SQLite stores two files beside this one", ports.ErrUnavailable
	case code.SQLITE_IOERR:
		return "", ports.ErrUnavailable
	case code.SQLITE_NOTADB:
		return "give the path of a marketdata file, or a new one", ports.ErrSchema
	case code.SQLITE_CORRUPT:
		return "the file is damaged; restore it from a backup", ports.ErrCorruptData
	}

	return "", ports.ErrInternal
}
