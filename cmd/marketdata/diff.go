package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
)

const diffHelp = `Compare the bars of a series in two stores, or with --against stored bars with
bars resampled from a finer frequency.

` + endpointHelp + `

One line is printed for each field that differs, one for a bar that only one
side has, and one for a range that only one side covers, with its end. Numbers
are compared exactly; --tolerance lets a field differ by so much. Without
--start and --end, everything that either store covers is compared; with
--against, every covered bar whose finer bars are all covered, and no coverage.

The exit code is 0 if all bars and the coverage are equal, and 1 if they differ.`

const diffExample = `  marketdata diff COINBASE:BTC/USD 1m --to-db backup.db
  marketdata diff 'COINBASE:*' 1d --from-db vendor.db --to production.yaml \
    --tolerance close=0.01,volume=1
  marketdata diff BTC/USD 1d --against 1m
  marketdata diff BTC/USD 1h --against 1m --start -7d --output json`

var diffList = listing[ingest.Difference]{
	columns: []column{
		{name: "series"}, {name: "time", kind: instant}, {name: "field"}, {name: "from", kind: number},
		{name: "to", kind: number},
	},
	cells: func(d ingest.Difference) []string {
		return []string{d.Key.String(), stamp(d.Time), d.Field, d.From, d.To}
	},
}

type diffOptions struct {
	window         rangeFlags
	from, to       endpoint
	price, against string
	tolerance      map[string]string
	limit          int
	output         string
}

func (o *diffOptions) register(flags *pflag.FlagSet) {
	o.from.register(flags, "from", "source")
	o.to.register(flags, "to", "target")
	flags.StringVar(&o.against, "against", "", "compare with bars resampled from this finer `frequency`")
	flags.StringToStringVar(&o.tolerance, "tolerance", nil,
		"largest difference that counts as equal: `field=number` for open, high, low, close, volume, trades")
	setWords(flags, "tolerance", "open=", "high=", "low=", "close=", "volume=", "trades=")
	o.window.register(flags, "`time` of the first bar to compare", "`time` to stop before")
	priceFlag(flags, &o.price)
	flags.IntVar(&o.limit, "limit", 1000, "print at most `n` differences; 0 prints all")
	outputFlag(flags, &o.output)
}

func (c *command) diffCommand() *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:     "diff SYMBOL FREQUENCY",
		Short:   "Compare the bars of two stores, or stored bars with resampled ones",
		Long:    diffHelp,
		Example: diffExample,
		Args: arguments("a symbol or a pattern, and a frequency, like: marketdata diff BTC/USD 1m --to-db backup.db",
			2, 2),
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.limit < 0 {
				return &domain.InvalidError{What: "--limit", Value: strconv.Itoa(o.limit), Reason: "0 (all) or more"}
			}
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}

			return c.runDiff(cmd.Context(), args[0], args[1], o)
		},
	}
	o.register(cmd.Flags())

	return cmd
}

func (c *command) runDiff(ctx context.Context, pattern, frequency string, o diffOptions) error {
	selected, err := newSelector(pattern, []string{frequency}, o.price)
	if err != nil {
		return err
	}

	limits, err := parseTolerance(o.tolerance)
	if err != nil {
		return fmt.Errorf("--tolerance: %w", err)
	}

	d := &comparison{c: c, o: o, tolerance: limits}
	if o.against != "" {
		if d.finer, err = domain.ParseGrid(o.against); err != nil {
			return fmt.Errorf("--against: %w", err)
		}
		if g := selected.grids[0]; d.finer.Frequency().Nominal() >= g.Frequency().Nominal() {
			return userErrorf("--against %s: bars of %s cannot be resampled from it; give a finer frequency", d.finer, g)
		}
	}

	done, err := d.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	if err := d.run(ctx, selected); err != nil {
		return err
	}

	return d.print()
}

// parseTolerance reads the values of --tolerance, by the name of the field.
func parseTolerance(values map[string]string) (ingest.Tolerance, error) {
	var t ingest.Tolerance
	var errs []error
	names := make([]string, len(t.Fields))
	for f := range t.Fields {
		names[f] = domain.Field(f).String()
	}
	for name, text := range values {
		number, err := domain.ParseDecimal(text)
		if err == nil && number.Sign() < 0 {
			err = &domain.InvalidError{What: name, Value: text, Reason: "give 0 or more"}
		}
		switch f := slices.Index(names, name); {
		case err != nil:
			err = fmt.Errorf("%s: %w", name, err)
		case f >= 0:
			t.Fields[f] = number
		case name == ingest.FieldTrades:
			t.Trades, err = strconv.ParseInt(text, 10, 64)
		default:
			err = &domain.InvalidError{What: "field", Value: name,
				Reason: "one of " + strings.Join(names, ", ") + ", " + ingest.FieldTrades}
		}

		errs = append(errs, err)
	}

	return t, errors.Join(errs...)
}

// comparison is one diff command as it runs.
type comparison struct {
	c         *command
	stores    endpoints
	o         diffOptions
	finer     domain.Grid // zero without --against
	tolerance ingest.Tolerance

	total ingest.DiffReport
	found []ingest.Difference // the first o.limit
}

// open opens both endpoints, or, with --against and no endpoint named, the configured store as both.
func (d *comparison) open(ctx context.Context) (done func(), err error) {
	if d.o.against == "" || d.o.from.isSet() || d.o.to.isSet() {
		d.stores, done, err = d.c.openEndpoints(ctx, d.o.from, d.o.to, mustExist)
		if err != nil && d.o.against == "" && !d.o.from.isSet() && !d.o.to.isSet() {
			err = fmt.Errorf("%w; or give --against FREQUENCY to compare with resampled bars", err)
		}

		return done, err
	}

	md, cfg, done, err := d.c.openEndpoint(ctx, d.o.from, mustExist)
	d.stores = endpoints{md, md, newReadLimits(cfg)}

	return done, err
}

// print prints the differences. It is an error that there are any.
func (d *comparison) print() error {
	if err := diffList.print(d.c.out, d.o.output, d.found); err != nil {
		return err
	}
	if d.total.IsEqual() {
		d.c.notef("%d bars are equal", d.total.Compared)
		return nil
	}

	if more := d.total.Differences - len(d.found); more > 0 {
		d.c.notef("%d more differences are not printed; --limit 0 prints all", more)
	}

	if d.total.Coverage > 0 {
		return fmt.Errorf("%d of %d bars differ; ranges covered by one side only: %d",
			d.total.Different, d.total.Compared, d.total.Coverage)
	}

	return fmt.Errorf("%d of %d bars differ", d.total.Different, d.total.Compared)
}

func (d *comparison) run(ctx context.Context, selected selector) error {
	from, err := selected.coverage(ctx, d.stores.from)
	if err != nil {
		return err
	}

	against := d.finer != (domain.Grid{})
	other := selected
	if against {
		other.grids = []domain.Grid{d.finer}
	}
	to, err := other.coverage(ctx, d.stores.to)
	if err != nil {
		return err
	}
	if len(from) == 0 && (len(to) == 0 || against) {
		return selected.errNoData(ctx, d.stores.from, "diff")
	}
	if against {
		return d.runAgainst(ctx, from, to)
	}

	return d.runStores(ctx, from, to)
}

// runStores compares the bars and the coverage of two stores.
func (d *comparison) runStores(ctx context.Context, from, to []seriesCoverage) error {
	coverage := map[domain.SeriesKey]*[2][]domain.Range{}
	for i, side := range [2][]seriesCoverage{from, to} {
		for _, s := range side {
			if coverage[s.key] == nil {
				coverage[s.key] = new([2][]domain.Range)
			}
			coverage[s.key][i] = s.ranges()
		}
	}

	for _, key := range slices.SortedFunc(maps.Keys(coverage), domain.SeriesKey.Compare) {
		left, right := coverage[key][0], coverage[key][1]
		start, end, err := d.o.window.times(d.c.now(), key.Grid.Zone())
		if err != nil {
			return err
		}

		left, right = clip(left, start, end), clip(right, start, end)
		found, report := ingest.DiffCoverage(key, left, right)
		d.add(found...)
		d.total = d.total.Add(report)
		ranges := domain.MergeRanges(slices.Concat(left, right))
		source, target := d.readStored(ctx, d.stores.from, key, left), d.readStored(ctx, d.stores.to, key, right)
		if err := d.compare(key, ranges, source, target); err != nil {
			return err
		}
	}

	return nil
}

// runAgainst compares stored bars with bars resampled from finer ones.
func (d *comparison) runAgainst(ctx context.Context, coarse, finer []seriesCoverage) error {
	for _, s := range coarse {
		key := domain.SeriesKey{Symbol: s.key.Symbol, Grid: d.finer, PriceType: s.key.PriceType}
		i := slices.IndexFunc(finer, func(f seriesCoverage) bool { return f.key == key })
		if i < 0 {
			return errNoData(ctx, d.stores.to, "diff", key.Symbol, key.String())
		}

		ranges, err := d.comparableRanges(s, finer[i])
		if err != nil {
			return err
		}

		start, end, err := d.o.window.times(d.c.now(), s.key.Grid.Zone())
		if err != nil {
			return err
		}

		ranges = clip(ranges, start, end)
		stored, resampled := d.readStored(ctx, d.stores.from, s.key, ranges), d.readResampled(ctx, key, s.key, ranges)
		if err := d.compare(s.key, ranges, stored, resampled); err != nil {
			return err
		}
	}

	return nil
}

// comparableRanges returns the ranges in which both the bars of a series and all finer bars of each are covered.
func (d *comparison) comparableRanges(s, finer seriesCoverage) ([]domain.Range, error) {
	both := ingest.ComparableRanges(s.key.Grid, d.finer, s.ranges(), finer.ranges())
	var rest []domain.Range
	for _, r := range s.ranges() {
		rest = append(rest, r.Subtract(both)...)
	}

	if len(both) == 0 {
		return nil, &domain.InvalidError{What: "--against", Value: d.o.against,
			Reason: fmt.Sprintf("no bar of %s has all its bars of %s covered", s.key, d.finer)}
	}
	if len(rest) > 0 {
		d.c.notef("not compared, because finer bars are not covered: %s of %s", summarize(rest, rangeText), s.key)
	}

	return both, nil
}

// compare compares two sequences of bars of the key and keeps the first differences. The ranges are those of both, for
// the progress.
func (d *comparison) compare(
	key domain.SeriesKey, ranges []domain.Range, from, to iter.Seq2[domain.Series, error],
) error {
	passed, done := d.c.rangeProgress(key.String(), ranges)
	defer done()

	differences, report := ingest.Diff(withProgress(from, ranges, passed), to, d.tolerance)
	for found, err := range differences {
		if err != nil {
			return err
		}
		d.add(found)
	}

	d.total = d.total.Add(report())

	return nil
}

// add keeps the differences up to the limit.
func (d *comparison) add(found ...ingest.Difference) {
	if d.o.limit > 0 {
		found = found[:min(len(found), d.o.limit-len(d.found))]
	}
	d.found = append(d.found, found...)
}

// withProgress calls passed as the bars are read: with all of the ranges, in parts that end where a piece ends.
func withProgress(
	bars iter.Seq2[domain.Series, error], ranges []domain.Range, passed func(domain.Range),
) iter.Seq2[domain.Series, error] {
	var at time.Time
	pass := func(end time.Time) {
		for _, r := range clip(ranges, at, end) {
			passed(r)
		}
		at = end
	}

	return func(yield func(domain.Series, error) bool) {
		for piece, err := range bars {
			if err == nil {
				pass(piece.Range().End)
			}
			if !yield(piece, err) || err != nil {
				return
			}
		}

		pass(hull(ranges).End)
	}
}

// readStored yields the bars that a store has in the ranges, which it covers.
func (d *comparison) readStored(
	ctx context.Context, md *app.Service, key domain.SeriesKey, ranges []domain.Range,
) iter.Seq2[domain.Series, error] {
	return ingest.StreamBars(ctx, md, key, ranges, d.stores.limits.slots)
}

// readResampled yields the bars of key in the ranges, resampled from the finer bars of source in the other store, which
// covers them.
func (d *comparison) readResampled(
	ctx context.Context, source, key domain.SeriesKey, ranges []domain.Range,
) iter.Seq2[domain.Series, error] {
	var aligned []domain.Range
	for _, r := range ranges {
		aligned = append(aligned, key.Grid.Align(r))
	}

	return ingest.ResampleBars(d.readStored(ctx, d.stores.to, source, aligned), key)
}
