package domain

import (
	"strings"
	"sync"
	"time"
)

// Grid lays a frequency on the time line: it alone says where bars begin. From a day up the edges are those of the
// calendar in a time zone (UTC without one), so a New York day has 23, 24 or 25 hours. Edges are counted from
// 1970-01-01 (s, m, h, d), from Monday 1970-01-05 (w) and from January 1970 (M), in the zone. A Grid is comparable; the
// zero value is no grid and is refused.
type Grid struct {
	frequency Frequency
	zone      string // IANA name; "" is UTC
}

// NewGrid returns the frequency's grid in UTC, or from a day up in the IANA time zone named. "" and "UTC" name UTC.
func NewGrid(f Frequency, zone string) (Grid, error) {
	if zone == "UTC" {
		zone = ""
	}
	g := Grid{frequency: f, zone: zone}
	return g, g.Validate()
}

// ParseGrid reads a frequency and perhaps a zone: 5m, 1d, 1d@America/New_York.
func ParseGrid(s string) (Grid, error) {
	text, zone, found := strings.Cut(s, "@")
	f, err := ParseFrequency(text)
	if err != nil {
		return Grid{}, err
	}
	if found && zone == "" {
		return Grid{}, invalid("grid", s, "name a time zone after @, like 1d@America/New_York")
	}

	return NewGrid(f, zone)
}

// UTC is the frequency's grid in UTC.
func (f Frequency) UTC() Grid { return Grid{frequency: f} }

// Validate refuses a Grid without a frequency, with a zone below a day, or with an unknown zone.
func (g Grid) Validate() error {
	if err := g.frequency.Validate(); err != nil {
		return err
	}
	if g.zone == "" {
		return nil
	}
	if g.frequency.Unit() < Day {
		return invalid("grid", g.String(), "a time zone needs a frequency of a day or longer")
	}
	if _, err := location(g.zone); err != nil {
		return invalid("grid", g.String(), "unknown time zone; give an IANA name like America/New_York")
	}

	return nil
}

// Frequency is the length of the grid's bars.
func (g Grid) Frequency() Frequency { return g.frequency }

// Zone is the IANA name of the grid's time zone, "" for UTC.
func (g Grid) Zone() string { return g.zone }

// String is the grid's text, as ParseGrid reads it.
func (g Grid) String() string {
	if g.zone == "" {
		return g.frequency.String()
	}
	return g.frequency.String() + "@" + g.zone
}

// MarshalText is String; a Grid that Validate refuses is an error.
func (g Grid) MarshalText() ([]byte, error) { return []byte(g.String()), g.Validate() }

// UnmarshalText is ParseGrid.
func (g *Grid) UnmarshalText(b []byte) (err error) {
	*g, err = ParseGrid(string(b))
	return err
}

// Floor is the last edge at or before t, in UTC.
func (g Grid) Floor(t time.Time) time.Time {
	if step, origin, ok := g.fixed(); ok {
		return MicrosFloor(t).floor(step, origin).Time()
	}
	return g.edge(g.index(t))
}

// Next is the first edge after t, in UTC. For a bar's open time it is the bar's end.
func (g Grid) Next(t time.Time) time.Time {
	if step, origin, ok := g.fixed(); ok {
		return (MicrosFloor(t).floor(step, origin) + Micros(step)).Time()
	}
	for i := g.index(t) + 1; ; i++ { // a date that a zone skipped has no edge of its own
		if e := g.edge(i); e.After(t) {
			return e
		}
	}
}

// Ceil is the first edge at or after t, in UTC.
func (g Grid) Ceil(t time.Time) time.Time {
	if f := g.Floor(t); f.Equal(t) {
		return f
	}
	return g.Next(t)
}

// Aligned reports whether t is an edge.
func (g Grid) Aligned(t time.Time) bool { return g.Floor(t).Equal(t) }

// Align moves both ends of r up to an edge: the range of the same open times, so that ranges between which no bar can
// open touch.
func (g Grid) Align(r Range) Range { return Range{Start: g.Ceil(r.Start), End: g.Ceil(r.End)} }

// Slots is how many edges lie in r; a date that a zone skipped may be counted once too often.
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

// fixed returns the distance between two edges and one of the edges. ok is false for a calendar grid, because its
// distances differ.
func (g Grid) fixed() (stepMicros int64, origin Micros, ok bool) {
	switch g.frequency.Unit() {
	case Second, Minute, Hour:
	case Week:
		origin = firstMonday * secondsPerDay * Micros(time.Second/time.Microsecond)
		fallthrough
	case Day:
		if g.zone != "" {
			return 0, 0, false
		}
	default:
		return 0, 0, false
	}
	return g.frequency.Nominal().Microseconds(), origin, true
}

// index numbers the edges: it is the number of the last one at or before t.
func (g Grid) index(t time.Time) int64 {
	if step, origin, ok := g.fixed(); ok {
		return floorDiv(int64(MicrosFloor(t)-origin), step)
	}

	local := t.In(g.location())
	n := int64(g.frequency.Count())
	var i int64
	switch g.frequency.Unit() {
	case Week:
		i = floorDiv(dayNumber(local)-firstMonday, 7*n)
	case Month:
		i = floorDiv(int64(local.Year()-1970)*12+int64(local.Month()-1), n)
	default:
		i = floorDiv(dayNumber(local), n)
	}

	// Where a zone set its clock back across midnight, the date read off it can be one that had ended before.
	for !g.edge(i + 1).After(t) {
		i++
	}
	return i
}

// edge is the i-th edge of a calendar grid.
func (g Grid) edge(i int64) time.Time {
	n := int64(g.frequency.Count())
	loc := g.location()
	switch g.frequency.Unit() {
	case Week:
		return startOfDay(firstMonday+i*7*n, loc)
	case Month:
		return startOfDay(dayNumber(time.Date(1970, time.Month(1+i*n), 1, 0, 0, 0, 0, time.UTC)), loc)
	default:
		return startOfDay(i*n, loc)
	}
}

func (g Grid) location() *time.Location {
	loc, err := location(g.zone)
	if err != nil {
		panic("domain: use of a grid that Validate refuses: " + g.String())
	}

	return loc
}

// dayNumber counts the date that t's own clock shows in days since 1970-01-01.
func dayNumber(t time.Time) int64 {
	y, m, d := t.Date()
	return floorDiv(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix(), secondsPerDay)
}

// startOfDay is the first instant at which a clock in loc shows the given date or a later one: usually midnight, the
// end of the gap where midnight was skipped, the first of two where it came twice.
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
		if end <= at { // package time ends a leap year's last zone a day early; its rules start anew each year in UTC
			end = time.Date(t.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
		}
		reached := max(at, midnight-int64(offset))
		if bound.IsZero() || reached < end {
			return time.Unix(reached, 0).UTC()
		}

		at = end
	}
}

// locations remembers loaded zones: loading one reads the zone database. It holds only zones that exist.
var locations sync.Map // of string to *time.Location

func location(zone string) (*time.Location, error) {
	if zone == "" {
		return time.UTC, nil
	}
	if loc, ok := locations.Load(zone); ok {
		return loc.(*time.Location), nil
	}
	if zone == "Local" {
		return nil, ErrInvalid // what it means depends on the machine
	}

	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, err
	}

	locations.Store(zone, loc)
	return loc, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
