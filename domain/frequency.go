package domain

import (
	"strconv"
	"time"
)

// Unit is the unit of a Frequency.
type Unit uint8

// The units. In texts, m is a minute and M is a month.
const (
	UnitSecond Unit = iota + 1
	UnitMinute
	UnitHour
	UnitDay
	UnitWeek
	UnitMonth
)

var units = [...]struct {
	letter  byte
	nominal time.Duration
}{
	UnitSecond: {'s', time.Second},
	UnitMinute: {'m', time.Minute},
	UnitHour:   {'h', time.Hour},
	UnitDay:    {'d', 24 * time.Hour},
	UnitWeek:   {'w', 7 * 24 * time.Hour},
	UnitMonth:  {'M', 2629746 * time.Second}, // a 4800th of the 400 years after which the calendar repeats
}

const (
	// MaxFrequencyCount is the largest count of units in a Frequency.
	MaxFrequencyCount = 100_000

	maxFrequencyYears = 100

	countBits = 24
	countMask = 1<<countBits - 1
)

// Frequency is the length of a bar: a number of units, in canonical form. 60m is 1h, and 24h is 1d. 7d is not 1w,
// because their edges differ, and 12M stays 12M, because there is no year. A Frequency is comparable. The zero value is
// invalid.
type Frequency uint32

// Common frequencies. NewFrequency returns any other.
const (
	Second1  = Frequency(uint32(UnitSecond)<<countBits | 1)
	Second5  = Frequency(uint32(UnitSecond)<<countBits | 5)
	Second15 = Frequency(uint32(UnitSecond)<<countBits | 15)
	Second30 = Frequency(uint32(UnitSecond)<<countBits | 30)
	Minute1  = Frequency(uint32(UnitMinute)<<countBits | 1)
	Minute5  = Frequency(uint32(UnitMinute)<<countBits | 5)
	Minute15 = Frequency(uint32(UnitMinute)<<countBits | 15)
	Minute30 = Frequency(uint32(UnitMinute)<<countBits | 30)
	Hour1    = Frequency(uint32(UnitHour)<<countBits | 1)
	Hour4    = Frequency(uint32(UnitHour)<<countBits | 4)
	Day1     = Frequency(uint32(UnitDay)<<countBits | 1)
	Week1    = Frequency(uint32(UnitWeek)<<countBits | 1)
	Month1   = Frequency(uint32(UnitMonth)<<countBits | 1)
)

// NewFrequency returns n units in canonical form. It returns an error that wraps ErrInvalid unless n is from 1 to
// MaxFrequencyCount and the length is at most a hundred years.
func NewFrequency(n int, u Unit) (Frequency, error) {
	if u < UnitSecond || u > UnitMonth {
		return 0, invalid("frequency unit", strconv.Itoa(int(u)), "not a unit")
	}
	if n < 1 || n > MaxFrequencyCount {
		return 0, invalid("frequency", strconv.Itoa(n)+string(units[u].letter), "the count is 1 to %d", MaxFrequencyCount)
	}
	if n > int(maxFrequencyYears*12*units[UnitMonth].nominal/units[u].nominal) {
		return 0, invalid("frequency", strconv.Itoa(n)+string(units[u].letter), "longer than %d years", maxFrequencyYears)
	}

	for _, up := range [...]struct {
		from Unit
		per  int
	}{{UnitSecond, 60}, {UnitMinute, 60}, {UnitHour, 24}} {
		if u == up.from && n%up.per == 0 {
			n, u = n/up.per, u+1
		}
	}

	return Frequency(uint32(u)<<countBits | uint32(n)), nil
}

// ParseFrequency parses a number and a unit: 1s, 5m, 4h, 1d, 1w, 1M. It returns an error that wraps ErrInvalid for any
// other text.
func ParseFrequency(s string) (Frequency, error) {
	const hint = "not a frequency like 1s 5m 1h 1d 1w 1M (m is minute, M is month)"
	if len(s) < 2 || len(s) > 12 || s[0] < '1' || s[0] > '9' {
		return 0, invalid("frequency", s, hint)
	}

	n, err := strconv.Atoi(s[:len(s)-1])
	if err != nil {
		return 0, invalid("frequency", s, hint)
	}

	for u := UnitSecond; u <= UnitMonth; u++ {
		if units[u].letter == s[len(s)-1] {
			return NewFrequency(n, u)
		}
	}

	return 0, invalid("frequency", s, hint)
}

// Count returns the number of units, 1 or more.
func (f Frequency) Count() int { return int(f & countMask) }

// Unit returns the unit.
func (f Frequency) Unit() Unit { return Unit(f >> countBits) }

// Validate returns an error that wraps ErrInvalid unless the Frequency is one that NewFrequency returns.
func (f Frequency) Validate() error {
	if f == 0 {
		return invalid("frequency", "", "missing; give one like 1m or 1d")
	}

	canonical, err := NewFrequency(f.Count(), f.Unit())
	if err == nil && canonical != f {
		err = invalid("frequency", f.String(), "write %s", canonical)
	}

	return err
}

// Nominal returns the length of a bar. It is exact up to hours. From days up it is the usual length, because days
// differ with time zones; a month is a twelfth of a mean year. Use it to order frequencies and to estimate numbers of
// bars; a Grid has the edges.
func (f Frequency) Nominal() time.Duration {
	if u := f.Unit(); u >= UnitSecond && u <= UnitMonth {
		return time.Duration(f.Count()) * units[u].nominal
	}
	return 0
}

// String returns the canonical text, or none for an invalid Frequency.
func (f Frequency) String() string {
	if u := f.Unit(); u >= UnitSecond && u <= UnitMonth {
		return strconv.Itoa(f.Count()) + string(units[u].letter)
	}
	return "none"
}

// MarshalText returns String, or the error of Validate.
func (f Frequency) MarshalText() ([]byte, error) { return []byte(f.String()), f.Validate() }

// UnmarshalText parses the text as ParseFrequency does.
func (f *Frequency) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFrequency(string(b))
	return err
}
