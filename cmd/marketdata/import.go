package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
)

// importReport reports one series of a file.
type importReport struct {
	File   string    `json:"file"`
	Series string    `json:"series"`
	Kind   file.Kind `json:"data"`
	Rows   int       `json:"rows"`
	ports.WriteReport
	Repeated  int          `json:"repeated"`   // rows equal to the row before them
	Truncated int          `json:"truncated"`  // times that were finer than a microsecond
	Rejected  int          `json:"rejected"`   // invalid rows that went to the file of --rejects
	NotClosed int          `json:"not_closed"` // newest rows that are not closed yet and not stored
	Range     domain.Range `json:"range"`      // from the start of the coverage to its end
}

var importList = listing[importReport]{
	columns: []column{
		{name: "file", kind: freeText}, {name: "series"}, {name: "data", usual: "bars"},
		{name: "rows", kind: number}, {name: "inserted", kind: number}, {name: "changed", kind: number, usual: "0"},
		{name: "unchanged", kind: number, usual: "0"}, {name: "kept", kind: number, usual: "0"},
		{name: "repeated", kind: number, usual: "0"}, {name: "truncated", kind: number, usual: "0"},
		{name: "rejected", kind: number, usual: "0"}, {name: "not_closed", kind: number, usual: "0"},
		{name: "start", kind: instant}, {name: "end", kind: instant},
	},
	cells: func(r importReport) []string {
		return []string{
			r.File, r.Series, string(r.Kind), strconv.Itoa(r.Rows), strconv.Itoa(r.Inserted), strconv.Itoa(r.Changed),
			strconv.Itoa(r.Unchanged), strconv.Itoa(r.Kept), strconv.Itoa(r.Repeated), strconv.Itoa(r.Truncated),
			strconv.Itoa(r.Rejected), strconv.Itoa(r.NotClosed), stamp(r.Range.Start), stamp(r.Range.End),
		}
	},
}

type importOptions struct {
	complete                 rangeFlags
	symbol, frequency, price string
	priceSet                 bool // --price was given
	columns                  map[string]string
	timeUnit, timeZone       string
	format                   string
	rejects                  string
	onConflict               conflictFlag
	dryRun                   bool
	output                   string
}

func (o *importOptions) register(flags *pflag.FlagSet) {
	flags.StringVar(&o.symbol, "symbol", "", "`symbol` of the rows, like BTC/USD or COINBASE:BTC/USD")
	flags.StringVar(&o.frequency, "frequency", "", "`frequency` of the bars, like 1m, 1d or 1d@America/New_York")
	priceFlag(flags, &o.price)
	flags.StringVar(&o.format, "format", "",
		"`format` of all files: "+orList(fileFormats)+" (default the extension of each, else csv)")
	setWords(flags, "format", fileFormats...)
	flags.StringToStringVar(&o.columns, "column", nil,
		"the file's name for a column that is not recognised: `column=NAME`, like time=Unix")
	setWords(flags, "column", "time=", "open=", "high=", "low=", "close=", "volume=", "trades=",
		"seq=", "price=", "size=", "side=", "bid=", "ask=", "bid_size=", "ask_size=")
	flags.StringVar(&o.timeUnit, "time-unit", file.TimeUnitAuto.String(),
		"`unit` of times that are numbers: s, ms, us, ns or auto (which refuses ambiguous ones)")
	setWords(flags, "time-unit", "s", "ms", "us", "ns", "auto")
	flags.StringVar(&o.timeZone, "time-zone", "", "time `zone` of times that have none, like UTC or America/New_York")
	flags.StringVar(&o.rejects, "rejects", "",
		"write invalid rows to this `file` instead of stopping at the first one")
	flags.Var(&o.onConflict, "on-conflict",
		"`policy` for rows that are stored with other values: fail, replace or keep (the stored ones)")
	setWords(flags, "on-conflict", "fail", "replace", "keep")
	flags.BoolVar(&o.dryRun, "dry-run", false, "report what would be stored, and store nothing")
	o.complete.registerAs(flags, "complete-from", "declare the range from this `time` to the first row complete",
		"complete-until", "declare the range from the last row to this `time` complete")
	outputFlag(flags, &o.output)
}

// fileFormats are the values of --format.
var fileFormats = []string{formatCSV, formatNDJSON, formatParquet, formatBars}

// textFlags are the flags that say how to read CSV and NDJSON.
var textFlags = []string{"column", "time-unit", "time-zone", "rejects"}

func (c *command) importCommand() *cobra.Command {
	var o importOptions
	cmd := &cobra.Command{
		Use:     "import [--symbol SYMBOL] [--frequency FREQUENCY] FILE...",
		Short:   "Store the bars, trades or quotes of files",
		Long:    importHelp,
		Example: importExample,
		Args:    arguments("files to import, like: marketdata import --symbol BTC/USD --frequency 1m bars.csv", 1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			o.priceSet = cmd.Flags().Changed("price")
			if o.format != "" && !isImportFormat(o.format) {
				return &domain.InvalidError{What: "--format", Value: o.format,
					Reason: "one of " + strings.Join(fileFormats, ", ")}
			}
			hasBinary := slices.ContainsFunc(files, func(name string) bool { return !isText(o.formatOf(name)) })
			if hasBinary && slices.ContainsFunc(textFlags, cmd.Flags().Changed) {
				return userErrorf("--%s are for CSV and NDJSON; Parquet and .bars files define their columns and times",
					strings.Join(textFlags, ", --"))
			}
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}

			return c.runImport(cmd.Context(), files, o)
		},
	}
	o.register(cmd.Flags())

	return cmd
}

// suggestFlags returns a hint made from the name of a file like BTC-USD_1m_coinbase_2018-04.csv; "" where the name says
// nothing.
func suggestFlags(name string) string {
	parts := strings.Split(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), "_")
	base, quote, hasPair := strings.Cut(parts[0], "-")
	if !hasPair || len(parts) < 2 {
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

	return fmt.Sprintf("; the file's name suggests --symbol %s --frequency %s", key.Symbol, key.Grid)
}

// checkRejects returns an error if the file of --rejects is one that the import reads or writes.
func (c *command) checkRejects(cfg wiring.Config, files []string, o importOptions) error {
	if o.rejects == "" {
		return nil
	}

	read := []string{cfg.SQLite.Path, c.configPath}
	for _, name := range files {
		read = append(read, name, name+file.CoverageSuffix)
	}

	return refuseSame(o.rejects, read...)
}

// runImport opens the first file, which determines the targets, before it opens the store, and then stores the files
// one by one.
func (c *command) runImport(ctx context.Context, files []string, o importOptions) (err error) {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}
	if err := c.checkRejects(cfg, files, o); err != nil {
		return err
	}

	first, err := c.openInput(files[0], o)
	if err != nil {
		return userError{err}
	}

	defer first.Close()
	var rejected *rejects
	if o.rejects != "" {
		rejected = &rejects{path: o.rejects}
		defer func() {
			err = errors.Join(err, rejected.close())
			if rejected.count > 0 {
				c.notef("rejected rows: %d; they are in %s", rejected.count, rejected.path)
			}
		}()
	}

	now := c.now()
	targets, err := o.newTargets(first, now, rejected)
	if err != nil {
		return err
	}

	mode := mayCreate
	if o.dryRun {
		mode = mayBeMissing
	}
	md, done, err := c.open(ctx, mode)
	if err != nil {
		return err
	}

	defer done()
	c.noteStores(cfg, md)
	job := &importJob{c: c, md: md, o: o, targets: targets, rejected: rejected, closedBy: md.ClosedBy(), now: now}
	if err := job.files(ctx, first, files); err != nil {
		return addFlagHint(fmt.Errorf("%w\n%s", err, job.summary()))
	}

	switch {
	case o.dryRun:
		c.notef("dry run: nothing was stored")
	case o.complete.isSet() && rejected.total() > 0:
		c.notef("--complete-from and --complete-until declare nothing, because rows were rejected")
	case o.complete.isSet():
		for _, to := range targets {
			if err := job.declareComplete(ctx, to); err != nil {
				return err
			}
		}
	}

	return importList.print(c.out, o.output, job.reports)
}

// importJob is one import command as it runs.
type importJob struct {
	c        *command
	md       *app.Service
	o        importOptions
	targets  []target
	rejected *rejects  // nil without --rejects
	closedBy time.Time // rows that end later are not closed yet
	now      time.Time // rows that begin later are invalid
	reports  []importReport
	columns  string // the last note about columns
}

// files stores the files one by one; the first one is open. The last report is that of a file that failed, if one did.
func (j *importJob) files(ctx context.Context, first *input, names []string) error {
	for i, name := range names {
		in := first
		if i > 0 {
			var err error
			if in, err = j.c.openInput(name, j.o); err != nil {
				return userError{err}
			}
		}

		if err := j.file(ctx, in); err != nil {
			return err
		}
	}

	return nil
}

// file stores the series of one file, and closes it. Under the policy fail, and in a dry run, it compares the whole
// file with the stored rows first.
func (j *importJob) file(ctx context.Context, in *input) error {
	defer func() { _ = in.Close() }()
	if err := in.check(j.targets, j.o); err != nil {
		return err
	}

	if j.o.dryRun {
		return j.preview(ctx, in)
	}
	compares, err := j.mayConflict(ctx, in)
	if err != nil {
		return err
	}
	if compares {
		if err := j.requireNoConflict(ctx, in); err != nil {
			return err
		}

		_ = in.Close()
		if in, err = j.c.openInput(in.name, j.o); err != nil {
			return userError{err}
		}
	}

	for _, to := range j.targets {
		before := j.rejected.total()
		report, err := j.passSeries(in, to, func(b batch) (ports.WriteReport, error) { return b.write(ctx, b.ends) })
		report.Rejected = j.rejected.total() - before
		j.reports = append(j.reports, report)
		if err != nil {
			return explainConflict(err)
		}
		if err := report.checkRows(); err != nil {
			return err
		}

		j.noteNotClosed(report)
	}

	return nil
}

// passSeries passes the batches of one series of a file to do, batch by batch. With an error, the report counts the
// batches before it.
func (j *importJob) passSeries(
	in *input, to target, do func(batch) (ports.WriteReport, error),
) (importReport, error) {
	report := importReport{File: in.name, Series: to.series, Kind: in.kind}
	counter, done := j.c.byteProgress(filepath.Base(in.name), in.bytesToRead(j.o))
	defer done()
	for batch, err := range to.batches(j, in, counter) {
		if err != nil {
			return report, err
		}

		report.NotClosed += batch.notClosed
		if batch.span.Empty() {
			continue
		}

		wrote, err := do(batch)
		if err != nil {
			return report, addFileName(in.name, batch.locate(err))
		}

		report.add(batch, wrote)
	}

	return report, nil
}

// checkRows returns an error if the file has no rows.
func (r importReport) checkRows() error {
	if r.Rows == 0 && r.NotClosed == 0 && r.Range.Empty() {
		return userErrorf("%s: the file has no %s", r.File, r.Kind)
	}

	return nil
}

// noteColumns notes which columns of a file were taken under another name and which were ignored, once for files alike.
func (j *importJob) noteColumns(name string, c file.Columns) {
	var parts []string
	for _, column := range slices.Sorted(maps.Keys(c.Taken)) {
		if taken := c.Taken[column]; !strings.EqualFold(taken, column) {
			parts = append(parts, fmt.Sprintf("%s is %q", column, taken))
		}
	}
	if len(c.Ignored) > 0 {
		parts = append(parts, "ignored: "+file.QuoteNames(c.Ignored))
	}
	if text := strings.Join(parts, ", "); text != j.columns {
		j.columns = text
		j.c.notef("%s: columns: %s", name, text)
	}
}

func (j *importJob) noteNotClosed(r importReport) {
	if r.NotClosed > 0 {
		j.c.notef("%s: %d %s are not closed yet and were not stored; import the file again later",
			r.File, r.NotClosed, r.Kind)
	}
}

// add counts a batch that was stored.
func (r *importReport) add(b batch, wrote ports.WriteReport) {
	r.Range = r.Range.Hull(b.span)
	r.Rows += b.rows
	r.Repeated += b.repeated
	r.Truncated += b.truncated
	r.WriteReport = r.Add(wrote)
}

// addFileName adds the name of the file to an error that does not have it yet.
func addFileName(name string, err error) error {
	if located := (*file.LineError)(nil); errors.As(err, &located) {
		return err
	}

	return fmt.Errorf("%s: %w", name, err)
}

// declareComplete declares the ranges from the start of the target to the first row of all files and from the last row
// to its end covered; a zero start or end declares nothing.
func (j *importJob) declareComplete(ctx context.Context, to target) error {
	var imported domain.Range
	for _, r := range j.reports {
		if r.Series == to.series {
			imported = imported.Hull(r.Range)
		}
	}
	if imported.Empty() {
		j.c.notef("--complete-from and --complete-until declare nothing, because nothing was stored")
		return nil
	}

	for _, r := range []domain.Range{{Start: to.start, End: imported.Start}, {Start: imported.End, End: to.end}} {
		if r.Start.IsZero() || r.End.IsZero() {
			continue
		}
		if r = to.align(r); r.Empty() {
			j.c.notef("no coverage is declared from %s, because the files reach further", rangeText(r))
			continue
		}
		if err := to.declare(ctx, j.md, r); err != nil {
			return fmt.Errorf("the %s were stored, but coverage from %s was not declared: %w",
				to.kind, rangeText(r), err)
		}
	}

	return nil
}

// addFlagHint adds the flag that resolves an ambiguity of a file to the error that reports it.
func addFlagHint(err error) error {
	var ambiguous *file.AmbiguousError
	if !errors.As(err, &ambiguous) {
		return err
	}

	return fmt.Errorf("%w\n%s", err, map[file.Setting]string{
		file.SettingColumns:  "name the column with --column " + ambiguous.Column + "=NAME, spelled as in the file",
		file.SettingTimeUnit: "name the unit of the numbers with --time-unit s, ms, us or ns",
		file.SettingTimeZone: "name the time zone with --time-zone UTC, or an IANA name like America/New_York",
		file.SettingNDJSON:   "read the file with --format ndjson",
	}[ambiguous.Setting])
}

// summary says how much of an import that failed is stored.
func (j *importJob) summary() string {
	var rows int
	var last time.Time
	var series []string
	for _, r := range j.reports {
		if r.Rows > 0 {
			rows, last, series = rows+r.Rows, r.Range.End, append(series, r.Series)
		}
	}
	if rows == 0 || j.o.dryRun {
		return "nothing was stored"
	}

	return fmt.Sprintf("stored: %d %s of %s, up to %s; run the same command again to continue",
		rows, j.targets[0].kind, strings.Join(slices.Compact(series), ", "), stamp(last))
}
