package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const exportHelp = `Write the bars of a series, or the trades or quotes of a symbol, to a file. The range may be of any length.

The file's ending says what it becomes, or --format does:
  .csv     a line of names, then a line a row, as marketdata import reads it
  .ndjson  a JSON object a line
  .parquet a table for a notebook, as pandas, polars and DuckDB read it: times in UTC, numbers as DECIMAL(38, 18), exact
  .bars    packed bars with the claims on them, which a backtest loads into memory (memory.Open in Go); it may hold several series:
           the symbol may be a pattern

The file appears when it is whole and takes the place of an older one then: after an error or Ctrl-C nothing of it is left.`

const exportExample = `  marketdata export COINBASE:BTC/USD 1m btc.csv
  marketdata export COINBASE:BTC/USD 1d days.ndjson --start 2018-01-01 --end 2019-01-01
  marketdata export COINBASE:BTC/USD 1h hours.parquet
  marketdata export 'COINBASE:*' 1m market.bars
  marketdata export --trades XRP/ETH trades.csv --start -7d
  marketdata export --quotes BTC/USD quotes.parquet`

// The values of export's --format that --output does not have.
const formatBars = "bars"

// exported is the report on one series of the file.
type exported struct {
	File   string       `json:"file"`
	Series string       `json:"series"`
	Holds  file.Kind    `json:"holds"`
	Rows   int          `json:"rows"`
	Range  domain.Range `json:"range"` // from the start of what is held of the range asked for to its end
}

var exportList = listing[exported]{
	columns: []column{{name: "file"}, {name: "series"}, {name: "holds"}, {"rows", true}, {name: "start"}, {name: "end"}},
	cells: func(e exported) []string {
		return []string{e.File, e.Series, string(e.Holds), strconv.Itoa(e.Rows), stamp(e.Range.Start), stamp(e.Range.End)}
	},
}

type exportOptions struct {
	span
	kind, quality, format, output string
	trades, quotes                bool
}

func (c *command) export() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:     "export SYMBOL GRID FILE | --trades SYMBOL FILE | --quotes SYMBOL FILE",
		Short:   "Write bars, trades or quotes to a file",
		Long:    exportHelp,
		Example: exportExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.trades || o.quotes {
				return arguments("a symbol and a file, like: marketdata export --trades BTC/USD trades.csv", 2, 2)(cmd, args)
			}
			return arguments("a symbol, a grid and a file, like: marketdata export BTC/USD 1m btc.csv", 3, 3)(cmd, args)
		},
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.trades && o.quotes {
				return userError{errors.New("--trades and --quotes: give one of them")}
			}
			if (o.trades || o.quotes) && (cmd.Flags().Changed("kind") || cmd.Flags().Changed("quality")) {
				return userError{errors.New("--kind and --quality are for bars; leave them out with --trades and --quotes")}
			}
			if err := c.settle(&o.output); err != nil {
				return err
			}

			return c.runExport(cmd.Context(), args, o)
		},
	}
	flags := cmd.Flags()
	o.register(flags, "start", "`time` of the first row wanted (default the first held)", "end", "`time` to stop before (default the end of the last held)")
	flags.BoolVar(&o.trades, "trades", false, "the trades of a symbol")
	flags.BoolVar(&o.quotes, "quotes", false, "the quotes of a symbol")
	flags.StringVar(&o.format, "format", "", "`form` of the file: csv, ndjson, parquet or bars (default by its ending)")
	flags.StringVar(&o.kind, "kind", domain.PriceTrade.String(), kindHelp)
	flags.StringVar(&o.quality, "quality", domain.QualityFail.String(), "`policy` for a bar that is wrong: fail, drop (leave it out), flag (write it)")
	outputFlag(flags, &o.output)

	return cmd
}

// settleFormat finds the form of the file.
func (o *exportOptions) settleFormat(path string) error {
	if o.format == "" {
		o.format = strings.TrimPrefix(filepath.Ext(path), ".")
	}
	switch o.format {
	case formatCSV, formatNDJSON, formatParquet:
		return nil
	case formatBars:
		if o.trades || o.quotes {
			return userError{fmt.Errorf("a file of %s holds neither trades nor quotes; export them as csv, ndjson or parquet", o.format)}
		}
		return nil
	}

	return &domain.InvalidError{What: "--format", Value: o.format, Reason: "one of csv, ndjson, parquet, bars; the file's ending may say it too"}
}

func (c *command) runExport(ctx context.Context, args []string, o exportOptions) error {
	path := args[len(args)-1]
	if err := o.settleFormat(path); err != nil {
		return err
	}

	cfg, err := c.settings()
	if err != nil {
		return err
	}

	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	e := &export{c: c, md: md, page: pageRows(cfg), path: path, o: o}
	if o.trades || o.quotes {
		err = e.ticks(ctx, args[0])
	} else {
		err = e.bars(ctx, args[0], args[1])
	}
	if err != nil {
		return fmt.Errorf("%w\nnothing was written to %s", err, path)
	}

	if e.dropped > 0 {
		c.notef("left out %d bars that break a quality rule; marketdata fetch --quality flag shows them", e.dropped)
	}
	return exportList.print(c.out, o.output, e.reports)
}

// export is one file on its way.
type export struct {
	c       *command
	md      *app.Service
	page    int // rows
	path    string
	o       exportOptions
	reports []exported
	dropped int
}

// bars writes the bars of one series, or into a bar file those of every symbol that matches.
func (e *export) bars(ctx context.Context, pattern, grid string) error {
	sought, err := seek(pattern, []string{grid}, e.o.kind)
	if err != nil {
		return err
	}
	if sought.many() && e.o.format != formatBars {
		return userError{fmt.Errorf("%q is a pattern, and a file of %s holds one series; name a symbol, or export to a .bars file",
			pattern, e.o.format)}
	}

	held, err := e.exportable(ctx, sought)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		return sought.nothing("export")
	}

	var quality domain.QualityPolicy
	if err := quality.UnmarshalText([]byte(e.o.quality)); err != nil {
		return err
	}

	out, err := newBarSink(e.o.format, e.path, held[0].key)
	if err != nil {
		return userError{err}
	}

	defer out.discard()
	for _, s := range held {
		from := barFlow(s.key, quality, func(n int) { e.dropped += n })
		start, end, err := e.o.times(e.c.now(), s.key.Grid.Zone())
		if err != nil {
			return err
		}

		whole := s.key.Grid.Align(spanned(clip([]domain.Range{s.key.Grid.AlignInward(spanned(s.ranges()))}, start, end)))
		if err := exportRows(ctx, e, from, whole, out); err != nil {
			return err
		}
	}

	return out.finish()
}

// exportable is the series that are stored, or where a symbol is named whose series is not, that one, with what it may be made of.
func (e *export) exportable(ctx context.Context, series sought) ([]heldSeries, error) {
	stored, err := series.held(ctx, e.md)
	if err != nil || len(stored) > 0 || series.many() {
		return stored, err
	}

	made := heldSeries{key: domain.SeriesKey{Symbol: domain.Symbol(series.pattern), Grid: series.grids[0], PriceType: series.kind}}
	series.grids = nil
	finer, err := series.held(ctx, e.md)
	if err != nil {
		return nil, err
	}

	for _, s := range finer {
		made.claimed = append(made.claimed, s.ranges()...)
	}
	ticks, err := e.md.TickCoverage(ctx, made.key.Symbol)
	if err != nil {
		return nil, err
	}

	for _, t := range ticks {
		made.claimed = append(made.claimed, t.Range)
	}
	if len(made.claimed) == 0 {
		return nil, nil
	}

	return []heldSeries{made}, nil
}

// ticks writes the trades or the quotes of a symbol.
func (e *export) ticks(ctx context.Context, name string) error {
	symbol, err := domain.ParseSymbol(name)
	if err != nil {
		return err
	}

	start, end, err := e.o.times(e.c.now(), "")
	if err != nil {
		return err
	}

	all, err := e.md.TickCoverage(ctx, symbol)
	if err != nil {
		return err
	}

	kind := domain.TickTrades
	if e.o.quotes {
		kind = domain.TickQuotes
	}
	var held []domain.Range
	for _, t := range all {
		if t.Kind == kind {
			held = append(held, t.Range)
		}
	}
	if len(held) == 0 {
		return notHeld("export", fmt.Sprintf("%s of %s", kind, symbol))
	}

	whole := spanned(clip([]domain.Range{spanned(held)}, start, end))
	if e.o.quotes {
		return exportTicks(ctx, e, quoteFlow(symbol), quoteView, symbol, whole)
	}

	return exportTicks(ctx, e, tradeFlow(symbol), tradeView, symbol, whole)
}

// exportRows writes everything of a series in r.
func exportRows[S rows[S]](ctx context.Context, e *export, from flow[S], r domain.Range, out sink[S]) error {
	passed, shown := e.c.progressOver(from.series, []domain.Range{r})
	defer shown()
	report := exported{File: e.path, Series: from.series, Holds: from.holds, Range: r}
	var gaps []domain.Range
	for p, err := range from.pages(ctx, e.md, r, e.page) {
		if err == nil {
			err = out.write(p.rows, p.span.Subtract(p.gaps))
		}
		if err != nil {
			return err
		}

		report.Rows += p.rows.Len()
		gaps = append(gaps, p.gaps...)
		passed(p.span)
	}
	if report.Rows == 0 {
		return notHeld("export", from.series+" in the range asked for")
	}

	if len(gaps) > 0 {
		e.c.notef("nobody holds %s of %s", some(domain.MergeRanges(gaps), domain.Range.String), from.series)
	}
	e.reports = append(e.reports, report)
	return nil
}

func exportTicks[T domain.Tick](
	ctx context.Context, e *export, from flow[domain.Ticks[T]], view tickView[T], symbol domain.Symbol, r domain.Range,
) error {
	out, err := newTickSink(e.o.format, e.path, view, symbol)
	if err != nil {
		return userError{err}
	}

	defer out.discard()
	if err := exportRows(ctx, e, from, r, out); err != nil {
		return err
	}

	return out.finish()
}

// notHeld is the error that there is nothing of what is named.
func notHeld(op, subject string) error {
	cause := fmt.Errorf("nothing is held; marketdata coverage lists what is: %w", ports.ErrNotFound)
	return &ports.Error{Kind: ports.ErrNotFound, Op: op, Subject: subject, Err: cause}
}
