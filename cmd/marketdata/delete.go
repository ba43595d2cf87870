package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// deleteReport reports a delete.
type deleteReport struct {
	Key     domain.SeriesKey `json:"key"`
	Range   domain.Range     `json:"range"`
	Deleted int              `json:"deleted"`
}

var deleteList = listing[deleteReport]{
	columns: []column{{name: "series"}, {name: "start"}, {name: "end"}, {"deleted", number}},
	cells: func(d deleteReport) []string {
		return []string{d.Key.String(), stamp(d.Range.Start), stamp(d.Range.End), strconv.Itoa(d.Deleted)}
	},
}

type deleteOptions struct {
	window        rangeFlags
	price, output string
	yes           bool
}

func (c *command) deleteCommand() *cobra.Command {
	var o deleteOptions
	cmd := &cobra.Command{
		Use:   "delete SYMBOL FREQUENCY",
		Short: "Delete the bars of a range",
		Long: "Delete the bars of a series in a range, and the coverage of the range. Without --start or --end,\n" +
			"the range extends to the start or the end of the coverage. Dry run unless --yes is given.",
		Example: "  marketdata delete BTC/USD 1m --start 2018-04-05 --end 2018-04-06 --yes\n" +
			"  marketdata delete BTC/USD 1d --yes",
		Args: arguments(
			"a symbol and a frequency, like: marketdata delete BTC/USD 1m --start 2018-04-05 --end 2018-04-06", 2, 2),
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseKey(args[0], args[1], o.price)
			if err != nil {
				return err
			}
			if err := c.defaultOutput(&o.output); err != nil {
				return err
			}

			return c.runDelete(cmd.Context(), key, o)
		},
	}
	flags := cmd.Flags()
	o.window.register(flags, "`time` of the first bar to delete (default the start of the coverage)",
		"`time` to stop before (default the end of the coverage)")
	priceFlag(flags, &o.price)
	flags.BoolVar(&o.yes, "yes", false, "delete the bars; without it, only report which bars would be deleted")
	outputFlag(flags, &o.output)

	return cmd
}

func (c *command) runDelete(ctx context.Context, key domain.SeriesKey, o deleteOptions) error {
	start, end, err := o.window.times(c.now(), key.Grid.Zone())
	if err != nil {
		return err
	}

	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	r, err := coveredRange(ctx, md, "delete", key, domain.Range{Start: start, End: end})
	if err != nil {
		return err
	}
	if !o.yes {
		return userErrorf("dry run: this would delete the bars of %s from %s; add --yes to delete them",
			key, rangeText(r))
	}

	report, err := md.Delete(ctx, key, r)
	if err != nil {
		return err
	}

	return deleteList.print(c.out, o.output, []deleteReport{{Key: key, Range: r, Deleted: report.Deleted}})
}

// coveredRange returns the range r of a series; a zero start or end of r is that of the coverage. A series without
// coverage is an error of op.
func coveredRange(
	ctx context.Context, md *app.Service, op string, key domain.SeriesKey, r domain.Range,
) (domain.Range, error) {
	extents, err := ports.Collect(md.Coverage(ctx, key.Symbol))
	if err != nil {
		return domain.Range{}, err
	}

	var ranges []domain.Range
	for _, e := range extents {
		if e.Key == key {
			ranges = append(ranges, e.Range)
		}
	}

	coverage := hull(domain.MergeRanges(ranges))
	if coverage.Empty() {
		return domain.Range{}, errNoData(ctx, md, op, key.Symbol, key.String())
	}

	if r.Start.IsZero() {
		r.Start = coverage.Start
	}
	if r.End.IsZero() {
		r.End = coverage.End
	}

	return domain.NewRange(r.Start, r.End)
}
