package domain

import "time"

// Seconds is a duration that JSON has as a number of seconds, exact to the nanosecond.
type Seconds time.Duration

const secondsScale = 9 // digits of a second that a duration has

// MarshalJSON returns the number of seconds, without an exponent.
func (s Seconds) MarshalJSON() ([]byte, error) {
	return fromInt64(int64(s), secondsScale).AppendText(nil)
}

// UnmarshalJSON parses a number of seconds. It returns an error that wraps ErrInvalid if a duration cannot be exactly
// that long.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	number, err := ParseDecimalBytes(text)
	if err != nil {
		return err
	}

	hi, lo, exact := number.Coefficient(secondsScale)
	if !exact || hi != int64(lo)>>63 {
		return invalid("duration", string(text), "want seconds with at most 9 digits after the point, in 292 years")
	}
	*s = Seconds(lo)

	return nil
}
