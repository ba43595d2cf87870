package domain

import "time"

// StartOfDate returns the first instant of the date of t in the IANA time zone, in UTC; the time of day and the zone of
// t do not matter. It is midnight, the first one where clocks went back at midnight, or the end of the gap where they
// went forward. It returns an error that wraps ErrInvalid for an unknown zone, and for a date that its clocks skipped.
func StartOfDate(t time.Time, zone string) (time.Time, error) {
	grid, err := NewGrid(Day1, zone)
	if err != nil {
		return time.Time{}, err
	}

	day := dayNumber(t)
	start := startOfDay(day, grid.location())
	if dayNumber(start.In(grid.location())) != day {
		return time.Time{}, invalid("date", t.Format(time.DateOnly), "clocks in %s skipped it", zone)
	}

	return start, nil
}

// LocalTime returns the instant at which the clocks of the IANA time zone show the date and the time of day of t; the
// zone of t does not matter. It returns an error that wraps ErrInvalid for an unknown zone, and for a time that does
// not exist or occurs twice there, because clocks changed.
func LocalTime(t time.Time, zone string) (time.Time, error) {
	grid, err := NewGrid(Day1, zone)
	if err != nil {
		return time.Time{}, err
	}

	location := grid.location()
	local := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)

	// A day before and a day after are the offsets before and after a change of clocks.
	var found []time.Time
	for _, shift := range [...]time.Duration{-24 * time.Hour, 24 * time.Hour} {
		_, offset := local.Add(shift).In(location).Zone()
		instant := local.Add(-time.Duration(offset) * time.Second)
		_, actual := instant.In(location).Zone()
		if actual == offset && (len(found) == 0 || !found[0].Equal(instant)) {
			found = append(found, instant)
		}
	}

	const layout = "2006-01-02T15:04:05.999999999"
	switch text := local.Format(layout); len(found) {
	case 1:
		return found[0], nil
	case 0:
		return time.Time{}, invalid("time", text, "does not exist in %s, because clocks went forward; "+
			"write it with its offset", zone)
	default:
		return time.Time{}, invalid("time", text, "occurs twice in %s, because clocks went back; "+
			"write it with its offset, like %s", zone, found[0].In(location).Format(time.RFC3339))
	}
}
