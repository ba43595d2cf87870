package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/domain"
)

// parseTime reads 2018-04-04, 2018-04-04T09:30:00Z, -7d or now; "" is the zero time. A date is its first
// instant in the time zone.
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
		return domain.StartOfDate(day, zone)
	}

	if text[0] == '-' {
		if length, err := domain.ParseFrequency(text[1:]); err == nil {
			return subtract(now.UTC(), length), nil
		}
	}

	return time.Time{}, &domain.InvalidError{What: "time", Value: text,
		Reason: "write 2018-04-04, 2018-04-04T09:30:00Z, -7d (a count of s, m, h, d, w or M before now) or now"}
}

// subtract returns the time that lies the length before t. Days, weeks and months are those of the UTC calendar.
func subtract(t time.Time, length domain.Frequency) time.Time {
	n := length.Count()
	switch length.Unit() {
	case domain.Day:
		return t.AddDate(0, 0, -n)
	case domain.Week:
		return t.AddDate(0, 0, -7*n)
	case domain.Month:
		return t.AddDate(0, -n, 0)
	default:
		return t.Add(-length.Nominal())
	}
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

// priceFlag adds --price to a subcommand that works on one price type; the default is trade prices.
func priceFlag(flags *pflag.FlagSet, price *string) {
	flags.StringVar(price, "price", domain.PriceTrade.String(),
		"price `type` of the bars: trade, bid, ask, mid, mark or index")
}

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
			return fmt.Errorf("%d arguments given; give %s", len(args), words)
		}
		return nil
	}
}

// stamp formats a time with the digits it has, to the nanosecond at most.
func stamp(t time.Time) string { return t.Format(time.RFC3339Nano) }

// rangeText is "2018-04-04T00:00:00Z to 2018-04-05T00:00:00Z".
func rangeText(r domain.Range) string { return stamp(r.Start) + " to " + stamp(r.End) }
