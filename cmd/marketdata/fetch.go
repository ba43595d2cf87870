package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const fetchHelp = `Print the closed bars of one or several series in order of time, or the trades
(--trades) or quotes (--quotes) of a symbol.

Without --start and --end, all stored bars are printed. Notes on standard error
tell what the bars do not show: ranges that are not covered or whose coverage is
inferred, an end after now, findings of the quality rules.
--output parquet writes a Parquet file; for a range of any length use marketdata
export.

Bars of a frequency that is not stored are resampled from finer bars, or
aggregated from trades or quotes. --explain shows the query plan, which names
the store of each leg and the ranges without data, and reads no bars:
  marketdata fetch BTC/USD 1h --start 2018-04-04 --explain

Several symbols share one frequency, which comes last; a symbol may be a
pattern, as in marketdata symbols. All series are read as of one instant and
printed in the order given, the matches of a pattern sorted, each symbol once.
Each row begins with its symbol; --output json prints one object per symbol,
with its result or its error. The limit max_bars applies to each symbol, and all
results are in memory at once. If some symbols fail, the others are printed, the
error names each failed one, and the exit code is theirs, or 1 if they failed
for different reasons.

--page-size prints one page of rows and ends standard error with two lines:
  next page token: TOKEN   --page TOKEN continues after this page, also later
  complete: false          there may be more rows now; true: there are none now
If the range ends with the page, there is no token. --output json has both in
the field page. The page size may change from page to page; everything else must
stay the same, and --start and --end must be fixed times. A page of trades or
quotes may be larger, because it has all rows of its last instant. If what the
pages before had was changed, deleted or covered anew meanwhile, a note says so,
and --output json has "restated": true; begin again without --page. Print all
pages of a day:
  token=
  while marketdata fetch BTC/USD 1m --start 2018-04-04 --end 2018-04-05 \
    --page-size 500 --page "$token" > page.csv 2> notes; do
    cat page.csv
    grep -q '^complete: true' notes && break
    token=$(sed -n 's/^next page token: //p' notes)
  done`

const fetchExample = `  marketdata fetch BTC/USD 1m --last 20
  marketdata fetch BTC/USD 1d --start 2018-01-01 --end 2018-02-01
  marketdata fetch COINBASE:BTC/USD 1h --start -7d --output json
  marketdata fetch BTC/USD 'ETH/*' 1h --start -1d
  marketdata fetch ACME 1d@America/New_York --start 2018-04-04 --first 1
  marketdata fetch BTC/USD 1h --start -30d --explain
  marketdata fetch BTC/USD 1m --start -1h --fill previous
  marketdata fetch BTC/USD 1m --price bid --quality drop > bids.csv
  marketdata fetch BTC/USD 1h --start 2018-01-01 -o parquet > hours.parquet
  marketdata fetch --trades XRP/ETH --start 2019-10-11 --first 100
  marketdata fetch --quotes BTC/USD --start -1h --output ndjson`

type fetchOptions struct {
	window                 rangeFlags
	page                   pageFlags
	first, last            count
	price, quality, output string
	fill                   string
	explain                bool
	resample               bool
	verbose                bool
	trades, quotes         bool
}

func (o *fetchOptions) register(flags *pflag.FlagSet) {
	o.window.register(flags, "`time` of the first row (default the first stored one)",
		"`time` to stop before (default now)")
	o.page.register(flags)
	flags.BoolVar(&o.trades, "trades", false, "print the trades of a symbol")
	flags.BoolVar(&o.quotes, "quotes", false, "print the quotes of a symbol")
	flags.Var(&o.first, "first",
		"print only the first `n` rows; all trades or quotes of the last instant are included")
	flags.Var(&o.last, "last", "print only the last `n` rows")
	priceFlag(flags, &o.price)
	qualityFlag(flags, &o.quality, "print it")
	flags.StringVar(&o.fill, "fill", domain.FillNone.String(),
		"`policy` for a bar in which nothing traded: none (no bar) or previous (the previous close, no volume)")
	setWords(flags, "fill", "none", "previous")
	flags.BoolVar(&o.resample, "resample", false, "resample or aggregate the bars, even where they are stored")
	flags.BoolVar(&o.explain, "explain", false, "show the query plan and read no bars")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "report which store served which range")
	outputFlag(flags, &o.output, formatParquet)
}

func (c *command) fetchCommand() *cobra.Command {
	var o fetchOptions
	cmd := &cobra.Command{
		Use:     "fetch SYMBOL... FREQUENCY | --trades|--quotes SYMBOL",
		Short:   "Print the bars of series, or the trades or quotes of a symbol",
		Long:    fetchHelp,
		Example: fetchExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.trades || o.quotes {
				return arguments("a symbol, like: marketdata fetch --trades BTC/USD", 1, 1)(cmd, args)
			}
			return arguments("a symbol and a frequency, like: marketdata fetch BTC/USD 1m", 2, -1)(cmd, args)
		},
		ValidArgsFunction: c.completeFetch,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !o.trades && !o.quotes {
				return withHint(c.fetchBars(cmd.Context(), args[:len(args)-1], args[len(args)-1], o))
			}

			barFlags := []string{"price", "quality", "fill", "resample", "explain"}
			if slices.ContainsFunc(barFlags, cmd.Flags().Changed) {
				return userErrorf("--%s are for bars; leave them out with --trades and --quotes",
					strings.Join(barFlags, ", --"))
			}

			return withHint(c.fetchTicks(cmd.Context(), args[0], o))
		},
	}
	o.register(cmd.Flags())

	return cmd
}

// withHint returns the error of a fetch; if the result would be too large, with the commands that have no such limit.
func withHint(err error) error {
	if errors.Is(err, ports.ErrTooLarge) {
		return fmt.Errorf("%w\nprint one page with --page-size, or write a range of any length with marketdata export", err)
	}

	return err
}

// fetchBars prints the bars of one symbol or of several.
func (c *command) fetchBars(ctx context.Context, symbols []string, frequency string, o fetchOptions) error {
	several := len(symbols) > 1 || isPattern(symbols[0])
	if !several {
		if _, err := domain.ParseSymbol(symbols[0]); err != nil {
			return err
		}
	}

	r, err := c.fetchRequest(frequency, o)
	if err != nil {
		return err
	}
	if err := c.checkFetchOutput(several, &o); err != nil {
		return err
	}
	if several {
		return c.fetchMany(ctx, symbols, r, o)
	}

	r.Key.Symbol = domain.Symbol(symbols[0])

	return c.fetchOne(ctx, r, o)
}

// checkFetchOutput sets the default output format and refuses flags that contradict each other.
func (c *command) checkFetchOutput(several bool, o *fetchOptions) error {
	if several && o.page.isSet() {
		return userErrorf("--page-size and --page are for one symbol; fetch the symbols one by one")
	}
	if o.page.isSet() && (o.first > 0 || o.last > 0) {
		return userErrorf("--page-size limits the rows; leave out --first and --last")
	}
	if o.output != formatParquet {
		return c.defaultOutput(&o.output, formatParquet)
	}
	if several {
		return userErrorf("--output parquet is for one series; fetch the series one by one, or write all of them to " +
			"one file with marketdata export 'PATTERN' FREQUENCY market.bars")
	}
	if o.explain {
		return userErrorf("--output parquet is for rows, and --explain reads none; leave one of them out")
	}
	if isTerminal(c.out) {
		return userErrorf("--output parquet is not for a terminal; redirect it to a file, like > rows.parquet")
	}

	return nil
}

// fetchRequest returns the request of the flags, without a symbol.
func (c *command) fetchRequest(frequency string, o fetchOptions) (r domain.DataRequest, err error) {
	if r.Key.Grid, err = parseFrequency(frequency); err != nil {
		return r, fmt.Errorf("the last argument must be a frequency: %w", err)
	}
	if r.Key.PriceType, err = domain.ParsePriceType(o.price); err != nil {
		return r, err
	}
	if r.Start, r.End, err = o.window.times(c.now(), r.Key.Grid.Zone()); err != nil {
		return r, err
	}

	r.First, r.Last, r.Resample = int(o.first), int(o.last), o.resample

	return r, errors.Join(r.Quality.UnmarshalText([]byte(o.quality)), r.Fill.UnmarshalText([]byte(o.fill)))
}

// fetchOne prints the bars of one symbol: all of the request, or one page of it.
func (c *command) fetchOne(ctx context.Context, whole domain.DataRequest, o fetchOptions) error {
	r, err := o.page.request(whole, o.window)
	if err != nil {
		return err
	}

	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	if o.explain {
		return c.explain(ctx, md, r, o.output)
	}

	result, err := md.Fetch(ctx, r)
	if err != nil {
		return err
	}

	next, err := o.page.next(whole, result)
	if err != nil {
		return err
	}
	if err := printResult(c.out, o.output, result, next); err != nil {
		return err
	}

	c.noteResult("", result, o.verbose)
	if result.Series.Len() == 0 {
		if err := c.noteStored(ctx, md, emptyBars(r.Key)); err != nil {
			return err
		}
	}
	if next != nil && o.output != formatJSON {
		next.print(c.err)
	}

	return nil
}

// emptyBars is the result of a request for the bars of the key that found none.
func emptyBars(key domain.SeriesKey) emptyResult {
	return emptyResult{symbol: key.Symbol, rows: "bars of " + key.String()}
}

// explain prints the query plan: as a tree, or as JSON.
func (c *command) explain(ctx context.Context, md *app.Service, r domain.DataRequest, format string) error {
	p, err := md.Explain(ctx, r)
	if err != nil {
		return err
	}
	if format == formatJSON {
		return writeJSON(c.out, p)
	}

	return printPlan(c.out, p)
}

// printPlan writes the query plan as a tree, its gaps in color.
func printPlan(w io.Writer, p ports.QueryPlan) error {
	lines := strings.Split(strings.TrimSuffix(p.String(), "\n"), "\n")
	for i, line := range lines {
		if strings.Contains(line, "─ not covered [") {
			lines[i] = paint(w, yellow, line)
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))

	return err
}

// noteResult notes what the bars of a result do not show. Each note begins with prefix, which names the symbol of one
// among several.
func (c *command) noteResult(prefix string, r domain.Result, verbose bool) {
	note := func(format string, args ...any) { c.notef("%s%s", prefix, fmt.Sprintf(format, args...)) }
	if r.Clamped {
		note("the end is after now, %s; bars that are not closed yet are left out", stamp(r.Now))
	}
	if r.Restated {
		note(restatedNote)
	}
	uncovered, ended := splitEnd(r)
	if len(uncovered) > 0 {
		note("no data for %s; not covered", summarize(uncovered, rangeText))
	}
	if ended != "" {
		note("%s", ended)
	}
	if len(r.Inferred) > 0 {
		note("coverage is inferred from the first and last stored bar for %s; a bar may be missing there",
			summarize(r.Inferred, rangeText))
	}
	if len(r.Filled) > 0 {
		note("filled, because nothing traded: %s", summarize(r.Filled, rangeText))
	}
	for _, f := range r.Quality.Findings {
		note("quality: %s: %d of %d bars, the first at %s (%s, %s)",
			f.Detail, f.Count, r.Quality.Bars, stamp(f.First), f.Rule, f.Severity)
	}
	if len(r.Quality.Dropped) > 0 {
		note("dropped: %s", summarize(r.Quality.Dropped, stamp))
	}
	if !verbose {
		return
	}

	for _, o := range r.Provenance {
		note("%s", originText(o))
	}
	note("as of %s; continue with --start %s", stamp(r.Now), stamp(r.Next))
}

// splitEnd returns the uncovered ranges without the one from the last bar to now, and a text that says so in its place.
func splitEnd(r domain.Result) (uncovered []domain.Range, text string) {
	if r.Series.Len() == 0 || r.Range.End.Before(r.Series.Key().Grid.Floor(r.Now)) {
		return r.Uncovered, ""
	}

	return splitLast(r.Uncovered, domain.Range{Start: r.Series.Range().End, End: r.Range.End}, r.Now)
}

// splitLast returns the uncovered ranges without the last one, and a text that says so in its place, if it lies behind
// the rows, in the range from their end to the end of the request.
func splitLast(uncovered []domain.Range, behind domain.Range, now time.Time) ([]domain.Range, string) {
	n := len(uncovered)
	if n == 0 || !uncovered[n-1].End.Equal(behind.End) || uncovered[n-1].Start.Before(behind.Start) {
		return uncovered, ""
	}

	end := uncovered[n-1].Start

	return uncovered[:n-1], fmt.Sprintf("data ends %s (%s ago)", stamp(end), durationText(now.Sub(end)))
}

// durationText is a duration in the largest unit of which it has two, as people say it: 2 years, 36 hours, 40 seconds.
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * day, "years"}, {30 * day, "months"}, {day, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if d >= 2*unit.length {
			return fmt.Sprintf("%d %s", d/unit.length, unit.name)
		}
	}

	return fmt.Sprintf("%d seconds", d/time.Second)
}

// originText is "influx served 2 bars from stored 1m, 2018-04-04T00:00:00Z to 2018-04-04T00:02:00Z".
func originText(o domain.Origin) string {
	source, from := o.Grid.String(), "stored"
	if o.Ticks != "" {
		source = string(o.Ticks)
	}
	if o.Cached {
		from = "cached"
	}

	return fmt.Sprintf("%s served %d bars from %s %s, %s", o.Store, o.Bars, from, source, rangeText(o.Range))
}

// summarize joins the texts of the first five items, and the number of the others.
func summarize[T any](items []T, text func(T) string) string {
	const shown = 5
	var s strings.Builder
	for i, item := range items {
		if i == shown {
			fmt.Fprintf(&s, " and %d more", len(items)-shown)
			break
		}

		if i > 0 {
			s.WriteString(", ")
		}
		s.WriteString(text(item))
	}

	return s.String()
}
