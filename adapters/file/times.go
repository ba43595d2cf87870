package file

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// TimeUnit is what a time written as a number counts, since 1970-01-01 UTC. The zero value is TimeUnitAuto.
type TimeUnit uint8

// The time units.
const (
	TimeUnitAuto TimeUnit = iota // by the number's magnitude, where only one unit puts it between 1980 and 2100
	Seconds
	Milliseconds
	Microseconds
	Nanoseconds
)

var timeUnits = [...]struct {
	text     string
	duration time.Duration
}{{"auto", 0}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond}}

// ParseTimeUnit reads auto, s, ms, us or ns.
func ParseTimeUnit(s string) (TimeUnit, error) {
	for u, unit := range timeUnits {
		if unit.text == s {
			return TimeUnit(u), nil
		}
	}
	return 0, &domain.InvalidError{What: "time unit", Value: s, Reason: "one of auto, s, ms, us, ns"}
}

// Validate refuses a unit made by conversion that is none of the constants.
func (u TimeUnit) Validate() error {
	if int(u) >= len(timeUnits) {
		return &domain.InvalidError{What: "time unit", Value: u.String(), Reason: "one of auto, s, ms, us, ns"}
	}
	return nil
}

// String is the unit's text.
func (u TimeUnit) String() string {
	if int(u) < len(timeUnits) {
		return timeUnits[u].text
	}
	return "unit " + strconv.Itoa(int(u))
}

func (u TimeUnit) duration() time.Duration { return timeUnits[u].duration }

const (
	earliestGuess = 315532800  // 1980-01-01: later than any 12 digits that spell a date and a time of day are as milliseconds
	latestGuess   = 4102444800 // 2100-01-01
)

// timeParser reads the times of one file. A number's unit is settled by the first.
type timeParser struct {
	unit    TimeUnit
	assumed bool           // the unit was found by magnitude, so every number has to agree
	zone    *time.Location // of times that name none; nil: they are refused
	grid    domain.Grid    // of bars; zero for what has none
}

func newTimeParser(f Format, grid domain.Grid) (*timeParser, error) {
	p := &timeParser{unit: f.TimeUnit, assumed: f.TimeUnit == TimeUnitAuto, grid: grid}
	if f.TimeZone == "" {
		return p, nil
	}

	zone, err := loadZone(f.TimeZone)
	if err != nil {
		return nil, err
	}

	p.zone = zone
	return p, nil
}

func loadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" { // what Local means depends on the machine
		return nil, &domain.InvalidError{What: "time zone", Value: name, Reason: "unknown; give an IANA name like UTC or America/New_York"}
	}

	return zone, nil
}

// parse reads an instant, or says why the cell is none, or could be several.
func (p *timeParser) parse(cell []byte) (time.Time, error) {
	var t time.Time
	if err := t.UnmarshalText(cell); err == nil {
		return t.UTC(), nil
	}

	s := string(cell)
	switch {
	case s == "":
		return time.Time{}, errors.New("the time is empty")
	case strings.Trim(s, "0123456789.-") == "" && !strings.Contains(s[1:], "-"):
		return p.parseNumber(s)
	}

	return p.parseText(s)
}

// parseNumber reads a count of units since 1970.
func (p *timeParser) parseNumber(s string) (time.Time, error) {
	text := s
	if whole, fraction, found := strings.Cut(s, "."); found && strings.Trim(fraction, "0") == "" { // 1522800000.0
		text = whole
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q is not a whole number of seconds, milliseconds, microseconds or nanoseconds", s)
	}

	if p.assumed {
		unit := guessUnit(n)
		if unit == TimeUnitAuto {
			return time.Time{}, &UnclearError{Setting: SettingTimeUnit,
				Reason: fmt.Sprintf("time %q is not certain to count seconds, milliseconds, microseconds or nanoseconds since 1970", s)}
		}
		if p.unit != TimeUnitAuto && unit != p.unit {
			return time.Time{}, fmt.Errorf("time %q looks like %s, the times before it like %s", s, unit, p.unit)
		}

		p.unit = unit
	}

	per := int64(time.Second / p.unit.duration())
	t := time.Unix(n/per, n%per*int64(p.unit.duration())).UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf("time %q, as %s since 1970, is not in the years 1 to 9999", s, p.unit)
	}

	return t, nil
}

// guessUnit is the one unit that puts n between 1980 and 2100. A number whose digits read as a date and an hour is not guessed.
func guessUnit(n int64) TimeUnit {
	if day, err := time.Parse("2006010215", strconv.FormatInt(n, 10)); err == nil && day.Unix() >= earliestGuess {
		return TimeUnitAuto
	}

	for u, scale := Seconds, int64(1); u <= Nanoseconds; u, scale = u+1, scale*1000 {
		if n >= earliestGuess*scale && n/scale < latestGuess {
			return u
		}
	}

	return TimeUnitAuto
}

// parseText reads a date and a time of day, with a zone or in the zone configured, and a date alone where bars are days or longer.
func (p *timeParser) parseText(s string) (time.Time, error) {
	text := strings.Replace(s, " ", "T", 1)
	if base, found := strings.CutSuffix(text, " UTC"); found {
		text = base + "Z"
	}
	for _, form := range [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), nil
		}
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		zone := p.zone
		if zone == nil && p.grid != (domain.Grid{}) && p.grid.Frequency().Unit() >= domain.Day { // such a grid counts days in its own zone
			if zone, err = time.LoadLocation(p.grid.Zone()); err != nil {
				return time.Time{}, err
			}
		}

		return inZone(t, s, zone)
	}

	for _, form := range [...]string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(form, text); err == nil {
			return inZone(t, s, p.zone)
		}
	}

	return time.Time{}, fmt.Errorf("time %.40q is not like 2018-04-04T00:00:00Z, nor a number of seconds since 1970", s)
}

// inZone is the instant at which a clock in the zone shows what t shows in UTC, where there is exactly one.
func inZone(t time.Time, s string, zone *time.Location) (time.Time, error) {
	if zone == nil {
		return time.Time{}, &UnclearError{Setting: SettingTimeZone, Reason: fmt.Sprintf("time %q names no time zone", s)}
	}

	var found []time.Time
	for _, around := range [...]time.Duration{-24 * time.Hour, 24 * time.Hour} { // the offsets before and after any change of clocks
		_, offset := t.Add(around).In(zone).Zone()
		at := t.Add(-time.Duration(offset) * time.Second)
		_, actual := at.In(zone).Zone()
		if actual == offset && (len(found) == 0 || !found[0].Equal(at)) {
			found = append(found, at)
		}
	}

	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return time.Time{}, fmt.Errorf("time %q does not exist in %s: clocks went forward over it; write it with its offset", s, zone)
	default:
		return time.Time{}, fmt.Errorf("time %q came twice in %s, when clocks went back; write it with its offset, like %s",
			s, zone, found[0].In(zone).Format(time.RFC3339))
	}
}
