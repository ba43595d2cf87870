package domain

import (
	"strings"
	"sync"
	"time"
)

// Grid places a frequency on the time line: bars begin and end at its edges. Edges are multiples of the frequency after
// 1970-01-01 (s, m, h, d), Monday 1970-01-05 (w) or January 1970 (M). From a day up they follow the calendar of a time
// zone, UTC by default, so that a day in New York has 23, 24 or 25 hours. A Grid is comparable and safe to share. The
// zero value is invalid.
type Grid struct {
	frequency Frequency
	zone      string // IANA name; "" means UTC
}

// NewGrid returns the grid of the frequency in the IANA time zone; "" and "UTC" mean UTC. It returns the error of
// Grid.Validate.
func NewGrid(f Frequency, zone string) (Grid, error) {
	if zone == "UTC" {
		zone = ""
	}
	g := Grid{frequency: f, zone: zone}

	return g, g.Validate()
}

// ParseGrid parses a frequency with an optional zone: 5m, 1d, 1d@America/New_York. It returns an error that wraps
// ErrInvalid for any other text.
func ParseGrid(s string) (Grid, error) {
	text, zone, found := strings.Cut(s, "@")
	f, err := ParseFrequency(text)
	if err != nil {
		return Grid{}, err
	}
	if found && zone == "" {
		return Grid{}, invalid("frequency", s, "name a time zone after @, like 1d@America/New_York")
	}

	return NewGrid(f, zone)
}

// UTC returns the grid of the frequency in UTC.
func (f Frequency) UTC() Grid { return Grid{frequency: f} }

// Validate returns an error that wraps ErrInvalid if the frequency is invalid, or if there is a zone but it is unknown
// or the frequency is shorter than a day.
func (g Grid) Validate() error {
	if err := g.frequency.Validate(); err != nil {
		return err
	}
	if g.zone == "" {
		return nil
	}
	if g.frequency.Unit() < UnitDay {
		return invalid("frequency", g.String(), "a time zone needs a frequency of a day or longer")
	}
	if _, err := location(g.zone); err != nil {
		return invalid("frequency", g.String(), "unknown time zone; give an IANA name like America/New_York")
	}

	return nil
}

// Frequency returns the length of the bars.
func (g Grid) Frequency() Frequency { return g.frequency }

// Zone returns the IANA name of the time zone, or "" for UTC.
func (g Grid) Zone() string { return g.zone }

// String returns the text that ParseGrid parses.
func (g Grid) String() string {
	if g.zone == "" {
		return g.frequency.String()
	}
	return g.frequency.String() + "@" + g.zone
}

// MarshalText returns String, or the error of Validate.
func (g Grid) MarshalText() ([]byte, error) { return []byte(g.String()), g.Validate() }

// UnmarshalText parses the text as ParseGrid does.
func (g *Grid) UnmarshalText(b []byte) (err error) {
	*g, err = ParseGrid(string(b))
	return err
}

// Floor returns the last edge at or before t, in UTC. Like all methods that take an instant, it panics if the zone is
// unknown.
func (g Grid) Floor(t time.Time) time.Time {
	if step, origin, ok := g.uniformStep(); ok {
		return MicrosFloor(t).floor(step, origin).Time()
	}
	return g.edge(g.index(t))
}

// Next returns the first edge after t, in UTC. The next edge after the open time of a bar is the end of the bar.
func (g Grid) Next(t time.Time) time.Time {
	if step, origin, ok := g.uniformStep(); ok {
		return (MicrosFloor(t).floor(step, origin) + Micros(step)).Time()
	}
	for i := g.index(t) + 1; ; i++ { // a date that the zone skipped has no edge of its own
		if e := g.edge(i); e.After(t) {
			return e
		}
	}
}

// Ceil returns the first edge at or after t, in UTC.
func (g Grid) Ceil(t time.Time) time.Time {
	if f := g.Floor(t); f.Equal(t) {
		return f
	}
	return g.Next(t)
}

// Aligned reports whether t is an edge.
func (g Grid) Aligned(t time.Time) bool { return g.Floor(t).Equal(t) }

// Align returns r with both bounds moved up to an edge. The result contains the same open times. Two ranges touch after
// Align if no bar can open between them.
func (g Grid) Align(r Range) Range { return Range{Start: g.Ceil(r.Start), End: g.Ceil(r.End)} }

// Slots returns the number of edges in r. It is an upper bound, because it counts a date that a zone skipped.
func (g Grid) Slots(r Range) int64 {
	if r.Empty() {
		return 0
	}

	count := g.index(r.End) - g.index(r.Start)
	if g.Aligned(r.Start) {
		count++
	}
	if g.Aligned(r.End) {
		count--
	}

	return count
}

const (
	secondsPerDay = 24 * 60 * 60
	firstMonday   = 4 // 1970-01-05, in days since 1970-01-01
)

// uniformStep returns the distance between two edges and one of the edges. ok is false for a calendar grid, because its
// distances differ.
func (g Grid) uniformStep() (stepMicros int64, origin Micros, ok bool) {
	switch g.frequency.Unit() {
	case UnitSecond, UnitMinute, UnitHour:
	case UnitWeek:
		origin = firstMonday * secondsPerDay * Micros(time.Second/time.Microsecond)
		fallthrough
	case UnitDay:
		if g.zone != "" {
			return 0, 0, false
		}
	default:
		return 0, 0, false
	}

	return g.frequency.Nominal().Microseconds(), origin, true
}

// index returns the number of the last edge at or before t; see edge.
func (g Grid) index(t time.Time) int64 {
	if step, origin, ok := g.uniformStep(); ok {
		return floorDiv(int64(MicrosFloor(t)-origin), step)
	}

	local := t.In(g.location())
	n := int64(g.frequency.Count())
	var i int64
	switch g.frequency.Unit() {
	case UnitWeek:
		i = floorDiv(dayNumber(local)-firstMonday, 7*n)
	case UnitMonth:
		i = floorDiv(int64(local.Year()-1970)*12+int64(local.Month()-1), n)
	default:
		i = floorDiv(dayNumber(local), n)
	}

	// If the zone set its clock back across midnight, the local date can be one that had already ended.
	for !g.edge(i + 1).After(t) {
		i++
	}

	return i
}

// edge returns the i-th edge of a calendar grid. Edge 0 is the first one of 1970.
func (g Grid) edge(i int64) time.Time {
	n := int64(g.frequency.Count())
	loc := g.location()
	switch g.frequency.Unit() {
	case UnitWeek:
		return startOfDay(firstMonday+i*7*n, loc)
	case UnitMonth:
		return startOfDay(dayNumber(time.Date(1970, time.Month(1+i*n), 1, 0, 0, 0, 0, time.UTC)), loc)
	default:
		return startOfDay(i*n, loc)
	}
}

// location returns the time zone. It panics if the zone is unknown.
func (g Grid) location() *time.Location {
	loc, err := location(g.zone)
	if err != nil {
		panic("domain: use of an invalid grid: " + g.String())
	}

	return loc
}

// dayNumber returns the date of t in its own zone, in days since 1970-01-01.
func dayNumber(t time.Time) int64 {
	y, m, d := t.Date()
	return floorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), secondsPerDay)
}

// startOfDay returns the first instant at which a clock in loc shows the given date or a later one, where day is in
// days since 1970-01-01. This is midnight, the first one if there are two, or the end of the gap if midnight was
// skipped.
func startOfDay(day int64, loc *time.Location) time.Time {
	midnight := day * secondsPerDay // on the local clock, as seconds since 1970
	at := midnight - 2*secondsPerDay
	if loc == time.UTC {
		return time.Unix(midnight, 0).UTC()
	}

	for {
		t := time.Unix(at, 0).In(loc)
		_, offset := t.Zone()
		_, bound := t.ZoneBounds()
		end := bound.Unix()
		if end <= at { // package time ends a leap year's last zone a day early; its rules start again each year in UTC
			end = time.Date(t.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
		}
		reached := max(at, midnight-int64(offset))
		if bound.IsZero() || reached < end {
			return time.Unix(reached, 0).UTC()
		}

		at = end
	}
}

// locations caches loaded zones, because loading one reads the zone database. It contains only zones that exist.
var locations sync.Map // of string to *time.Location

// location returns the time zone with the IANA name.
func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	if loc, ok := locations.Load(zone); ok {
		return loc.(*time.Location), nil
	}
	if zone == "Local" {
		return nil, ErrInvalid // its meaning depends on the machine
	}

	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, err
	}

	locations.Store(zone, loc)

	return loc, nil
}

// floorDiv returns a / b rounded down; b must be positive.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}

	return q
}
