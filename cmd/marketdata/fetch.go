package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const fetchHelp = `Print the bars of one or several series, or with --trades or --quotes those of a symbol: exact, in order of time, bars when they
are over.

What the answer does not tell by itself stands on standard error: ranges that nobody holds, an end beyond now that was clamped,
what the quality rules found. Without --start and --end it is all there is. It may also go out with --output parquet; for ranges of
any length there is marketdata export.

Where the bars would come from is told by --explain, which reads none:
  marketdata fetch SYNTHETIC:CEDAR/USD 1h --start 2024-01-28 --end 2024-02-01 --explain
  SYNTHETIC:CEDAR/USD 1h [2024-01-28T00:00:00Z, 2024-02-01T00:00:00Z): at most 72 bars in 1 read, at most 4 320 rows, 242 kB
  ├─ resampled from 1m [2024-01-28T00:00:00Z, 2024-01-31T00:00:00Z): at most 72 bars
  │  └─ sqlite: at most 4 320 rows, 242 kB
  └─ uncovered [2024-01-31T00:00:00Z, 2024-02-01T00:00:00Z): 24 bars that nobody holds
Bars that are not stored are made of finer ones, or of trades or quotes; each leg names its store, and what nobody holds is a leg too.

Several symbols have one grid, which comes last, and may be patterns, as in marketdata symbols. They are answered together, for one
instant, in the order given, those of a pattern sorted, each once. Each row then begins with its symbol; --output json is a list of
one object a symbol, with its result or its error. max_bars bounds each, and all are in memory at once. Where some fail, the others
are printed, the error names each that failed, and the exit code is theirs, or 1 where they failed for different reasons.

Pages are for reading on later, or bit by bit. With --page-size standard error ends with a token:
  page: TOKEN    there is more now; the same command with --page TOKEN goes on
  later: TOKEN   this is all there is by now; --page TOKEN goes on once there is more
and with neither where the range is over. In --output json it is the field page. A page may be of another size than the one before;
all else has to be the same, and --start and --end fixed. All pages of a day, one after the other:
  token=
  while marketdata fetch BTC/USD 1m --start 2018-04-04 --end 2018-04-05 --page-size 500 --page "$token" > page.csv 2> said; do
    cat page.csv
    token=$(sed -n 's/^page: //p' said)
    [ "$token" ] || break
  done`

const fetchExample = `  marketdata fetch BTC/USD 1m --last 20
  marketdata fetch BTC/USD 1d --start 2018-01-01 --end 2018-02-01
  marketdata fetch COINBASE:BTC/USD 1h --start -7d --output json
  marketdata fetch BTC/USD 'ETH/*' 1h --start -1d
  marketdata fetch ACME 1d@America/New_York --start 2018-04-04 --first 1
  marketdata fetch BTC/USD 1h --start -30d --explain
  marketdata fetch BTC/USD 1m --start -1h --fill previous
  marketdata fetch BTC/USD 1m --kind bid --quality drop > bids.csv
  marketdata fetch BTC/USD 1h --start 2018-01-01 --output parquet > hours.parquet
  marketdata fetch --trades XRP/ETH --start 2019-10-11 --first 100
  marketdata fetch --quotes BTC/USD --start -1h --output ndjson`

type fetchOptions struct {
	span
	page                  paging
	first, last           int
	kind, quality, output string
	fill                  string
	explain               bool
	resample              bool
	verbose               bool
	trades, quotes        bool
	ofBars                bool // a flag was given that bars alone have
}

func (c *command) fetch() *cobra.Command {
	var o fetchOptions
	cmd := &cobra.Command{
		Use:     "fetch SYMBOL... GRID | --trades SYMBOL | --quotes SYMBOL",
		Short:   "Print the bars of series, or the trades or quotes of a symbol",
		Long:    fetchHelp,
		Example: fetchExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.trades || o.quotes {
				return arguments("a symbol, like: marketdata fetch --trades BTC/USD", 1, 1)(cmd, args)
			}
			return arguments("a symbol and a grid, like: marketdata fetch BTC/USD 1m", 2, -1)(cmd, args)
		},
		ValidArgsFunction: c.completeFetch,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.trades || o.quotes {
				o.ofBars = slices.ContainsFunc([]string{"kind", "quality", "fill", "resample", "explain", "page-size", "page"}, cmd.Flags().Changed)
				return c.fetchTicks(cmd.Context(), args[0], o)
			}
			return c.fetchBars(cmd.Context(), args[:len(args)-1], args[len(args)-1], o)
		},
	}
	flags := cmd.Flags()
	o.register(flags, "start", "`time` of the first one wanted (default the first one held)", "end", "`time` to stop before (default now)")
	o.page.register(flags)
	flags.BoolVar(&o.trades, "trades", false, "the trades of a symbol")
	flags.BoolVar(&o.quotes, "quotes", false, "the quotes of a symbol")
	flags.IntVar(&o.first, "first", 0, "only the first `n` of the range; of trades and quotes, the last instant whole")
	flags.IntVar(&o.last, "last", 0, "only the last `n` of the range")
	flags.StringVar(&o.kind, "kind", domain.PriceTrade.String(), kindHelp)
	flags.StringVar(&o.quality, "quality", domain.QualityFail.String(), "`policy` for a bar that is wrong: fail, drop (leave it out), flag (print it)")
	flags.StringVar(&o.fill, "fill", domain.FillNone.String(),
		"`policy` for a bar in which nothing traded: none (there is none), previous (one of the previous close, without volume)")
	flags.BoolVar(&o.resample, "resample", false, "make the bars of finer ones, or of trades or quotes, even where they are stored")
	flags.BoolVar(&o.explain, "explain", false, "print how the bars would be had, store by store, and read none")
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "tell which store served which range")
	outputFlag(flags, &o.output)

	return cmd
}

// fetchBars is fetch of the bars of one symbol or of several.
func (c *command) fetchBars(ctx context.Context, symbols []string, grid string, o fetchOptions) error {
	several := len(symbols) > 1 || isPattern(symbols[0])
	if !several {
		if _, err := domain.ParseSymbol(symbols[0]); err != nil {
			return err
		}
	}

	r, err := c.request(grid, o)
	if err != nil {
		return err
	}
	if err := c.settleFetch(several, &o); err != nil {
		return err
	}
	if several {
		return c.fetchMany(ctx, symbols, r, o)
	}

	r.Key.Symbol = domain.Symbol(symbols[0])
	return c.fetchOne(ctx, r, o)
}

// settleFetch fills in a form of output that was not given, and refuses what does not go together.
func (c *command) settleFetch(several bool, o *fetchOptions) error {
	if several && o.page.given() {
		return userError{errors.New("--page-size and --page are for one symbol; fetch one after the other")}
	}
	if o.page.given() && (o.first > 0 || o.last > 0) {
		return userError{errors.New("--page-size says how many; leave --first and --last out")}
	}
	if o.output != formatParquet {
		return c.settle(&o.output)
	}
	if several {
		return userError{errors.New("--output parquet is of one series; marketdata export writes a file of each")}
	}
	if isTerminal(c.out) {
		return errParquetOnTerminal
	}

	return nil
}

// request is what is asked of each symbol.
func (c *command) request(grid string, o fetchOptions) (r domain.DataRequest, err error) {
	if r.Key.Grid, err = domain.ParseGrid(grid); err != nil {
		return r, fmt.Errorf("the grid comes last: %w", err)
	}
	if r.Key.PriceType, err = domain.ParsePriceType(o.kind); err != nil {
		return r, err
	}
	if r.Start, r.End, err = o.times(c.now(), r.Key.Grid.Zone()); err != nil {
		return r, err
	}

	r.First, r.Last, r.Resample = o.first, o.last, o.resample
	return r, errors.Join(r.Quality.UnmarshalText([]byte(o.quality)), r.Fill.UnmarshalText([]byte(o.fill)))
}

// fetchOne is fetch of the bars of one symbol, all of them or a page.
func (c *command) fetchOne(ctx context.Context, whole domain.DataRequest, o fetchOptions) error {
	r, err := o.page.request(whole, o.span)
	if err != nil {
		return err
	}

	md, done, err := c.open(ctx)
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

	c.tell("", result, o.verbose)
	if result.Series.Len() == 0 {
		if err := c.tellHeld(ctx, md, r.Key); err != nil {
			return err
		}
	}

	if o.output != formatJSON {
		next.tell(c.err)
	}
	return nil
}

// explain prints the plan of the request: a tree for people, JSON for programs.
func (c *command) explain(ctx context.Context, md *app.Service, r domain.DataRequest, format string) error {
	how, err := md.Explain(ctx, r)
	if err != nil {
		return err
	}
	if format == formatJSON {
		return indented(c.out, how)
	}

	_, err = fmt.Fprintln(c.out, strings.TrimSuffix(how.String(), "\n"))
	return err
}

// tell says on standard error what the bars do not show. Each note begins with the name given, of one of several.
func (c *command) tell(name string, r domain.Result, verbose bool) {
	note := func(format string, args ...any) { c.notef("%s%s", name, fmt.Sprintf(format, args...)) }
	if r.Clamped {
		note("the end was beyond now, %s; bars are shown once they are over", stamp(r.Now))
	}
	if n := len(r.Uncovered); n > 0 {
		note("nobody holds %s", some(r.Uncovered, domain.Range.String))
	}
	if n := len(r.Filled); n > 0 {
		note("filled, since nothing traded there: %s", some(r.Filled, domain.Range.String))
	}
	for _, f := range r.Quality.Findings {
		note("quality: %s: %d of %d bars, the first at %s (%s, %s)", f.Detail, f.Count, r.Quality.Bars, stamp(f.First), f.Rule, f.Severity)
	}
	if len(r.Quality.Dropped) > 0 {
		note("left out: %s", some(r.Quality.Dropped, stamp))
	}
	if verbose {
		for _, leg := range r.Provenance {
			source := leg.Grid.String()
			if leg.Ticks != "" {
				source = string(leg.Ticks)
			}
			from := ""
			if leg.Cached {
				from = ", out of a cache"
			}
			note("%s served %d bars of %s in %s%s", leg.Store, leg.Bars, source, leg.Range, from)
		}
		note("as of %s; go on from --start %s", stamp(r.Now), stamp(r.Next))
	}
}

// tellHeld says what there is of the symbols where the answers are empty.
func (c *command) tellHeld(ctx context.Context, md *app.Service, keys ...domain.SeriesKey) error {
	if len(keys) == 0 {
		return nil
	}

	symbols := make([]domain.Symbol, len(keys))
	for i, key := range keys {
		symbols[i] = key.Symbol
	}
	all, err := md.Coverage(ctx, symbols...)
	if err != nil {
		return err
	}

	for _, key := range keys {
		held := slices.DeleteFunc(slices.Clone(all), func(e ports.StoreExtent) bool { return e.Key.Symbol != key.Symbol })
		if len(held) == 0 {
			c.notef("no bars: nothing is held of %s", key.Symbol)
			continue
		}

		c.notef("no bars of %s there; held is %s", key, some(held, func(e ports.StoreExtent) string {
			return fmt.Sprintf("%s in %s", e.Key, e.Range)
		}))
	}

	return nil
}

// some lists the first few items.
func some[T any](items []T, text func(T) string) string {
	const few = 5
	var s strings.Builder
	for i, item := range items {
		if i == few {
			fmt.Fprintf(&s, " and %d more", len(items)-few)
			break
		}

		if i > 0 {
			s.WriteString(", ")
		}
		s.WriteString(text(item))
	}

	return s.String()
}
