package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const importHelp = `Store the bars, trades or quotes of CSV files (- is standard input) or of Parquet files, all of one series.

The first line names the columns, which tell what the file holds; those of common exports are recognised in any order and case:
  bars    time (or timestamp, date, open_time, unix...), open, high, low, close, volume, and trades where there are counts
  trades  time, price, size (or qty, amount...), and where there are any, id (or trade_id, seq...) and side
  quotes  time, bid, ask, bid_size, ask_size (or bid_qty...), and where there is one, id
Bars need a --grid; Binance klines need no first line. Trades and quotes without an id are numbered within their instant, in the
order of the file; times finer than a microsecond are cut to it, and counted.
Times carry their zone, or are numbers of s, ms, us or ns since 1970. What could be read in two ways is refused, with the file,
the line and the flag that settles it; so is a row that is wrong, out of order, not over yet, or there twice and different.

A file claims to be complete from its first row to its last: a bar missing between means that nothing was traded.
--claim-start and --claim-end claim more, once all files are stored.

A file that ends in .parquet has these columns by these names: time as TIMESTAMP in UTC, prices, sizes and volumes as DECIMAL or
integers, a number (seq) as an integer, side as a string; floats are refused. One that export wrote names its series: --symbol and
--grid may be left out.

With --rejects the rows that are wrong go to a file of their own, with line and reason, and the others are stored. What a rejected
row would have said is not known: the claim leaves it open. Of two rows of one bar that differ, the second is rejected.

Rows are stored a batch at a time, each whole or not at all. After an error, a crash or Ctrl-C run the same command again: what is
stored already is read, found unchanged and not written again.`

const importExample = `  marketdata import --symbol COINBASE:BTC/USD --grid 1m BTC-USD_1m_coinbase_2018-04.csv
  marketdata import --symbol BINANCE:BTC/USDT --grid 1h BTCUSDT-1h-2024-*.csv
  marketdata import --symbol ACME --grid 1d@America/New_York --time-zone America/New_York acme.csv
  marketdata import --symbol BTC/USD --grid 1m --column time=Unix --column "volume=Volume BTC" export.csv
  marketdata import --symbol BTC/USD --grid 1m --rejects bad.csv export.csv
  marketdata import --symbol XRP/ETH XRP-ETH_trades_2019-10.csv
  marketdata import hours.parquet
  marketdata import --symbol XRP/ETH notebook.parquet
  zcat bars.csv.gz | marketdata import --symbol BTC/USD --grid 1m -`

// imported is the report on one file.
type imported struct {
	File  string    `json:"file"`
	Holds file.Kind `json:"holds"`
	Rows  int       `json:"rows"`
	ports.WriteReport
	Repeated  int          `json:"repeated"`  // rows that said the same as the row before them
	Truncated int          `json:"truncated"` // times that were finer than a microsecond
	Rejected  int          `json:"rejected"`  // rows that were wrong and went to the file of --rejects
	Range     domain.Range `json:"range"`     // from the first row to the end of the last
}

var importList = listing[imported]{
	columns: []column{
		{name: "file"}, {name: "holds"}, {"rows", true}, {"inserted", true}, {"changed", true}, {"unchanged", true}, {"repeated", true},
		{"truncated", true}, {"rejected", true}, {name: "start"}, {name: "end"},
	},
	cells: func(r imported) []string {
		return []string{
			r.File, string(r.Holds), strconv.Itoa(r.Rows), strconv.Itoa(r.Inserted), strconv.Itoa(r.Changed), strconv.Itoa(r.Unchanged),
			strconv.Itoa(r.Repeated), strconv.Itoa(r.Truncated), strconv.Itoa(r.Rejected),
			stamp(r.Range.Start), stamp(r.Range.End),
		}
	},
}

type importOptions struct {
	span
	symbol, grid, kind string
	priced             bool // kind was given
	columns            map[string]string
	timeUnit, timeZone string
	rejects            string
	output             string
}

// forCSV is the flags that say how to read text.
var forCSV = []string{"column", "time-unit", "time-zone", "rejects"}

func (c *command) imports() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:     "import [--symbol SYMBOL] [--grid GRID] FILE...",
		Short:   "Store the bars, trades or quotes of CSV or Parquet files",
		Long:    importHelp,
		Example: importExample,
		Args:    arguments("files to import, like: marketdata import --symbol BTC/USD --grid 1m bars.csv", 1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			o.priced = cmd.Flags().Changed("kind")
			if slices.ContainsFunc(files, isParquet) && slices.ContainsFunc(forCSV, cmd.Flags().Changed) {
				return userError{fmt.Errorf("--%s are for CSV; a Parquet file says itself what its columns and times are",
					strings.Join(forCSV, ", --"))}
			}
			if err := c.settle(&o.output); err != nil {
				return err
			}

			return c.runImport(cmd.Context(), files, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.symbol, "symbol", "", "`symbol` of the rows, like BTC/USD or COINBASE:BTC/USD")
	flags.StringVar(&o.grid, "grid", "", "`grid` of the bars, like 1m, 1d or 1d@America/New_York")
	flags.StringVar(&o.kind, "kind", domain.PriceTrade.String(), kindHelp)
	flags.StringToStringVar(&o.columns, "column", nil, "the file's name for a column that is not recognised: `column=NAME`, like time=Unix")
	flags.StringVar(&o.timeUnit, "time-unit", file.TimeUnitAuto.String(), "`unit` of times that are numbers: s, ms, us, ns, or auto where only one can be meant")
	flags.StringVar(&o.timeZone, "time-zone", "", "time `zone` of times that name none, like UTC or America/New_York")
	flags.StringVar(&o.rejects, "rejects", "", "put rows that are wrong into this `file` (CSV) instead of stopping at the first")
	o.register(flags, "claim-start", "claim that there is nothing between this `time` and the first row",
		"claim-end", "claim that there is nothing between the last row and this `time`")
	outputFlag(flags, &o.output)

	return cmd
}

// suggestion is what the name of a file, like BTC-USD_1m_coinbase_2018-04.csv, may mean: for the user to judge.
func suggestion(name string) string {
	parts := strings.Split(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), "_")
	base, quote, pair := strings.Cut(parts[0], "-")
	if !pair || len(parts) < 2 {
		return ""
	}

	symbol := strings.ToUpper(base + "/" + quote)
	if len(parts) > 2 && strings.Trim(strings.ToLower(parts[2]), "abcdefghijklmnopqrstuvwxyz") == "" {
		symbol = strings.ToUpper(parts[2]) + ":" + symbol
	}
	key, err := parseKey(symbol, parts[1], domain.PriceTrade.String())
	if err != nil {
		return ""
	}

	return fmt.Sprintf("; going by the file's name, perhaps: --symbol %s --grid %s", key.Symbol, key.Grid)
}

func (c *command) runImport(ctx context.Context, files []string, o importOptions) (err error) {
	first, err := c.openInput(files[0], o.columns)
	if err != nil {
		return userError{err}
	}

	defer first.Close()
	var aside *rejects
	if o.rejects != "" {
		aside = &rejects{path: o.rejects}
		defer func() {
			err = errors.Join(err, aside.close())
			if aside.count > 0 {
				c.notef("%d rows were wrong and are in %s", aside.count, aside.path)
			}
		}()
	}

	into, err := o.target(first, aside)
	if err != nil {
		return err
	}

	start, end, err := o.times(c.now(), into.zone)
	if err != nil {
		return err
	}

	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	var reports []imported
	for i, name := range files {
		in := first
		if i > 0 {
			if in, err = c.openInput(name, o.columns); err != nil {
				err = userError{err}
			}
		}

		report := imported{File: name}
		if err == nil {
			before := aside.seen()
			report, err = c.importFile(ctx, md, in, into)
			report.Rejected = aside.seen() - before
		}

		reports = append(reports, report)
		if err != nil {
			return hinted(fmt.Errorf("%w\n%s", err, kept(reports, into)))
		}
	}

	if o.given() && aside.seen() > 0 {
		c.notef("nothing more is claimed than the rows that are stored: what the rejected ones would have said is not known")
	} else if o.given() {
		if err := c.claim(ctx, md, into, reports, start, end); err != nil {
			return err
		}
	}

	return importList.print(c.out, o.output, reports)
}

// importFile stores the file batch by batch and closes it. The report is of what was stored, with an error too.
func (c *command) importFile(ctx context.Context, md *app.Service, in *input, into target) (imported, error) {
	defer in.Close()
	report := imported{File: in.name, Holds: in.holds}
	if in.holds != into.holds {
		return report, userError{fmt.Errorf("%s holds %s, and the file before it %s; import them apart", in.name, in.holds, into.holds)}
	}

	counter, shown := c.progress(filepath.Base(in.name), in.size)
	defer shown()
	for batch, err := range into.batches(md, in, counter) {
		if err != nil {
			return report, err
		}

		wrote, err := batch.write(ctx)
		if err != nil {
			return report, inFile(in.name, batch.locate(err))
		}

		if report.Rows == 0 {
			report.Range.Start = batch.span.Start
		}
		report.Range.End = batch.span.End
		report.Rows += batch.rows
		report.Repeated += batch.repeated
		report.Truncated += batch.truncated
		report.WriteReport = report.Add(wrote)
	}
	if report.Rows == 0 {
		return report, userError{fmt.Errorf("%s: no %s in it", in.name, in.holds)}
	}

	return report, nil
}

// inFile names the file in an error that does not name it yet.
func inFile(name string, err error) error {
	if located := (*file.LineError)(nil); errors.As(err, &located) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// claim stretches what the files claim, from the first row of all to the end of the last, to the times given.
func (c *command) claim(ctx context.Context, md *app.Service, into target, reports []imported, start, end time.Time) error {
	all := reports[0].Range
	for _, r := range reports {
		if r.Range.Start.Before(all.Start) {
			all.Start = r.Range.Start
		}
		if r.Range.End.After(all.End) {
			all.End = r.Range.End
		}
	}

	for _, more := range []domain.Range{{Start: start, End: all.Start}, {Start: all.End, End: end}} {
		if more.Start.IsZero() || more.End.IsZero() {
			continue
		}
		if more = into.align(more); more.Empty() {
			c.notef("there is nothing to claim from %s to %s: the files reach further", stamp(more.Start), stamp(more.End))
			continue
		}
		if err := into.claim(ctx, md, more); err != nil {
			return fmt.Errorf("the %s were stored, but not the claim on %s: %w", into.holds, more, err)
		}
	}

	return nil
}

// hinted names the flag that settles what is unclear in a file.
func hinted(err error) error {
	var unclear *file.AmbiguousError
	if !errors.As(err, &unclear) {
		return err
	}

	return fmt.Errorf("%w\n%s", err, map[file.Setting]string{
		file.SettingColumns:  "to say which column it is, add --column " + unclear.Column + "=NAME, with the name as the file spells it",
		file.SettingTimeUnit: "to say what the numbers count, add --time-unit s, ms, us or ns",
		file.SettingTimeZone: "to say in which zone the file's times are, add --time-zone UTC, or its IANA name like America/New_York",
	}[unclear.Setting])
}

// kept says what of an import that did not end well is in the store.
func kept(reports []imported, into target) string {
	var rows int
	var last time.Time
	for _, r := range reports {
		if r.Rows > 0 {
			rows, last = rows+r.Rows, r.Range.End
		}
	}
	if rows == 0 {
		return "nothing was stored"
	}

	return fmt.Sprintf("kept: the %d %s of %s before, up to %s; run the same command again to go on", rows, into.holds, into.series, stamp(last))
}
