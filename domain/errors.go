package domain

import (
	"errors"
	"fmt"
	"time"
)

// ErrInvalid is wrapped by every refusal of an argument. The message of the error around it names the input, says what
// is wrong with it and what to do. Bars that break a rule are a *RuleError instead, whoever they come from.
var ErrInvalid = errors.New("invalid")

// ErrOverflow is wrapped where an exact result would need more digits than a Decimal holds.
var ErrOverflow = errors.New("decimal overflow")

// InvalidError says which input was refused and why.
type InvalidError struct {
	What   string // what kind of input: "symbol", "range"
	Value  string // the input as given
	Reason string // what is wrong with it and what to do
}

// shown bounds how much of a hostile input an error message repeats.
const shown = 80

// Error returns the kind of the input, the input, of which it repeats at most 80 bytes, and the reason.
func (e *InvalidError) Error() string {
	v := e.Value
	if len(v) > shown {
		v = v[:shown] + "..."
	}
	return fmt.Sprintf("%s %q: %s", e.What, v, e.Reason)
}

// Unwrap yields ErrInvalid.
func (e *InvalidError) Unwrap() error { return ErrInvalid }

func invalid(what, value, format string, args ...any) error {
	return &InvalidError{What: what, Value: value, Reason: fmt.Sprintf(format, args...)}
}

// RuleError says that data breaks a rule: which one, in which series, at which bar.
type RuleError struct {
	Rule   Rule
	Key    SeriesKey
	At     time.Time // open time of the first offender
	Detail string
}

// Error returns the series, the open time, the detail and the name of the rule.
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s at %s: %s (%s)", e.Key, e.At.Format(time.RFC3339Nano), e.Detail, e.Rule)
}
