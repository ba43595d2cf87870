package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/domain"
)

// parseTime reads 2018-04-04, 2018-04-04T09:30:00Z, -7d or now; "" is the zero time. A date is its midnight in the grid's zone.
func parseTime(text string, now time.Time, zone string) (time.Time, error) {
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now.UTC(), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return midnight(day, zone)
	}

	if text[0] == '-' {
		if back, err := domain.ParseFrequency(text[1:]); err == nil {
			return before(now.UTC(), back), nil
		}
	}

	return time.Time{}, &domain.InvalidError{What: "time", Value: text,
		Reason: "write 2018-04-04, 2018-04-04T09:30:00Z, -7d (a count of s, m, h, d, w or M before now) or now"}
}

// midnight is the first instant of the date in the zone.
func midnight(day time.Time, zone string) (time.Time, error) {
	days, err := domain.NewGrid(domain.Day1, zone)
	if err != nil {
		return time.Time{}, err
	}

	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, err
	}

	noon := time.Date(day.Year(), day.Month(), day.Day(), 12, 0, 0, 0, location)
	return days.Floor(noon), nil
}

// before is now less so many units; days, weeks and months are those of the calendar in UTC.
func before(now time.Time, back domain.Frequency) time.Time {
	n := back.Count()
	switch back.Unit() {
	case domain.Day:
		return now.AddDate(0, 0, -n)
	case domain.Week:
		return now.AddDate(0, 0, -7*n)
	case domain.Month:
		return now.AddDate(0, -n, 0)
	default:
		return now.Add(-back.Nominal())
	}
}

// parseKey reads the parts of a series key as they stand on the command line.
func parseKey(symbol, grid, kind string) (domain.SeriesKey, error) {
	s, err := domain.ParseSymbol(symbol)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	g, err := domain.ParseGrid(grid)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	k, err := domain.ParsePriceType(kind)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	return domain.NewSeriesKey(s, g, k)
}

// span is a pair of flags that bound a range of time.
type span struct {
	startName, endName string
	start, end         string
}

func (s *span) register(flags *pflag.FlagSet, startName, startHelp, endName, endHelp string) {
	s.startName, s.endName = startName, endName
	flags.StringVar(&s.start, startName, "", startHelp)
	flags.StringVar(&s.end, endName, "", endHelp)
}

// given reports whether the user gave any of the two.
func (s *span) given() bool { return s.start != "" || s.end != "" }

// times is both instants, zero where not given.
func (s *span) times(now time.Time, zone string) (start, end time.Time, err error) {
	if start, err = parseTime(s.start, now, zone); err != nil {
		return start, end, fmt.Errorf("--%s: %w", s.startName, err)
	}
	if end, err = parseTime(s.end, now, zone); err != nil {
		return start, end, fmt.Errorf("--%s: %w", s.endName, err)
	}

	return start, end, nil
}

const kindHelp = "`what` the prices are of: trade, bid, ask, mid, mark, index"

// arguments wants from least to most of them, and says in words what they are; most below 0 is any number.
func arguments(words string, least, most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return fmt.Errorf("%d arguments given; give %s", len(args), words)
		}
		return nil
	}
}

func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }
