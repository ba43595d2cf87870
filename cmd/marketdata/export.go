package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const exportHelp = `Write the bars of a series, or the trades or quotes of a symbol, to a file. The
range may be of any length: memory is bounded.

The extension of the file, or --format, selects the format:
  .csv      a header line, then one line per row, as marketdata import reads it
  .ndjson   one JSON object per line
  .parquet  a table for pandas, polars and DuckDB: times in UTC, numbers exact
            as DECIMAL(38, 18)
  .bars     packed bars with their coverage, which a backtest loads into memory
            (memory.Open in Go); one file may have several series, so the symbol
            may be a pattern
The file - is standard output, as csv unless --format is given.

A file keeps the coverage, and marketdata import declares it: a .parquet or
.bars file inside, a .csv or .ndjson file in FILE.coverage.json beside it. Keep
the two together, and delete FILE.coverage.json before you edit FILE. Inferred
coverage becomes declared by the import. The slot of a bar that --quality drop
leaves out is not covered. What marketdata fetch writes to standard output as
csv or ndjson has no coverage.

The file appears when it is complete and then replaces an older one. After an
error or Ctrl-C, nothing of it is left.`

const exportExample = `  marketdata export COINBASE:BTC/USD 1m btc.csv
  marketdata export BTC/USD 1d days.ndjson --start 2018-01-01 --end 2019-01-01
  marketdata export COINBASE:BTC/USD 1h hours.parquet
  marketdata export 'COINBASE:*' 1m market.bars
  marketdata export COINBASE:BTC/USD 1m - | gzip > btc.csv.gz
  marketdata export --trades XRP/ETH trades.csv --start -7d
  marketdata export --quotes BTC/USD quotes.parquet`

// standardOutput is the file of an export to standard output.
const standardOutput = "-"

// formatBars is the value of export's --format that --output does not have.
const formatBars = "bars"

// exportReport reports one series of the file.
type exportReport struct {
	File   string       `json:"file"`
	Series string       `json:"series"`
	Kind   file.Kind    `json:"data"`
	Rows   int          `json:"rows"`
	Range  domain.Range `json:"range"` // the hull of the coverage in the requested range
}

var exportList = listing[exportReport]{
	columns: []column{
		{name: "file", kind: freeText}, {name: "series"}, {name: "data", usual: "bars"},
		{name: "rows", kind: number}, {name: "start", kind: instant}, {name: "end", kind: instant},
	},
	cells: func(e exportReport) []string {
		return []string{
			e.File, e.Series, string(e.Kind), strconv.Itoa(e.Rows), stamp(e.Range.Start), stamp(e.Range.End),
		}
	},
}

type exportOptions struct {
	window                         rangeFlags
	price, quality, format, output string
	trades, quotes                 bool
}

func (o *exportOptions) register(flags *pflag.FlagSet) {
	o.window.register(flags, "`time` of the first row (default the start of the coverage)",
		"`time` to stop before (default the end of the coverage)")
	flags.BoolVar(&o.trades, "trades", false, "write the trades of a symbol")
	flags.BoolVar(&o.quotes, "quotes", false, "write the quotes of a symbol")
	flags.StringVar(&o.format, "format", "",
		"`format` of the file: "+orList(fileFormats)+" (default its extension)")
	setWords(flags, "format", fileFormats...)
	priceFlag(flags, &o.price)
	qualityFlag(flags, &o.quality, "write it")
	outputFlag(flags, &o.output)
}

func (c *command) exportCommand() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:                   "export SYMBOL FREQUENCY FILE | --trades|--quotes SYMBOL FILE",
		DisableFlagsInUseLine: true,
		Short:                 "Write bars, trades or quotes to a file",
		Long:                  exportHelp,
		Example:               exportExample,
		Args: func(cmd *cobra.Command, args []string) error {
			accept := arguments("a symbol, a frequency and a file, like: marketdata export BTC/USD 1m btc.csv", 3, 3)
			if o.trades || o.quotes {
				accept = arguments("a symbol and a file, like: marketdata export --trades BTC/USD trades.csv", 2, 2)
			}

			return accept(cmd, args)
		},
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.trades && o.quotes {
				return userErrorf("--trades and --quotes exclude each other; give one of them")
			}
			if (o.trades || o.quotes) && (cmd.Flags().Changed("price") || cmd.Flags().Changed("quality")) {
				return userErrorf("--price and --quality are for bars; leave them out with --trades and --quotes")
			}
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}

			return c.runExport(cmd.Context(), args, o)
		},
	}
	o.register(cmd.Flags())

	return cmd
}

// resolveFormat sets the format of the file where --format was not given, and refuses one that cannot have the rows.
func (o *exportOptions) resolveFormat(path string) error {
	if o.format == "" {
		o.format = strings.TrimPrefix(filepath.Ext(path), ".")
	}
	switch o.format {
	case formatCSV, formatNDJSON, formatParquet:
		return nil
	case "":
		return userErrorf("the name of %s has no extension; give one of .csv, .ndjson, .parquet and .bars, or --format", path)
	case formatBars:
		if o.trades || o.quotes {
			return userErrorf("format %s is for bars; export trades and quotes as csv, ndjson or parquet", o.format)
		}
		return nil
	}

	return &domain.InvalidError{What: "--format", Value: o.format,
		Reason: "one of csv, ndjson, parquet, bars; the extension of the file may name it too"}
}

func (c *command) runExport(ctx context.Context, args []string, o exportOptions) error {
	path := args[len(args)-1]
	if path == standardOutput {
		o.format = cmp.Or(o.format, formatCSV)
	}
	if err := o.resolveFormat(path); err != nil {
		return err
	}
	if path == standardOutput {
		return c.exportToOutput(ctx, args[:len(args)-1], o)
	}

	reports, err := c.exportTo(ctx, args[:len(args)-1], path, o)
	if err != nil {
		return fmt.Errorf("%w\nnothing was written to %s", err, path)
	}

	return exportList.print(c.out, o.output, reports)
}

// exportToOutput writes the rows to standard output once all of them are read, so that it writes all or none. A
// temporary file holds them.
func (c *command) exportToOutput(ctx context.Context, selection []string, o exportOptions) error {
	if isTerminal(c.out) && (o.format == formatParquet || o.format == formatBars) {
		return userErrorf("format %s is not for a terminal; redirect it to a file", o.format)
	}

	folder, err := os.MkdirTemp("", "marketdata-*")
	if err != nil {
		return err
	}

	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "export."+o.format)
	if _, err := c.exportTo(ctx, selection, path, o); err != nil {
		return err
	}

	f, err := os.Open(path)
	if err != nil {
		return err
	}

	defer f.Close()
	_, err = io.Copy(c.out, f)

	return err
}

// exportTo writes the selected rows to the file: of a symbol and a frequency, or of a symbol.
func (c *command) exportTo(
	ctx context.Context, selection []string, path string, o exportOptions,
) ([]exportReport, error) {
	cfg, err := c.loadConfig()
	if err != nil {
		return nil, err
	}

	if err := refuseSame(path, cfg.SQLite.Path, c.configPath); err != nil {
		return nil, err
	}

	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return nil, err
	}

	defer done()
	e := &export{c: c, md: md, limits: newReadLimits(cfg), path: path, o: o}
	if o.trades || o.quotes {
		err = e.ticks(ctx, selection[0])
	} else {
		err = e.bars(ctx, selection[0], selection[1])
	}
	if err != nil {
		return nil, err
	}

	if e.dropped > 0 {
		c.notef("dropped %d bars that break a quality rule; marketdata fetch --quality flag prints them", e.dropped)
	}

	return e.reports, nil
}

// export is one export command as it runs.
type export struct {
	c       *command
	md      *app.Service
	limits  readLimits
	path    string
	o       exportOptions
	reports []exportReport
	dropped int // bars that the quality policy left out
}

// bars writes the bars of one series; to a bar file, those of every selected series.
func (e *export) bars(ctx context.Context, pattern, frequency string) error {
	selected, err := newSelector(pattern, []string{frequency}, e.o.price)
	if err != nil {
		return err
	}
	if selected.hasPattern() && e.o.format != formatBars {
		return userErrorf("%q is a pattern, and a %s file has one series; name a symbol, or export to a .bars file",
			pattern, e.o.format)
	}

	all, err := e.findSeries(ctx, selected)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return selected.errNoData(ctx, e.md, "export")
	}

	var quality domain.QualityPolicy
	if err := quality.UnmarshalText([]byte(e.o.quality)); err != nil {
		return err
	}

	out, err := newBarSink(e.o.format, e.path, all[0].key)
	if err != nil {
		return userError{err}
	}

	defer out.discard()
	for _, s := range all {
		if err := e.series(ctx, s, quality, out); err != nil {
			return err
		}
	}

	return out.commit()
}

// series writes the bars of one series.
func (e *export) series(
	ctx context.Context, s seriesCoverage, quality domain.QualityPolicy, out sink[domain.Series],
) error {
	grid := s.key.Grid
	start, end, err := e.o.window.times(e.c.now(), grid.Zone())
	if err != nil {
		return err
	}

	r := grid.Align(hull(clip([]domain.Range{grid.AlignInward(hull(s.ranges()))}, start, end)))
	if inferred := domain.ClipRanges(s.inferred, r); len(inferred) > 0 {
		e.c.notef("%s: coverage of %s is inferred; an import of the file declares it",
			s.key, summarize(inferred, rangeText))
	}

	request := domain.DataRequest{Key: s.key, Start: r.Start, End: r.End, Quality: quality}
	pages := ingest.StreamPages(ctx, e.md, request, e.limits.slots)

	return exportPages(e, exportReport{Series: s.key.String(), Kind: file.KindBars, Range: r}, pages, out)
}

// findSeries returns the selected series that are stored. A single series that is not stored is returned with the
// coverage of the bars, trades and quotes that it may be resampled or aggregated from.
func (e *export) findSeries(ctx context.Context, selected selector) ([]seriesCoverage, error) {
	stored, err := selected.coverage(ctx, e.md)
	if err != nil || len(stored) > 0 || selected.hasPattern() {
		return stored, err
	}

	derived := seriesCoverage{key: domain.SeriesKey{
		Symbol: domain.Symbol(selected.pattern), Grid: selected.grids[0], PriceType: selected.price,
	}}
	selected.grids = nil
	sources, err := selected.coverage(ctx, e.md)
	if err != nil {
		return nil, err
	}

	ticks, err := ports.Collect(e.md.TickCoverage(ctx, derived.key.Symbol))
	if err != nil {
		return nil, err
	}

	for _, s := range sources {
		derived.declared = append(derived.declared, s.ranges()...)
	}
	for _, t := range ticks {
		derived.declared = append(derived.declared, t.Range)
	}
	if len(derived.declared) == 0 {
		return nil, nil
	}

	return []seriesCoverage{derived}, nil
}

// ticks writes the trades or the quotes of a symbol.
func (e *export) ticks(ctx context.Context, name string) error {
	symbol, err := domain.ParseSymbol(name)
	if err != nil {
		return err
	}

	start, end, err := e.o.window.times(e.c.now(), "")
	if err != nil {
		return err
	}

	all, err := ports.Collect(e.md.TickCoverage(ctx, symbol))
	if err != nil {
		return err
	}

	kind := domain.TickTrades
	if e.o.quotes {
		kind = domain.TickQuotes
	}
	var coverage []domain.Range
	for _, t := range all {
		if t.Kind == kind {
			coverage = append(coverage, t.Range)
		}
	}
	if len(coverage) == 0 {
		return errNoData(ctx, e.md, "export", symbol, fmt.Sprintf("%s of %s", kind, symbol))
	}

	coverage = clip(domain.MergeRanges(coverage), start, end)
	if len(coverage) == 0 {
		return errNoData(ctx, e.md, "export", symbol, fmt.Sprintf("%s of %s in the requested range", kind, symbol))
	}
	if e.o.quotes {
		return exportTicks(ctx, e, quoteView, symbol, coverage)
	}

	return exportTicks(ctx, e, tradeView, symbol, coverage)
}

func exportTicks[T domain.Tick](
	ctx context.Context, e *export, view tickView[T], symbol domain.Symbol, coverage []domain.Range,
) error {
	out, err := newTickSink(e.o.format, e.path, view, symbol)
	if err != nil {
		return userError{err}
	}

	defer out.discard()
	r := hull(coverage)
	pieces, result := view.stream(e.md, ctx, domain.TickRequest{Symbol: symbol, Start: r.Start, End: r.End})
	pages := tickPages(pieces, result, coverage)
	report := exportReport{Series: string(symbol), Kind: file.Kind(view.kind), Range: r}
	if err := exportPages(e, report, pages, out); err != nil {
		return err
	}

	return out.commit()
}

// tickPages yields a page for each part of a piece of the stream that is in one range of the coverage, and a last page
// without ticks that has what is not covered. The coverage was read before the stream: where they contradict each
// other, the last page is ports.ErrConflict.
func tickPages[T domain.Tick](
	pieces iter.Seq2[domain.Ticks[T], error], result func() domain.TickResult[T], coverage []domain.Range,
) iter.Seq2[ingest.Page[domain.Ticks[T]], error] {
	return func(yield func(ingest.Page[domain.Ticks[T]], error) bool) {
		type page = ingest.Page[domain.Ticks[T]]
		var written []domain.Range
		for piece, err := range pieces {
			if err != nil {
				yield(page{}, err)
				return
			}

			rows := 0
			for _, r := range domain.ClipRanges(coverage, piece.Range()) {
				part := piece.Clip(r)
				rows += part.Len()
				written = append(written, r)
				if !yield(page{Rows: part, Range: r}, nil) {
					return
				}
			}
			if rows < piece.Len() {
				yield(page{}, errCoverageChanged)
				return
			}
		}

		whole := result()
		last := page{Rows: whole.Ticks, Range: whole.Range, Uncovered: whole.Uncovered}
		covered := last.Range.Subtract(last.Uncovered)
		if !slices.EqualFunc(domain.MergeRanges(slices.Concat(covered, written)), covered, domain.Range.Equal) {
			yield(last, errCoverageChanged)
			return
		}

		yield(last, nil)
	}
}

var errCoverageChanged = fmt.Errorf("the coverage changed meanwhile; export again: %w", ports.ErrConflict)

// exportPages writes all pages of one series and completes its report.
func exportPages[S ingest.Rows[S]](
	e *export, report exportReport, pages iter.Seq2[ingest.Page[S], error], out sink[S],
) error {
	passed, done := e.c.rangeProgress(report.Series, []domain.Range{report.Range})
	defer done()
	at := report.Range.Start
	var coverage []domain.Range
	for p, err := range pages {
		covered := p.Range.Subtract(p.Uncovered)
		if err == nil {
			err = out.write(p.Rows, covered)
		}
		if err != nil {
			return err
		}

		e.dropped += p.Dropped
		report.Rows += p.Rows.Len()
		coverage = append(coverage, covered...)
		if p.Range.End.After(at) {
			passed(domain.Range{Start: at, End: p.Range.End})
			at = p.Range.End
		}
	}
	if len(coverage) == 0 {
		cause := errors.New("no row is covered in the requested range")
		return &ports.Error{Kind: ports.ErrNotFound, Op: "export", Subject: report.Series, Err: cause}
	}
	if uncovered := report.Range.Subtract(coverage); len(uncovered) > 0 {
		e.c.notef("%s: no data for %s; not covered", report.Series, summarize(uncovered, rangeText))
	}
	report.File = e.path
	e.reports = append(e.reports, report)

	return nil
}
