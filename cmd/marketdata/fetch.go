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

const fetchHelp = `Print the bars of a series, or with --trades or --quotes those of a symbol: exact, in order of time, bars when they are over.

What the answer does not tell by itself stands on standard error: ranges that nobody holds, an end beyond now that was clamped,
what the quality rules found. Without --start and --end it is all there is. Bars may also go out with --output parquet; for ranges of
any length there is marketdata export.`

const fetchExample = `  marketdata fetch BTC/USD 1m --last 20
  marketdata fetch BTC/USD 1d --start 2018-01-01 --end 2018-02-01
  marketdata fetch COINBASE:BTC/USD 1h --start -7d --output json
  marketdata fetch ACME 1d@America/New_York --start 2018-04-04 --first 1
  marketdata fetch BTC/USD 1h --start -30d --explain
  marketdata fetch BTC/USD 1m --start -1h --fill previous
  marketdata fetch BTC/USD 1m --kind bid --quality drop > bids.csv
  marketdata fetch BTC/USD 1h --start 2018-01-01 --output parquet > hours.parquet
  marketdata fetch --trades XRP/ETH --start 2019-10-11 --first 100
  marketdata fetch --quotes BTC/USD --start -1h --output ndjson`

type fetchOptions struct {
	span
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
		Use:     "fetch SYMBOL GRID | --trades SYMBOL | --quotes SYMBOL",
		Short:   "Print the bars of a series, or the trades or quotes of a symbol",
		Long:    fetchHelp,
		Example: fetchExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.trades || o.quotes {
				return arguments("a symbol, like: marketdata fetch --trades BTC/USD", 1, 1)(cmd, args)
			}
			return arguments("a symbol and a grid, like: marketdata fetch BTC/USD 1m", 2, 2)(cmd, args)
		},
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.trades || o.quotes {
				o.ofBars = slices.ContainsFunc([]string{"kind", "quality", "fill", "resample", "explain"}, cmd.Flags().Changed)
				return c.fetchTicks(cmd.Context(), args[0], o)
			}
			request, err := c.request(args[0], args[1], o)
			if err != nil {
				return err
			}
			if o.output == formatParquet && isTerminal(c.out) {
				return userError{errors.New("--output parquet is not for a terminal: send it to a file, like > bars.parquet")}
			}
			if o.output != formatParquet {
				if err := c.settle(&o.output); err != nil {
					return err
				}
			}
			return c.runFetch(cmd.Context(), request, o)
		},
	}
	flags := cmd.Flags()
	o.register(flags, "start", "`time` of the first one wanted (default the first one held)", "end", "`time` to stop before (default now)")
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

func (c *command) request(symbol, grid string, o fetchOptions) (domain.DataRequest, error) {
	key, err := parseKey(symbol, grid, o.kind)
	if err != nil {
		return domain.DataRequest{}, err
	}
	r := domain.DataRequest{Key: key, First: o.first, Last: o.last, Resample: o.resample}
	if r.Start, r.End, err = o.times(c.now(), key.Grid.Zone()); err != nil {
		return domain.DataRequest{}, err
	}
	return r, errors.Join(r.Quality.UnmarshalText([]byte(o.quality)), r.Fill.UnmarshalText([]byte(o.fill)))
}

func (c *command) runFetch(ctx context.Context, r domain.DataRequest, o fetchOptions) error {
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
	if err := printResult(c.out, o.output, result); err != nil {
		return err
	}
	c.tell(result, o.verbose)
	if result.Series.Len() == 0 {
		return c.tellHeld(ctx, md, r.Key)
	}
	return nil
}

// explain prints the plan of the request: a tree for people, JSON for programs.
func (c *command) explain(ctx context.Context, md *app.Marketdata, r domain.DataRequest, format string) error {
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

// tell says on standard error what the bars do not show.
func (c *command) tell(r domain.Result, verbose bool) {
	if r.Clamped {
		c.notef("the end was beyond now, %s; bars are shown once they are over", stamp(r.Now))
	}
	if n := len(r.Uncovered); n > 0 {
		c.notef("nobody holds %s", some(r.Uncovered, domain.Range.String))
	}
	if n := len(r.Filled); n > 0 {
		c.notef("filled, since nothing traded there: %s", some(r.Filled, domain.Range.String))
	}
	for _, f := range r.Quality.Findings {
		c.notef("quality: %s: %d of %d bars, the first at %s (%s, %s)", f.Detail, f.Count, r.Quality.Bars, stamp(f.First), f.Rule, f.Severity)
	}
	if len(r.Quality.Dropped) > 0 {
		c.notef("left out: %s", some(r.Quality.Dropped, stamp))
	}
	if verbose {
		for _, leg := range r.Provenance {
			source := leg.Grid.String()
			if leg.Ticks != "" {
				source = string(leg.Ticks)
			}
			c.notef("%s served %d bars of %s in %s", leg.Store, leg.Bars, source, leg.Range)
		}
		c.notef("as of %s; go on from --start %s", stamp(r.Now), stamp(r.Next))
	}
}

// tellHeld says what there is of the symbol where the answer is empty.
func (c *command) tellHeld(ctx context.Context, md *app.Marketdata, key domain.SeriesKey) error {
	held, err := md.Coverage(ctx, key.Symbol)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		c.notef("no bars: nothing is held of %s", key.Symbol)
		return nil
	}
	c.notef("no bars of %s there; held is %s", key, some(held, func(e ports.StoreExtent) string {
		return fmt.Sprintf("%s in %s", e.Key, e.Range)
	}))
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
