package domain

import (
	"errors"
	"fmt"
	"time"
)

// ErrInvalid is wrapped by every error about an invalid argument. The message of the wrapping error names the input,
// the fault and the remedy. Bars that break a rule result in a *RuleError instead, and ticks in a *TickError, because
// they may come from a store as well as from the caller.
var ErrInvalid = errors.New("invalid")

// ErrOverflow is wrapped by the error for a number that has more digits than a Decimal can hold, and for a sum of trade
// counts that an int64 cannot hold.
var ErrOverflow = errors.New("overflow")

// InvalidError is the error for an invalid argument.
type InvalidError struct {
	What   string // the type of the input, like "symbol" or "range"
	Value  string // the input itself
	Reason string // the fault and the remedy
}

// maxValueBytes limits how much of the input an error message repeats, because the input may be hostile.
const maxValueBytes = 80

// Error returns "what \"value\": reason", with a long value cut to its first 80 bytes.
func (e *InvalidError) Error() string {
	v := e.Value
	if len(v) > maxValueBytes {
		v = v[:maxValueBytes] + "..."
	}

	return fmt.Sprintf("%s %q: %s", e.What, v, e.Reason)
}

// Unwrap returns ErrInvalid.
func (e *InvalidError) Unwrap() error { return ErrInvalid }

func invalid(what, value, format string, args ...any) error {
	return &InvalidError{What: what, Value: value, Reason: fmt.Sprintf(format, args...)}
}

// RuleError is the error for bars that break a rule.
type RuleError struct {
	Rule   Rule
	Key    SeriesKey
	At     time.Time // open time of the first bar that breaks the rule
	Detail string
}

// Error returns "key at time: detail (rule)".
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s at %s: %s (%s)", e.Key, e.At.Format(time.RFC3339Nano), e.Detail, e.Rule)
}
