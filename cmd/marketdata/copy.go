package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const copyHelp = `Copy bars, trades and quotes with their coverage from one store to another: of
all symbols, or of those that match a pattern.

` + endpointHelp + `

Declared coverage is copied as it is. Inferred coverage (see marketdata
coverage) is left out; with --inferred it is copied and declared. All rows are
read back and compared. Rows that the target has already are compared and not
written again, so after an error or Ctrl-C the same command continues.

If the target has other data, the copy stops. marketdata diff shows the
difference; --overwrite makes the target equal to the source in the copied
ranges.`

const copyExample = `  marketdata copy --to-db backup.db
  marketdata copy 'COINBASE:*' --frequency 1m,1d --from-db laptop.db
  marketdata copy BTC/USD --only bars --from-db old.db --to-db new.db
  marketdata copy --from production.yaml --to-db new.db --only trades`

// copySummary reports one copied series.
type copySummary struct {
	Series string       `json:"series"`
	Kind   file.Kind    `json:"data"`
	Range  domain.Range `json:"range"` // from the start of the first copied range to the end of the last
	Rows   int          `json:"rows"`  // of the source
	ports.WriteReport
}

var copyList = listing[copySummary]{
	columns: []column{
		{name: "series"}, {name: "data", usual: "bars"}, {name: "rows", kind: number},
		{name: "inserted", kind: number}, {name: "changed", kind: number, usual: "0"},
		{name: "unchanged", kind: number, usual: "0"},
		{name: "deleted", kind: number, usual: "0"}, {name: "start", kind: instant}, {name: "end", kind: instant},
	},
	cells: func(r copySummary) []string {
		return []string{
			r.Series, string(r.Kind), strconv.Itoa(r.Rows), strconv.Itoa(r.Inserted), strconv.Itoa(r.Changed),
			strconv.Itoa(r.Unchanged), strconv.Itoa(r.Deleted), stamp(r.Range.Start), stamp(r.Range.End),
		}
	},
}

type copyOptions struct {
	window              rangeFlags
	from, to            endpoint
	pattern             string
	frequencies, only   []string
	price, output       string
	inferred, overwrite bool
}

func (o *copyOptions) register(flags *pflag.FlagSet) {
	o.from.register(flags, "from", "source")
	o.to.register(flags, "to", "target")
	flags.StringSliceVar(&o.frequencies, "frequency", nil, "only bars of these `frequencies`, like 1m,1d")
	anyPriceFlag(flags, &o.price)
	flags.StringSliceVar(&o.only, "only", nil, "only these `kinds`: bars, trades or quotes, like bars,trades")
	setWords(flags, "only", "bars", "trades", "quotes")
	o.window.register(flags, "`time` of the first row to copy (default the start of the coverage)",
		"`time` to stop before (default the end of the coverage)")
	flags.BoolVar(&o.inferred, "inferred", false, "copy inferred coverage too, and declare it")
	flags.BoolVar(&o.overwrite, "overwrite", false, "replace data of the target that differs")
	outputFlag(flags, &o.output)
}

// wants reports whether rows of the kind are copied.
func (o *copyOptions) wants(k file.Kind) bool {
	if len(o.only) > 0 {
		return slices.Contains(o.only, string(k))
	}

	return k == file.KindBars || len(o.frequencies) == 0 && o.price == ""
}

func (c *command) copyCommand() *cobra.Command {
	var o copyOptions
	cmd := &cobra.Command{
		Use:     "copy [PATTERN]",
		Short:   "Copy data from one store to another",
		Long:    copyHelp,
		Example: copyExample,
		Args: arguments("at most one symbol or pattern, like: marketdata copy 'COINBASE:*' --to-db backup.db",
			0, 1),
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.pattern = args[0]
			}
			for _, k := range o.only {
				if !slices.Contains([]file.Kind{file.KindBars, file.KindTrades, file.KindQuotes}, file.Kind(k)) {
					return &domain.InvalidError{What: "--only", Value: k, Reason: "some of bars, trades, quotes"}
				}
			}
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}

			return c.runCopy(cmd.Context(), o)
		},
	}
	o.register(cmd.Flags())

	return cmd
}

func (c *command) runCopy(ctx context.Context, o copyOptions) error {
	selected, err := newSelector(o.pattern, o.frequencies, o.price)
	if err != nil {
		return err
	}

	stores, done, err := c.openEndpoints(ctx, o.from, o.to, mayCreate)
	if err != nil {
		return err
	}

	defer done()
	job := &copyJob{c: c, stores: stores, o: o}
	if o.wants(file.KindBars) {
		err = job.bars(ctx, selected)
	}
	if err == nil {
		err = job.ticks(ctx, selected)
	}
	if conflict := (*ingest.ConflictError)(nil); errors.As(err, &conflict) {
		err = fmt.Errorf("%w; marketdata diff shows the difference, --overwrite replaces the data of the target", err)
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, job.summary())
	}
	if len(job.reports) == 0 {
		return selected.errNoData(ctx, stores.from, "copy")
	}

	return copyList.print(c.out, o.output, job.reports)
}

// copyJob is one copy command as it runs.
type copyJob struct {
	c       *command
	stores  endpoints
	o       copyOptions
	reports []copySummary
}

// bars copies every selected series of bars.
func (j *copyJob) bars(ctx context.Context, selected selector) error {
	src, err := selected.coverage(ctx, j.stores.from)
	if err != nil {
		return err
	}

	dst, err := selected.coverage(ctx, j.stores.to)
	if err != nil {
		return err
	}

	existing := map[domain.SeriesKey][]domain.Range{}
	for _, s := range dst {
		existing[s.key] = s.ranges()
	}

	for _, s := range src {
		ranges, err := j.barRanges(s)
		if err != nil {
			return err
		}

		from, to := ingest.BarsOf(j.stores.from, s.key), ingest.BarsOf(j.stores.to, s.key)
		task := copyTask[domain.Series]{from, to, ranges, existing[s.key]}
		if err := copyRanges(ctx, j, file.KindBars, task); err != nil {
			return err
		}
	}

	return nil
}

// barRanges returns the ranges of a series to copy.
func (j *copyJob) barRanges(s seriesCoverage) ([]domain.Range, error) {
	start, end, err := j.o.window.times(j.c.now(), s.key.Grid.Zone())
	if err != nil {
		return nil, err
	}

	coverage := s.declared
	if j.o.inferred {
		coverage = s.ranges()
	} else if len(s.inferred) > 0 {
		j.c.notef("left out, because the coverage of %s is only inferred: %s; --inferred copies it",
			s.key, summarize(s.inferred, rangeText))
	}

	var ranges []domain.Range
	for _, r := range clip(coverage, start, end) {
		if r = s.key.Grid.Align(r); !r.Empty() {
			ranges = append(ranges, r)
		}
	}

	return ranges, nil
}

// ticks copies the trades and the quotes of every selected symbol, as far as they are wanted.
func (j *copyJob) ticks(ctx context.Context, selected selector) error {
	if !j.o.wants(file.KindTrades) && !j.o.wants(file.KindQuotes) {
		return nil
	}

	start, end, err := j.o.window.times(j.c.now(), "")
	if err != nil {
		return err
	}

	src, err := ports.Collect(j.stores.from.TickCoverage(ctx, selected.symbols()...))
	if err != nil {
		return err
	}

	dst, err := ports.Collect(j.stores.to.TickCoverage(ctx, selected.symbols()...))
	if err != nil {
		return err
	}

	order, coverage := groupTicks(src)
	_, existing := groupTicks(dst)
	for _, s := range order {
		if !selected.matchesSymbol(s.symbol) || !j.o.wants(file.Kind(s.kind)) {
			continue
		}

		ranges := clip(coverage[s], start, end)
		if s.kind == domain.TickTrades {
			from, to := ingest.TradesOf(j.stores.from, s.symbol), ingest.TradesOf(j.stores.to, s.symbol)
			err = copyRanges(ctx, j, file.KindTrades, copyTask[domain.Trades]{from, to, ranges, existing[s]})
		} else {
			from, to := ingest.QuotesOf(j.stores.from, s.symbol), ingest.QuotesOf(j.stores.to, s.symbol)
			err = copyRanges(ctx, j, file.KindQuotes, copyTask[domain.Quotes]{from, to, ranges, existing[s]})
		}
		if err != nil {
			return err
		}
	}

	return nil
}

// tickSeries names the trades or the quotes of a symbol.
type tickSeries struct {
	symbol domain.Symbol
	kind   domain.TickKind
}

// groupTicks returns the series of the extents in their order, and the coverage of each.
func groupTicks(extents []ports.StoreTickExtent) (order []tickSeries, coverage map[tickSeries][]domain.Range) {
	coverage = map[tickSeries][]domain.Range{}
	for _, e := range extents {
		s := tickSeries{e.Symbol, e.Kind}
		if coverage[s] == nil {
			order = append(order, s)
		}
		coverage[s] = append(coverage[s], e.Range)
	}

	return order, coverage
}

// summary says how much of a copy that failed is in the target.
func (j *copyJob) summary() string {
	var rows int
	for _, r := range j.reports {
		rows += r.Rows
	}
	if rows == 0 {
		return "nothing was copied"
	}

	last := j.reports[len(j.reports)-1]

	return fmt.Sprintf("copied and compared: %d rows of %d series, the last one %s %s up to %s; "+
		"run the same command again to continue", rows, len(j.reports), last.Series, last.Kind, stamp(last.Range.End))
}

// copyTask is one series to copy.
type copyTask[S ingest.Rows[S]] struct {
	from, to ingest.Dataset[S]
	ranges   []domain.Range // covered by from
	existing []domain.Range // covered by to
}

// copyRanges copies the ranges of a series and adds its report, also that of a copy that fails.
func copyRanges[S ingest.Rows[S]](ctx context.Context, j *copyJob, kind file.Kind, t copyTask[S]) error {
	if len(t.ranges) == 0 {
		return nil
	}

	passed, done := j.c.rangeProgress(t.from.Name(), t.ranges)
	defer done()

	limit := j.stores.limits.rows
	pages := withPageProgress(ingest.Pages(ctx, t.from, t.ranges, limit), passed)
	report, err := ingest.Copy(ctx, pages, coveredDataset[S]{t.to, t.existing},
		ingest.CopyOptions{Overwrite: j.o.overwrite, MaxRows: limit})
	if !report.Range.Empty() {
		j.reports = append(j.reports, copySummary{t.from.Name(), kind, report.Range, report.Rows, report.Wrote})
	}

	return err
}

// coveredDataset is a dataset whose coverage was read before, with that of all other series in one request.
type coveredDataset[S any] struct {
	ingest.Dataset[S]

	coverage []domain.Range
}

// Coverage returns the coverage without a request.
func (d coveredDataset[S]) Coverage(context.Context) ([]domain.Range, error) { return d.coverage, nil }

// withPageProgress calls passed with the range of a page when the next one is read, which is when the page was copied.
func withPageProgress[S any](
	pages iter.Seq2[ingest.Page[S], error], passed func(domain.Range),
) iter.Seq2[ingest.Page[S], error] {
	return func(yield func(ingest.Page[S], error) bool) {
		for p, err := range pages {
			if !yield(p, err) {
				return
			}

			passed(p.Range)
		}
	}
}
