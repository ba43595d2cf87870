package domain

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// period is the oracle of a grid: the number of the calendar period that the zone's clock has reached by t. A clock
// that is set back does not leave the period.
func period(g Grid, t time.Time) int64 {
	n := int64(g.frequency.Count())
	loc := must(location(g.zone))
	number := func(at time.Time) int64 {
		at = at.In(loc)
		date := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
		switch g.frequency.Unit() {
		case UnitDay:
			return floorDiv(date.Unix()/secondsPerDay, n)
		case UnitWeek:
			return floorDiv((date.Unix()-utc("1970-01-05T00:00:00Z").Unix())/secondsPerDay, 7*n)
		case UnitMonth:
			return floorDiv(int64(at.Year())*12+int64(at.Month())-1-1970*12, n)
		default:
			return floorDiv(at.UnixMicro(), int64(g.frequency.Nominal()/time.Microsecond))
		}
	}
	reached := number(t)
	for at := t; t.Sub(at) < 72*time.Hour; {
		start, _ := at.In(loc).ZoneBounds()
		if start.IsZero() {
			break
		}

		at = start.Add(-time.Microsecond)
		reached = max(reached, number(at))
	}

	return reached
}

func TestGridLaws(t *testing.T) {
	check(t, func(t *rapid.T) {
		g := anyGrid().Draw(t, "grid")
		at := anyTime(g.zone).Draw(t, "at")
		floor, next, ceil := g.Floor(at), g.Next(at), g.Ceil(at)

		if floor.After(at) || !next.After(at) || ceil.Before(at) {
			t.Fatalf("floor %s, next %s, ceil %s", floor, next, ceil)
		}
		if p := period(g, at); period(g, floor) != p || period(g, floor.Add(-time.Microsecond)) >= p ||
			period(g, next) <= p || period(g, next.Add(-time.Microsecond)) != p {
			t.Fatalf("%s is in [%s, %s), which is not period %d", at, floor, next, p)
		}
		if !g.Aligned(floor) || !g.Aligned(next) || g.Aligned(at) != floor.Equal(at) {
			t.Fatalf("floor %s, next %s", floor, next)
		}
		if !g.Next(floor).Equal(next) || !g.Floor(next).Equal(next) || !g.Floor(next.Add(-time.Microsecond)).Equal(floor) {
			t.Fatalf("floor %s, next %s, next of floor %s", floor, next, g.Next(floor))
		}

		if want := next; floor.Equal(at) {
			if !ceil.Equal(at) {
				t.Fatalf("ceil of the edge %s is %s", at, ceil)
			}
		} else if !ceil.Equal(want) {
			t.Fatalf("ceil is %s, want %s", ceil, want)
		}

		for _, edge := range []time.Time{floor, next, ceil} {
			if edge.Location() != time.UTC {
				t.Fatalf("%s is not in UTC", edge)
			}
		}
	})
}

func TestGridAlignAndSlots(t *testing.T) {
	skipped := map[string]bool{"Pacific/Apia": true, "Pacific/Kwajalein": true, "Asia/Manila": true}
	check(t, func(t *rapid.T) {
		g := anyGrid().Draw(t, "grid")
		start := anyTime(g.zone).Draw(t, "start")
		end := start.Add(time.Duration(rapid.Float64Range(-2, 40).Draw(t, "bars") * float64(g.frequency.Nominal())))
		r := Range{Start: start, End: end}
		aligned := g.Align(r)
		if !g.Aligned(aligned.Start) || !g.Aligned(aligned.End) || !g.Align(aligned).Equal(aligned) {
			t.Fatalf("%s aligned is %s", r, aligned)
		}

		var edges int64
		for at := g.Ceil(start); at.Before(end); at = g.Next(at) {
			if !aligned.Contains(at) {
				t.Fatalf("%s is in %s and not in %s", at, r, aligned)
			}
			edges++
		}

		for _, same := range []Range{r, aligned} {
			if got := g.Slots(same); got != edges && (!skipped[g.zone] || got != edges+1) {
				t.Fatalf("%d slots in %s of %s, want %d", got, same, g, edges)
			}
		}
	})
}

func TestGridCalendarDays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, grid, in, floor, next string }{
		{"new york, 23 hours", "1d@America/New_York", "2024-03-10T12:00:00Z", "2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"},
		{"new york, 25 hours", "1d@America/New_York", "2024-11-03T12:00:00Z", "2024-11-03T04:00:00Z", "2024-11-04T05:00:00Z"},
		{"sao paulo, midnight skipped", "1d@America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"sao paulo, midnight before a change back", "1d@America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		{"beirut, midnight skipped", "1d@Asia/Beirut", "2022-03-27T12:00:00Z", "2022-03-26T22:00:00Z", "2022-03-27T21:00:00Z"},
		{"cairo, midnight skipped", "1d@Africa/Cairo", "2023-04-28T12:00:00Z", "2023-04-27T22:00:00Z", "2023-04-28T21:00:00Z"},
		{"apia, before the date that was not", "1d@Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"apia, after the date that was not", "1d@Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"st johns, set back across midnight", "1d@America/St_Johns", "2006-10-29T02:31:00Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"},
		{"st johns, the first midnight counts", "1d@America/St_Johns", "2006-10-29T03:00:00Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z"},
		{"week from monday", "1w", "2024-02-29T00:00:00Z", "2024-02-26T00:00:00Z", "2024-03-04T00:00:00Z"},
		{"week before 1970", "1w", "1969-12-31T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"},
		{"two weeks from the first monday", "2w", "1970-01-20T00:00:00Z", "1970-01-19T00:00:00Z", "1970-02-02T00:00:00Z"},
		{"month", "1M", "2024-02-29T23:59:59Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"},
		{"quarter", "3M", "2024-05-31T00:00:00Z", "2024-04-01T00:00:00Z", "2024-07-01T00:00:00Z"},
		{"month before 1970", "5M", "1969-12-31T23:59:59.999999Z", "1969-08-01T00:00:00Z", "1970-01-01T00:00:00Z"},
		{"month in tokyo", "1M@Asia/Tokyo", "2024-02-29T15:00:00Z", "2024-02-29T15:00:00Z", "2024-03-31T15:00:00Z"},
		{"three days from 1970", "3d", "1970-01-05T00:00:00Z", "1970-01-04T00:00:00Z", "1970-01-07T00:00:00Z"},
		{"seven minutes from 1970", "7m", "1969-12-31T23:59:00Z", "1969-12-31T23:53:00Z", "1970-01-01T00:00:00Z"},
		{"nanosecond before 1970", "1s", "1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"},
	} {
		g, in := must(ParseGrid(c.grid)), utc(c.in)
		if floor, next := g.Floor(in), g.Next(in); !floor.Equal(utc(c.floor)) || !next.Equal(utc(c.next)) {
			t.Errorf("%s: %s of %s is in [%s, %s), want [%s, %s)", c.name, c.in, c.grid,
				floor.Format(time.RFC3339), next.Format(time.RFC3339), c.floor, c.next)
		}
	}
}

func TestGridUTCHasOneName(t *testing.T) {
	t.Parallel()
	if must(NewGrid(Day1, "UTC")) != Day1.UTC() || must(ParseGrid("1d@UTC")) != must(ParseGrid("1d")) {
		t.Error("UTC by name is another grid")
	}
	if g := must(NewGrid(Hour1, "UTC")); g.Zone() != "" || g.Frequency() != Hour1 {
		t.Errorf("%#v", g)
	}
}

func TestGridWithoutFrequencyIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := NewGrid(0, ""); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := NewGrid(Day1, "Nowhere"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestGridWalksEveryDay(t *testing.T) {
	t.Parallel()
	end := utc("2049-01-02T00:00:00Z")
	for _, zone := range zones {
		g := must(NewGrid(Day1, zone))
		before := g.Floor(utc("1960-01-01T00:00:00Z"))
		for edge := g.Next(before); edge.Before(end); edge = g.Next(edge) {
			if !g.Floor(edge).Equal(edge) || !g.Floor(edge.Add(-time.Microsecond)).Equal(before) || edge.Sub(before) > 49*time.Hour {
				t.Fatalf("%s: %s follows %s", zone, edge, before)
			}
			before = edge
		}
	}
}
