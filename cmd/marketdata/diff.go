package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
)

const diffHelp = `Compare the bars of a series in two stores, or with --against those stored with those made of finer ones.

` + sideHelp + `

A line is printed for every field that differs, and one for a bar that only one side has. Numbers are compared exactly, unless
--tolerance lets a field be so far off. Without --start and --end, all that either store holds is compared; with --against, every
bar that is held and of which all finer bars are held too.

The exit code is 0 where all is equal, and 1 where something differs.`

const diffExample = `  marketdata diff COINBASE:BTC/USD 1m --to-db backup.db
  marketdata diff 'COINBASE:*' 1d --from-db vendor.db --to production.yaml --tolerance close=0.01,volume=1
  marketdata diff BTC/USD 1d --against 1m
  marketdata diff BTC/USD 1h --against 1m --start -7d --tolerance trades=5 --output json`

// difference is a field in which two bars differ, or a bar that one side lacks.
type difference struct {
	Key   domain.SeriesKey `json:"key"`
	Time  time.Time        `json:"time"`
	Field string           `json:"field"` // "bar" where one side has none
	From  string           `json:"from"`  // "" where that side has no bar
	To    string           `json:"to"`
}

var diffList = listing[difference]{
	columns: []column{{name: "series"}, {name: "time"}, {name: "field"}, {"from", true}, {"to", true}},
	cells: func(d difference) []string {
		return []string{d.Key.String(), stamp(d.Time), d.Field, d.From, d.To}
	},
}

type diffOptions struct {
	span
	from, to      side
	kind, against string
	tolerance     map[string]string
	limit         int
	output        string
}

func (c *command) diff() *cobra.Command {
	var o diffOptions
	cmd := &cobra.Command{
		Use:               "diff SYMBOL GRID",
		Short:             "Compare bars: of two stores, or stored with those made of finer ones",
		Long:              diffHelp,
		Example:           diffExample,
		Args:              arguments("a symbol or a pattern, and a grid, like: marketdata diff BTC/USD 1m --to-db backup.db", 2, 2),
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.limit < 0 {
				return &domain.InvalidError{What: "--limit", Value: strconv.Itoa(o.limit), Reason: "give 0 (all) or more"}
			}
			if err := c.settle(&o.output); err != nil {
				return err
			}

			return c.runDiff(cmd.Context(), args[0], args[1], o)
		},
	}
	flags := cmd.Flags()
	o.from.register(flags, "from")
	o.to.register(flags, "to")
	flags.StringVar(&o.against, "against", "", "compare with the bars made of those of this finer `grid`")
	flags.StringToStringVar(&o.tolerance, "tolerance", nil,
		"by how much a field may be off: `field=number`, the fields being open, high, low, close, volume, trades")
	o.register(flags, "start", "compare from this `time` on", "end", "`time` to stop before")
	flags.StringVar(&o.kind, "kind", domain.PriceTrade.String(), kindHelp)
	flags.IntVar(&o.limit, "limit", 1000, "print only the first `n` differences; 0 is all")
	outputFlag(flags, &o.output)

	return cmd
}

func (c *command) runDiff(ctx context.Context, pattern, grid string, o diffOptions) error {
	series, err := seek(pattern, []string{grid}, o.kind)
	if err != nil {
		return err
	}

	tolerance, err := newTolerance(o.tolerance)
	if err != nil {
		return fmt.Errorf("--tolerance: %w", err)
	}

	d := &comparison{c: c, o: o, tolerance: tolerance}
	if o.against != "" {
		if d.finer, err = domain.ParseGrid(o.against); err != nil {
			return fmt.Errorf("--against: %w", err)
		}
	}

	done, err := d.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	if err := d.run(ctx, series); err != nil {
		return err
	}
	if err := diffList.print(c.out, o.output, d.found); err != nil {
		return err
	}
	if d.differ > 0 {
		if more := d.fields - len(d.found); more > 0 {
			c.notef("%d more differences are not printed; --limit 0 prints all", more)
		}
		return fmt.Errorf("%d of %d bars differ", d.differ, d.compared)
	}

	c.notef("%d bars are equal", d.compared)
	return nil
}

// comparison is a diff on its way.
type comparison struct {
	c *command
	pair
	o         diffOptions
	finer     domain.Grid // zero without --against
	tolerance tolerance

	compared, differ int // bars
	fields           int // that differ
	found            []difference
}

// open opens both sides, or with --against and no side named, the one store that is both.
func (d *comparison) open(ctx context.Context) (func(), error) {
	if d.o.against == "" || d.o.from.given() || d.o.to.given() {
		var done func()
		var err error
		d.pair, done, err = d.c.openPair(ctx, d.o.from, d.o.to)
		if err != nil && d.o.against == "" && !d.o.from.given() && !d.o.to.given() {
			err = fmt.Errorf("%w; or give --against GRID, to compare with bars made of finer ones", err)
		}

		return done, err
	}

	md, cfg, done, err := d.c.openSide(ctx, d.o.from)
	d.pair = pair{md, md, pageRows(cfg)}
	return done, err
}

func (d *comparison) run(ctx context.Context, series sought) error {
	held, err := series.held(ctx, d.from)
	if err != nil {
		return err
	}

	other := series
	if d.finer != (domain.Grid{}) {
		other.grids = []domain.Grid{d.finer}
	}
	there, err := other.held(ctx, d.to)
	if err != nil {
		return err
	}
	if len(held) == 0 && (len(there) == 0 || d.finer != (domain.Grid{})) {
		return series.nothing("diff")
	}
	if d.finer != (domain.Grid{}) {
		return d.runAgainst(ctx, held, there)
	}

	sides := map[domain.SeriesKey]*[2][]domain.Range{}
	for i, side := range [2][]heldSeries{held, there} {
		for _, s := range side {
			if sides[s.key] == nil {
				sides[s.key] = new([2][]domain.Range)
			}
			sides[s.key][i] = s.ranges()
		}
	}

	for _, key := range slices.SortedFunc(maps.Keys(sides), domain.SeriesKey.Compare) {
		left, right := sides[key][0], sides[key][1]
		err := d.compare(ctx, key, domain.MergeRanges(slices.Concat(left, right)),
			func(r domain.Range) (domain.Series, error) { return d.stored(ctx, d.from, key, r, left) },
			func(r domain.Range) (domain.Series, error) { return d.stored(ctx, d.to, key, r, right) })
		if err != nil {
			return err
		}
	}

	return nil
}

// runAgainst compares what is held with bars made of finer ones.
func (d *comparison) runAgainst(ctx context.Context, held, finer []heldSeries) error {
	for _, s := range held {
		of := domain.SeriesKey{Symbol: s.key.Symbol, Grid: d.finer, PriceType: s.key.PriceType}
		i := slices.IndexFunc(finer, func(h heldSeries) bool { return h.key == of })
		if i < 0 {
			return notHeld("diff", of.String())
		}

		var whole []domain.Range
		for _, r := range finer[i].ranges() {
			whole = append(whole, d.finer.DivisibleRanges(s.key.Grid, r)...)
		}
		var both []domain.Range
		for _, r := range s.ranges() {
			both = append(both, clipAll(whole, r)...)
		}
		if len(both) == 0 {
			return &domain.InvalidError{What: "--against", Value: d.o.against, Reason: fmt.Sprintf(
				"no bar of %s can be made whole of the bars of %s that are held", s.key, d.finer)}
		}

		var rest []domain.Range
		for _, r := range s.ranges() {
			rest = append(rest, r.Subtract(both)...)
		}
		if len(rest) > 0 {
			d.c.notef("not compared, since not all finer bars are held: %s of %s", some(rest, domain.Range.String), s.key)
		}
		err := d.compare(ctx, s.key, both,
			func(r domain.Range) (domain.Series, error) { return d.stored(ctx, d.from, s.key, r, both) },
			func(r domain.Range) (domain.Series, error) { return d.resampled(ctx, of, s.key, r) })
		if err != nil {
			return err
		}
	}
	return nil
}

func clipAll(ranges []domain.Range, within domain.Range) []domain.Range {
	return clip(ranges, within.Start, within.End)
}

// compare looks at both sides of a series in the ranges, as far as they are asked for, a window at a time.
func (d *comparison) compare(
	ctx context.Context, key domain.SeriesKey, ranges []domain.Range, from, to func(domain.Range) (domain.Series, error),
) error {
	start, end, err := d.o.times(d.c.now(), key.Grid.Zone())
	if err != nil {
		return err
	}

	ranges = clip(ranges, start, end)
	passed, shown := d.c.progressOver(key.String(), ranges)
	defer shown()
	for _, r := range ranges {
		for window := range windows(key.Grid, key.Grid.Align(r)) {
			left, err := from(window)
			if err != nil {
				return err
			}

			right, err := to(window)
			if err != nil {
				return err
			}

			d.bars(left, right)
			passed(window)
		}
	}

	return ctx.Err()
}

// windows are ranges that touch and make up r, on edges, with room for some ten thousand bars each.
func windows(g domain.Grid, r domain.Range) iter.Seq[domain.Range] {
	const slots, longest = 50_000, 50 * 365 * 24 * time.Hour // a time.Duration ends at 292 years
	length := longest
	if nominal := g.Frequency().Nominal(); nominal < longest/slots {
		length = slots * nominal
	}

	return func(yield func(domain.Range) bool) {
		for !r.Empty() {
			window := domain.Range{Start: r.Start, End: g.Ceil(r.Start.Add(length))}
			if !window.End.Before(r.End) {
				window.End = r.End
			}
			if !yield(window) {
				return
			}

			r.Start = window.End
		}
	}
}

// stored is the bars of the range in a store that holds the key in these ranges; elsewhere it is not asked.
func (d *comparison) stored(
	ctx context.Context, md *app.Service, key domain.SeriesKey, r domain.Range, held []domain.Range,
) (domain.Series, error) {
	all := domain.NewSeriesBuilder(key, 0)
	for _, part := range clipAll(held, r) {
		for p, err := range storedBars(key).pages(ctx, md, part, d.page) {
			if err == nil {
				err = all.AppendSeries(p.rows)
			}
			if err != nil {
				return domain.Series{}, err
			}
		}
	}

	return all.Series()
}

// resampled is the bars of key made of the finer ones that the other store holds all of.
func (d *comparison) resampled(ctx context.Context, of, key domain.SeriesKey, r domain.Range) (domain.Series, error) {
	resampler, err := domain.NewResampler(key)
	if err != nil {
		return domain.Series{}, err
	}

	all := domain.NewSeriesBuilder(key, 0)
	for p, err := range storedBars(of).pages(ctx, d.to, r, d.page) {
		if err != nil {
			return domain.Series{}, err
		}

		made, err := resampler.AddBars(p.rows)
		if err == nil {
			err = all.AppendSeries(made)
		}
		if err != nil {
			return domain.Series{}, err
		}
	}
	if err := all.AppendSeries(resampler.Flush()); err != nil {
		return domain.Series{}, err
	}

	return all.Series()
}
