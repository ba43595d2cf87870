package domain

import "time"

// Micros is an instant of the business clock, in microseconds since 1970-01-01 UTC: the resolution of all stored data.
// It is used instead of time.Time where many instants are compared or kept. A difference of two Micros is a number of
// microseconds. Columns hold the same instants as plain int64, because codecs treat all columns alike.
type Micros int64

// MicrosFloor returns t rounded down to a whole microsecond.
func MicrosFloor(t time.Time) Micros { return Micros(t.UnixMicro()) }

// MicrosCeil returns t rounded up to a whole microsecond.
func MicrosCeil(t time.Time) Micros {
	m := MicrosFloor(t)
	if !m.Time().Equal(t) {
		m++
	}

	return m
}

// Time returns the instant in UTC.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// floor returns the last edge at or before m, of edges that lie stepMicros apart and one of which is origin.
func (m Micros) floor(stepMicros int64, origin Micros) Micros {
	return Micros(floorDiv(int64(m-origin), stepMicros)*stepMicros) + origin
}
