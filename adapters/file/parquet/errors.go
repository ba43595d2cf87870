package parquet

import (
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// RowError is an error in one row of a file. It unwraps to domain.ErrInvalid and to the cause.
type RowError struct {
	File string // may be empty
	Row  int64  // counted from 1
	Err  error
}

// Error returns "FILE: row N: cause".
func (e *RowError) Error() string {
	if e.File == "" {
		return fmt.Sprintf("row %d: %v", e.Row, e.Err)
	}
	return fmt.Sprintf("%s: row %d: %v", e.File, e.Row, e.Err)
}

// Unwrap returns domain.ErrInvalid and the cause.
func (e *RowError) Unwrap() []error { return []error{domain.ErrInvalid, e.Err} }

// errNull reports a null in a column that must not contain nulls.
var errNull = errors.New("null")

// recoverPanic calls f and converts a panic into an error, because the Parquet library panics on some damaged files.
func recoverPanic(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the file is damaged: %v", cause)
		}
	}()

	return f()
}
