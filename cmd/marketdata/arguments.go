package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/domain"
)

// zonedLayouts and localLayouts are the layouts of times of day with and without a time zone.
var (
	zonedLayouts = []string{
		time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00",
	}
	localLayouts = []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, minuteLayout}
)

// Instants since 1970 as numbers: of this many digits they are seconds, and with three more they are milliseconds. That
// is 2001 to 2286.
const epochDigits, epochMilliDigits = 10, 13

// parseTime reads 2018-04-04, 2018-04-04 09:30 with or without a time zone, seconds or milliseconds since 1970, -7d or
// now; "" is the zero time. A date is its first instant. A time without a time zone is in zone, of which "" is UTC.
func parseTime(text string, now time.Time, zone string) (time.Time, error) {
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now.UTC(), nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return domain.StartOfDate(day, zone)
	}
	if t, ok := parseLayouts(text, zonedLayouts); ok {
		return t.UTC(), nil
	}
	if t, ok := parseLayouts(text, localLayouts); ok {
		return domain.LocalTime(t, zone)
	}

	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		switch len(text) {
		case epochDigits:
			return time.Unix(int64(n), 0).UTC(), nil
		case epochMilliDigits:
			return time.UnixMilli(int64(n)).UTC(), nil
		}
	}
	if text[0] == '-' {
		if length, err := parseAge(text[1:]); err == nil {
			return subtract(now.UTC(), length), nil
		}
	}

	return time.Time{}, &domain.InvalidError{What: "time", Value: text,
		Reason: "write 2018-04-04, 2018-04-04T09:30:00Z, 2018-04-04 09:30, seconds or milliseconds since 1970, " +
			"-7d (a count of s, m, h, d, w, M or y before now) or now"}
}

// parseLayouts reads a time of the first layout that fits.
func parseLayouts(text string, layouts []string) (t time.Time, ok bool) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}

	return t, false
}

// subtract returns the time that lies the length before t. Days, weeks and months are those of the UTC calendar.
func subtract(t time.Time, length domain.Frequency) time.Time {
	n := length.Count()
	switch length.Unit() {
	case domain.UnitDay:
		return t.AddDate(0, 0, -n)
	case domain.UnitWeek:
		return t.AddDate(0, 0, -7*n)
	case domain.UnitMonth:
		return t.AddDate(0, -n, 0)
	default:
		return t.Add(-length.Nominal())
	}
}

// parseFrequency reads a frequency from the command line. In its place, people write the data that has a flag.
func parseFrequency(text string) (domain.Grid, error) {
	if text == "trades" || text == "quotes" {
		return domain.Grid{}, userErrorf("%s have no frequency; give the flag --%s in its place", text, text)
	}

	return domain.ParseGrid(text)
}

// parseKey reads a series key from its parts on the command line.
func parseKey(symbol, frequency, price string) (domain.SeriesKey, error) {
	s, err := domain.ParseSymbol(symbol)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	g, err := domain.ParseGrid(frequency)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	p, err := domain.ParsePriceType(price)
	if err != nil {
		return domain.SeriesKey{}, err
	}

	return domain.NewSeriesKey(s, g, p)
}

// priceWords are the values of --price.
var priceWords = []string{"trade", "bid", "ask", "mid", "mark", "index"}

// priceFlag adds --price to a subcommand that works on one price type; the default is trade prices.
func priceFlag(flags *pflag.FlagSet, price *string) {
	flags.StringVar(price, "price", domain.PriceTrade.String(), "price `type` of the bars: "+orList(priceWords))
	setWords(flags, "price", priceWords...)
}

// anyPriceFlag adds --price to a subcommand that works on every price type unless one is given.
func anyPriceFlag(flags *pflag.FlagSet, price *string) {
	flags.StringVar(price, "price", "", "only bars of this price `type`: "+orList(priceWords)+" (default every type)")
	setWords(flags, "price", priceWords...)
}

// qualityFlag adds --quality; flagged says what happens to a bar under the policy flag.
func qualityFlag(flags *pflag.FlagSet, quality *string, flagged string) {
	flags.StringVar(quality, "quality", domain.QualityFail.String(),
		"`policy` for a bar that breaks a quality rule: fail, drop (leave it out) or flag ("+flagged+")")
	setWords(flags, "quality", "fail", "drop", "flag")
}

// count is the value of a flag that is a number of 1 or more; 0 means that the flag was not given.
type count int

// String returns the number, "" for 0.
func (n *count) String() string {
	if *n == 0 {
		return ""
	}

	return strconv.Itoa(int(*n))
}

// Set parses the number.
func (n *count) Set(text string) error {
	parsed, err := strconv.Atoi(text)
	if err != nil || parsed < 1 {
		return errors.New("give a whole number of 1 or more")
	}

	*n = count(parsed)

	return nil
}

// Type returns the name of the value in the help.
func (n *count) Type() string { return "n" }

// rangeFlags is a pair of flags that bound a range of time.
type rangeFlags struct {
	startName, endName string
	start, end         string
}

// register adds --start and --end.
func (r *rangeFlags) register(flags *pflag.FlagSet, startHelp, endHelp string) {
	r.registerAs(flags, "start", startHelp, "end", endHelp)
}

// registerAs adds the two flags under other names than --start and --end.
func (r *rangeFlags) registerAs(flags *pflag.FlagSet, startName, startHelp, endName, endHelp string) {
	r.startName, r.endName = startName, endName
	flags.StringVar(&r.start, startName, "", startHelp)
	flags.StringVar(&r.end, endName, "", endHelp)
}

// isSet reports whether one of the two flags was given.
func (r *rangeFlags) isSet() bool { return r.start != "" || r.end != "" }

// times returns both instants, zero where the flag was not given. Dates are in the time zone.
func (r *rangeFlags) times(now time.Time, zone string) (start, end time.Time, err error) {
	if start, err = parseTime(r.start, now, zone); err != nil {
		return start, end, fmt.Errorf("--%s: %w", r.startName, err)
	}
	if end, err = parseTime(r.end, now, zone); err != nil {
		return start, end, fmt.Errorf("--%s: %w", r.endName, err)
	}

	return start, end, nil
}

// arguments accepts from least to most arguments; a negative most is no bound. words tells the user which arguments to
// give.
func arguments(words string, least, most int) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			given := fmt.Sprintf("%d arguments", len(args))
			switch len(args) {
			case 0:
				given = "no argument"
			case 1:
				given = "1 argument"
			}

			return fmt.Errorf("%s given; give %s", given, words)
		}

		return nil
	}
}

// Layouts of times as they are printed.
const (
	stampLayout  = time.RFC3339Nano
	minuteLayout = "2006-01-02 15:04"
)

// stamp formats a time with the digits it has, to the nanosecond at most.
func stamp(t time.Time) string { return t.Format(stampLayout) }

// rangeText is "2018-04-04T00:00:00Z to 2018-04-05T00:00:00Z".
func rangeText(r domain.Range) string { return stamp(r.Start) + " to " + stamp(r.End) }
