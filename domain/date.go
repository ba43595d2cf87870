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
