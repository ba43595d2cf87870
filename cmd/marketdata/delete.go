package main

import (
	"context"
	"errors"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const deleteHelp = `Delete the bars of series in a range, or their trades (--trades) or quotes
(--quotes), and the coverage of the range. The symbol may be a pattern. Without
--start or --end, the range extends to the start or the end of the coverage.
With --symbol-too, each symbol that has no data left afterwards is removed, too;
without a frequency, everything of the symbol is deleted before.
Without --yes, nothing is deleted, and the rows that would be are counted.`

const deleteExample = `  marketdata delete BTC/USD 1m --start 2018-04-05 --end 2018-04-06
  marketdata delete BTC/USD 1d --yes
  marketdata delete 'COINBASE:*' 1m --end -2w
  marketdata delete --trades XRP/ETH --yes
  marketdata delete --symbol-too XRP/ETH --yes`

// deleteReport reports the rows of one series that are deleted, or would be.
type deleteReport struct {
	Series  string       `json:"series"`
	Kind    file.Kind    `json:"data"`
	Range   domain.Range `json:"range"`
	Deleted int          `json:"deleted"`
}

var deleteList = listing[deleteReport]{
	columns: []column{
		{name: "series"}, {name: "data", usual: "bars"}, {name: "start", kind: instant},
		{name: "end", kind: instant}, {name: "deleted", kind: number},
	},
	cells: func(d deleteReport) []string {
		return []string{d.Series, string(d.Kind), stamp(d.Range.Start), stamp(d.Range.End), strconv.Itoa(d.Deleted)}
	},
}

type deleteOptions struct {
	window              rangeFlags
	price, output       string
	trades, quotes, yes bool
	symbolToo           bool
}

// isEverything reports whether bars of all frequencies, trades and quotes are deleted.
func (o deleteOptions) isEverything(args []string) bool {
	return o.symbolToo && len(args) == 1 && !o.trades && !o.quotes
}

func (c *command) deleteCommand() *cobra.Command {
	var o deleteOptions
	cmd := &cobra.Command{
		Use:     "delete SYMBOL FREQUENCY|--trades|--quotes|--symbol-too",
		Short:   "Delete the bars, trades or quotes of a range",
		Long:    deleteHelp,
		Example: deleteExample,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.trades || o.quotes {
				return arguments("a symbol, like: marketdata delete --trades BTC/USD", 1, 1)(cmd, args)
			}
			if o.isEverything(args) {
				return nil
			}

			return arguments("a symbol and a frequency, like: marketdata delete BTC/USD 1m --start 2018-04-05", 2, 2)(cmd, args)
		},
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.trades && o.quotes {
				return userErrorf("--trades and --quotes exclude each other; give one of them")
			}
			if (o.trades || o.quotes) && cmd.Flags().Changed("price") {
				return userErrorf("--price is for bars; leave it out with --trades and --quotes")
			}
			if o.isEverything(args) {
				if o.window.isSet() || cmd.Flags().Changed("price") {
					return userErrorf("--symbol-too deletes everything of a symbol; " +
						"give a frequency, --trades or --quotes with --start, --end and --price")
				}
				o.price = "" // every type
			}

			selected, err := newSelector(args[0], args[1:], o.price)
			if err != nil {
				return err
			}
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}

			return c.runDelete(cmd.Context(), selected, o)
		},
	}
	flags := cmd.Flags()
	o.window.register(flags, "`time` of the first row to delete (default the start of the coverage)",
		"`time` to stop before (default the end of the coverage)")
	flags.BoolVar(&o.trades, "trades", false, "delete the trades of a symbol")
	flags.BoolVar(&o.quotes, "quotes", false, "delete the quotes of a symbol")
	priceFlag(flags, &o.price)
	flags.BoolVar(&o.symbolToo, "symbol-too", false, "remove each symbol that has no data left")
	flags.BoolVar(&o.yes, "yes", false, "delete the rows; without it, only count them")
	outputFlag(flags, &o.output)

	return cmd
}

func (c *command) runDelete(ctx context.Context, selected selector, o deleteOptions) error {
	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	d := deletion{c: c, md: md, o: o}
	switch {
	case o.trades || o.quotes:
		err = d.ticks(ctx, selected)
	case o.symbolToo && len(selected.grids) == 0:
		err = d.everything(ctx, selected)
	default:
		err = d.bars(ctx, selected)
	}
	if err == nil && o.symbolToo {
		err = d.removeSymbols(ctx, selected)
	} else if err == nil && len(d.reports) == 0 {
		return selected.errNoData(ctx, md, "delete")
	}

	return errors.Join(err, d.print())
}

// deletion is one delete or retain command as it runs.
type deletion struct {
	c       *command
	md      *app.Service
	o       deleteOptions
	retains bool // a retain command: its window has an end only
	found   int  // the selected series that have data
	reports []deleteReport
}

// print prints the reports, and notes that a dry run deleted nothing.
func (d *deletion) print() error {
	if len(d.reports) > 0 && !d.o.yes {
		d.c.notef("dry run: nothing was deleted; add --yes to delete these rows")
	}

	return deleteList.print(d.c.out, d.o.output, d.reports)
}

// bars deletes the selected bars.
func (d *deletion) bars(ctx context.Context, selected selector) error {
	all, err := selected.coverage(ctx, d.md)
	for _, s := range all {
		if err == nil {
			err = deleteRows(ctx, d, file.KindBars, ingest.BarsOf(d.md, s.key), s.key.Grid.Zone())
		}
	}

	return err
}

// ticks deletes the trades or the quotes of the selected symbols.
func (d *deletion) ticks(ctx context.Context, selected selector) error {
	all, err := ports.Collect(d.md.TickCoverage(ctx, selected.symbols()...))
	if err != nil {
		return err
	}

	kind := domain.TickTrades
	if d.o.quotes {
		kind = domain.TickQuotes
	}
	var last domain.Symbol
	for _, e := range all { // ordered by symbol
		if e.Kind != kind || e.Symbol == last || !selected.matchesSymbol(e.Symbol) {
			continue
		}

		last = e.Symbol
		if d.o.quotes {
			err = deleteRows(ctx, d, file.KindQuotes, ingest.QuotesOf(d.md, e.Symbol), "")
		} else {
			err = deleteRows(ctx, d, file.KindTrades, ingest.TradesOf(d.md, e.Symbol), "")
		}
		if err != nil {
			return err
		}
	}

	return nil
}

// deleteRows deletes the rows of one series in the range of the flags, or counts them in a dry run. Dates are in the
// time zone.
func deleteRows[S ingest.Rows[S]](
	ctx context.Context, d *deletion, kind file.Kind, rows ingest.Dataset[S], zone string,
) error {
	d.found++
	start, end, err := d.o.window.times(d.c.now(), zone)
	if err == nil && d.retains {
		return retainRows(ctx, d, kind, rows, end)
	}
	if err != nil {
		return err
	}

	coverage, err := rows.Coverage(ctx)
	if err != nil {
		return err
	}

	r := domain.Range{Start: start, End: end}
	if start.IsZero() {
		r.Start = hull(coverage).Start
	}
	if end.IsZero() {
		r.End = hull(coverage).End
	}
	if (start.IsZero() || end.IsZero()) && r.Empty() {
		return nil // the series has no rows there
	}
	if r, err = domain.NewRange(r.Start, r.End); err != nil {
		return err
	}

	report := deleteReport{Series: rows.Name(), Kind: kind, Range: r}
	if d.o.yes {
		deleted, err := rows.Delete(ctx, r)
		if err != nil {
			return err
		}

		report.Deleted = deleted.Deleted
	} else {
		report.Deleted, err = countRows(ctx, rows, domain.ClipRanges(coverage, r))
		if err != nil {
			return err
		}
	}
	d.reports = append(d.reports, report)

	return nil
}

// countRows counts the rows of covered ranges.
func countRows[S ingest.Rows[S]](
	ctx context.Context, rows ingest.Dataset[S], covered []domain.Range,
) (n int, err error) {
	const pageRows = 100_000
	for page, err := range ingest.Pages(ctx, rows, covered, pageRows) {
		if err != nil {
			return n, err
		}

		n += page.Rows.Len()
	}

	return n, nil
}
