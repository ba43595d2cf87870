package file

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// TimeUnit is the unit of numeric times, which count from 1970-01-01 UTC. The zero value is TimeUnitAuto.
type TimeUnit uint8

// The time units.
const (
	TimeUnitAuto TimeUnit = iota // the only unit by which the number is between 1980 and 2100, see guessUnit
	Seconds
	Milliseconds
	Microseconds
	Nanoseconds
)

var timeUnits = [...]struct {
	text     string
	duration time.Duration
}{{"auto", 0}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}, {"ns", time.Nanosecond}}

// ParseTimeUnit parses auto, s, ms, us or ns.
func ParseTimeUnit(s string) (TimeUnit, error) {
	for u, unit := range timeUnits {
		if unit.text == s {
			return TimeUnit(u), nil
		}
	}

	return 0, &domain.InvalidError{What: "time unit", Value: s, Reason: "give one of auto, s, ms, us, ns"}
}

// Validate returns an error if the unit is not one of the constants.
func (u TimeUnit) Validate() error {
	if int(u) >= len(timeUnits) {
		return &domain.InvalidError{What: "time unit", Value: u.String(), Reason: "give one of auto, s, ms, us, ns"}
	}
	return nil
}

// String returns the text that ParseTimeUnit parses.
func (u TimeUnit) String() string {
	if int(u) < len(timeUnits) {
		return timeUnits[u].text
	}
	return "unit " + strconv.Itoa(int(u))
}

func (u TimeUnit) duration() time.Duration { return timeUnits[u].duration }

const unitList = "seconds, milliseconds, microseconds or nanoseconds"

const (
	// 1980-01-01 in seconds. It is later than any 12 digits of a date and a time of day, read as milliseconds.
	earliestGuess = 315532800
	latestGuess   = 4102444800 // 2100-01-01 in seconds
)

// timeParser parses the times of one file. The first numeric time determines the unit of all.
type timeParser struct {
	unit    TimeUnit       // TimeUnitAuto before the first numeric time
	guesses bool           // the unit is guessed, so that all numeric times must have the same one
	zone    *time.Location // of times without a zone; nil: they are rejected
	grid    domain.Grid    // of bars; zero for ticks
	now     time.Time      // the latest valid time; zero sets no limit
}

func newTimeParser(f Format, grid domain.Grid) (*timeParser, error) {
	p := &timeParser{unit: f.TimeUnit, guesses: f.TimeUnit == TimeUnitAuto, grid: grid, now: f.Now}
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
	if err != nil || name == "Local" { // Local depends on the machine
		return nil, &domain.InvalidError{
			What: "time zone", Value: name, Reason: "unknown; give an IANA name like UTC or America/New_York",
		}
	}

	return zone, nil
}

// parse returns the time of a cell. Its error says why the cell is not a time, why it is ambiguous, or that it is later
// than now.
func (p *timeParser) parse(cell []byte) (time.Time, error) {
	t, err := p.parseAny(cell)
	if err == nil && !p.now.IsZero() && t.After(p.now) {
		return t, fmt.Errorf("time %q is in the future, because it is %s now; check its time zone and unit",
			cell, p.now.UTC().Format(time.RFC3339))
	}

	return t, err
}

// parseAny returns the time of a cell, be it in the future.
func (p *timeParser) parseAny(cell []byte) (time.Time, error) {
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

// parseNumber parses a number of units since 1970.
func (p *timeParser) parseNumber(s string) (time.Time, error) {
	text := s
	if whole, fraction, found := strings.Cut(s, "."); found && strings.Trim(fraction, "0") == "" { // 1522800000.0
		text = whole
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q is not a whole number of %s", s, unitList)
	}

	if p.guesses {
		unit := guessUnit(n)
		if unit == TimeUnitAuto {
			return time.Time{}, &AmbiguousError{
				Setting: SettingTimeUnit,
				Reason:  fmt.Sprintf("the unit of time %q is unclear: %s since 1970", s, unitList),
			}
		}
		if p.unit != TimeUnitAuto && unit != p.unit {
			return time.Time{}, fmt.Errorf("time %q looks like %s, but the times before it like %s", s, unit, p.unit)
		}

		p.unit = unit
	}

	perSecond := int64(time.Second / p.unit.duration())
	t := time.Unix(n/perSecond, n%perSecond*int64(p.unit.duration())).UTC()
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}, fmt.Errorf("time %q, in %s since 1970, is not in the years 1 to 9999", s, p.unit)
	}

	return t, nil
}

// guessUnit returns the only unit by which n is between 1980 and 2100. It returns TimeUnitAuto if there is none, or if
// the digits of n could also be a date and an hour.
func guessUnit(n int64) TimeUnit {
	if hour, err := time.Parse("2006010215", strconv.FormatInt(n, 10)); err == nil && hour.Unix() >= earliestGuess {
		return TimeUnitAuto
	}

	for u, scale := Seconds, int64(1); u <= Nanoseconds; u, scale = u+1, scale*1000 {
		if n >= earliestGuess*scale && n/scale < latestGuess {
			return u
		}
	}

	return TimeUnitAuto
}

// parseText parses a date with a time of day, in its own zone or in the configured one, or a date alone.
func (p *timeParser) parseText(s string) (time.Time, error) {
	text := strings.Replace(s, " ", "T", 1)
	if base, found := strings.CutSuffix(text, " UTC"); found {
		text = base + "Z"
	}
	for _, format := range [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(format, text); err == nil {
			return t.UTC(), nil
		}
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		zone, err := p.dateZone(s)
		if err != nil {
			return time.Time{}, err
		}

		return domain.StartOfDate(t, zone)
	}

	for _, format := range [...]string{"2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(format, text); err == nil {
			if p.zone == nil {
				return time.Time{}, noZoneError(s)
			}

			return domain.LocalTime(t, p.zone.String())
		}
	}

	return time.Time{}, fmt.Errorf("time %.40q is neither like 2018-04-04T00:00:00Z nor a number of seconds since 1970",
		s)
}

// dateZone returns the zone of the date: the configured one or, for bars of a day or longer, that of their grid.
func (p *timeParser) dateZone(date string) (string, error) {
	switch {
	case p.zone != nil:
		return p.zone.String(), nil
	case p.grid != (domain.Grid{}) && p.grid.Frequency().Unit() >= domain.UnitDay:
		return p.grid.Zone(), nil
	default:
		return "", noZoneError(date)
	}
}

func noZoneError(s string) error {
	return &AmbiguousError{Setting: SettingTimeZone, Reason: fmt.Sprintf("time %q has no time zone", s)}
}
