package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const importHelp = `Store the bars of CSV files (- is standard input), all of one series.

The first line names the columns; those of common exports are recognised in any order and case: time (or timestamp, date,
open_time, unix...), open, high, low, close, volume, and trades where there are counts. Binance klines need no first line.
Times carry their zone, or are numbers of s, ms, us or ns since 1970. What could be read in two ways is refused, with the file,
the line and the flag that settles it; so is a bar that is wrong, out of order, not over yet, or there twice and different.

A file claims to be complete from its first bar to its last: a bar missing between means that nothing was traded.
--claim-start and --claim-end claim more, once all files are stored.

Bars are stored a batch at a time, each whole or not at all. After an error or Ctrl-C run the same command again: what is stored
already is found unchanged.`

const importExample = `  marketdata import --symbol COINBASE:BTC/USD --grid 1m BTC-USD_1m_coinbase_2018-04.csv
  marketdata import --symbol BINANCE:BTC/USDT --grid 1h BTCUSDT-1h-2024-*.csv
  marketdata import --symbol ACME --grid 1d@America/New_York --time-zone America/New_York acme.csv
  marketdata import --symbol BTC/USD --grid 1m --column time=Unix --column "volume=Volume BTC" export.csv
  zcat bars.csv.gz | marketdata import --symbol BTC/USD --grid 1m -`

// imported is the report on one file.
type imported struct {
	File string `json:"file"`
	Bars int    `json:"bars"`
	ports.WriteReport
	Repeated int          `json:"repeated"` // rows that said the same as the row before them
	Range    domain.Range `json:"range"`    // from the first bar to the end of the last
}

var importList = listing[imported]{
	columns: []column{
		{name: "file"}, {"bars", true}, {"inserted", true}, {"changed", true}, {"unchanged", true}, {"repeated", true},
		{name: "start"}, {name: "end"},
	},
	cells: func(r imported) []string {
		return []string{
			r.File, strconv.Itoa(r.Bars), strconv.Itoa(r.Inserted), strconv.Itoa(r.Changed), strconv.Itoa(r.Unchanged),
			strconv.Itoa(r.Repeated), stamp(r.Range.Start), stamp(r.Range.End),
		}
	},
}

type importOptions struct {
	span
	symbol, grid, kind string
	columns            map[string]string
	timeUnit, timeZone string
	output             string
}

func (c *command) imports() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:     "import --symbol SYMBOL --grid GRID FILE...",
		Short:   "Store the bars of CSV files",
		Long:    importHelp,
		Example: importExample,
		Args:    arguments("files to import, like: marketdata import --symbol BTC/USD --grid 1m bars.csv", 1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			cfg, err := o.format(files[0])
			if err != nil {
				return err
			}
			start, end, err := o.times(c.now(), cfg.Key.Grid.Zone())
			if err != nil {
				return err
			}
			if err := c.settle(&o.output); err != nil {
				return err
			}
			return c.runImport(cmd.Context(), files, cfg, start, end, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.symbol, "symbol", "", "`symbol` of the bars, like BTC/USD or COINBASE:BTC/USD")
	flags.StringVar(&o.grid, "grid", "", "`grid` of the bars, like 1m, 1d or 1d@America/New_York")
	flags.StringVar(&o.kind, "kind", domain.PriceTrade.String(), kindHelp)
	flags.StringToStringVar(&o.columns, "column", nil, "the file's name for a column that is not recognised: `column=NAME`, like time=Unix")
	flags.StringVar(&o.timeUnit, "time-unit", file.TimeUnitAuto.String(), "`unit` of times that are numbers: s, ms, us, ns, or auto where only one can be meant")
	flags.StringVar(&o.timeZone, "time-zone", "", "time `zone` of times that name none, like UTC or America/New_York")
	o.register(flags, "claim-start", "claim that nothing was traded between this `time` and the first bar",
		"claim-end", "claim that nothing was traded between the last bar and this `time`")
	outputFlag(flags, &o.output)
	return cmd
}

// format is how the files are to be read.
func (o importOptions) format(first string) (file.Config, error) {
	if o.symbol == "" || o.grid == "" {
		return file.Config{}, userError{errors.New("--symbol and --grid are needed, like --symbol BTC/USD --grid 1m: a file does not hold them" + suggestion(first))}
	}
	key, err := parseKey(o.symbol, o.grid, o.kind)
	if err != nil {
		return file.Config{}, err
	}
	unit, err := file.ParseTimeUnit(o.timeUnit)
	if err != nil {
		return file.Config{}, fmt.Errorf("--time-unit: %w", err)
	}
	cfg := file.Config{Key: key, Format: file.Format{Columns: o.columns, TimeUnit: unit, TimeZone: o.timeZone}}
	return cfg, cfg.Validate()
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

func (c *command) runImport(ctx context.Context, files []string, cfg file.Config, start, end time.Time, o importOptions) error {
	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	var reports []imported
	for _, name := range files {
		report, failed := c.importFile(ctx, md, name, cfg)
		reports = append(reports, report)
		if failed != nil {
			err = fmt.Errorf("%w\n%s", failed, kept(reports, cfg.Key))
			break
		}
	}
	if err == nil && o.given() {
		err = c.claim(ctx, md, cfg.Key, reports, start, end)
	}
	if err != nil {
		return hinted(err)
	}
	return importList.print(c.out, o.output, reports)
}

// importFile stores the file batch by batch. The report is of what was stored, with an error too.
func (c *command) importFile(ctx context.Context, md *app.Marketdata, name string, cfg file.Config) (imported, error) {
	report := imported{File: name}
	in, size, err := c.openInput(name)
	if err != nil {
		return report, userError{err}
	}
	defer in.Close()
	counter, shown := c.progress(filepath.Base(name), size)
	defer shown()
	cfg.Name = name
	for batch, err := range file.ReadBars(io.TeeReader(in, counter), cfg) {
		if err != nil {
			return report, err
		}
		wrote, err := md.Ingest(ctx, batch.Bars, batch.Range)
		if err != nil {
			return report, inFile(name, batch.Locate(err))
		}
		if report.Bars == 0 {
			report.Range.Start = batch.Range.Start
		}
		report.Range.End = batch.Range.End
		report.Bars += batch.Bars.Len()
		report.Repeated += batch.Repeated
		report.WriteReport = report.Add(wrote)
	}
	if report.Bars == 0 {
		return report, userError{fmt.Errorf("%s: no bars: there is nothing below the line that names the columns", name)}
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

// openInput opens a file, or standard input for -, whose size is -1.
func (c *command) openInput(name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(c.in), -1, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a folder; name the files in it", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

// claim stretches what the files claim, from the first bar of all to the end of the last, to the times given.
func (c *command) claim(ctx context.Context, md *app.Marketdata, key domain.SeriesKey, reports []imported, start, end time.Time) error {
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
		if more = key.Grid.Align(more); more.Empty() {
			c.notef("there is nothing to claim from %s to %s: the files reach further", stamp(more.Start), stamp(more.End))
			continue
		}
		if _, err := md.Ingest(ctx, domain.EmptySeries(key), more); err != nil {
			return fmt.Errorf("the bars were stored, but not the claim on %s: %w", more, err)
		}
	}
	return nil
}

// hinted names the flag that settles what is unclear in a file.
func hinted(err error) error {
	var unclear *file.UnclearError
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
func kept(reports []imported, key domain.SeriesKey) string {
	var bars int
	var last time.Time
	for _, r := range reports {
		if r.Bars > 0 {
			bars, last = bars+r.Bars, r.Range.End
		}
	}
	if bars == 0 {
		return "nothing was stored"
	}
	return fmt.Sprintf("kept: the %d bars of %s before, up to %s; run the same command again to go on", bars, key, stamp(last))
}
