package file

import (
	"errors"
	"fmt"

	"github.com/gal-friday/marketdata/domain"
)

// LineError is an error in a line of a file. It unwraps to domain.ErrInvalid and to the cause.
type LineError struct {
	File string
	Line int // counted from 1
	Err  error
}

// Error returns "FILE:LINE: cause".
func (e *LineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }

// Unwrap returns domain.ErrInvalid and the cause.
func (e *LineError) Unwrap() []error { return []error{domain.ErrInvalid, e.Err} }

// Setting identifies the field of Format that resolves an ambiguity.
type Setting uint8

// The settings.
const (
	SettingColumns Setting = iota + 1
	SettingTimeUnit
	SettingTimeZone
	SettingNDJSON
)

// AmbiguousError reports input with several meanings, or with none, until the user configures the setting.
type AmbiguousError struct {
	Setting Setting
	Column  string // the column in question if Setting is SettingColumns
	Reason  string
}

// Error returns the reason.
func (e *AmbiguousError) Error() string { return e.Reason }

var (
	errQuote    = errors.New(`a quote that does not enclose a whole cell; write "like this", and "" for a quote within`)
	errZeroByte = errors.New("a zero byte in the line; is this a text file in UTF-8?")
	errNotText  = errors.New("the line is not text in UTF-8; is this a text file?")
	errGzip     = errors.New("the file is compressed with gzip; decompress it, or pipe it from zcat to standard input")
	errEmpty    = errors.New("the file is empty; the first line must name the columns")
)
