package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// deletion is the report of a delete.
type deletion struct {
	Key     domain.SeriesKey `json:"key"`
	Range   domain.Range     `json:"range"`
	Deleted int              `json:"deleted"`
}

var deletionList = listing[deletion]{
	columns: []column{{name: "series"}, {name: "start"}, {name: "end"}, {"deleted", true}},
	cells: func(d deletion) []string {
		return []string{d.Key.String(), stamp(d.Range.Start), stamp(d.Range.End), fmt.Sprint(d.Deleted)}
	},
}

type deleteOptions struct {
	span
	kind, output string
	yes          bool
}

func (c *command) deletes() *cobra.Command {
	var o deleteOptions
	cmd := &cobra.Command{
		Use:   "delete SYMBOL GRID",
		Short: "Delete the bars of a range",
		Long: "Delete the bars of a series in a range, and the claim that the range is complete. Without --start or --end the range\n" +
			"reaches as far as what is held. Without --yes nothing is deleted: you are told what would be.",
		Example:           "  marketdata delete BTC/USD 1m --start 2018-04-05 --end 2018-04-06 --yes\n  marketdata delete BTC/USD 1d --yes",
		Args:              arguments("a symbol and a grid, like: marketdata delete BTC/USD 1m --start 2018-04-05 --end 2018-04-06", 2, 2),
		ValidArgsFunction: c.completeSeries,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := parseKey(args[0], args[1], o.kind)
			if err != nil {
				return err
			}

			start, end, err := o.times(c.now(), key.Grid.Zone())
			if err != nil {
				return err
			}
			if err := c.settle(&o.output); err != nil {
				return err
			}

			return c.runDelete(cmd.Context(), key, start, end, o)
		},
	}
	flags := cmd.Flags()
	o.register(flags, "start", "`time` of the first bar to go (default the first held)", "end", "`time` to stop before (default the end of the last held)")
	flags.StringVar(&o.kind, "kind", domain.PriceTrade.String(), kindHelp)
	flags.BoolVar(&o.yes, "yes", false, "do it")
	outputFlag(flags, &o.output)

	return cmd
}

func (c *command) runDelete(ctx context.Context, key domain.SeriesKey, start, end time.Time, o deleteOptions) error {
	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	held, err := heldRange(ctx, md, key)
	if err != nil {
		return err
	}

	if start.IsZero() {
		start = held.Start
	}
	if end.IsZero() {
		end = held.End
	}
	r, err := domain.NewRange(start, end)
	if err != nil {
		return err
	}
	if !o.yes {
		return userError{fmt.Errorf("nothing is deleted yet: this would delete the bars of %s in %s; add --yes to do it", key, r)}
	}

	report, err := md.Replace(ctx, domain.EmptySeries(key), r)
	if err != nil {
		return err
	}

	return deletionList.print(c.out, o.output, []deletion{{Key: key, Range: r, Deleted: report.Deleted}})
}

// heldRange is from the first to the last of what is held of the series.
func heldRange(ctx context.Context, md *app.Service, key domain.SeriesKey) (domain.Range, error) {
	extents, err := md.Coverage(ctx, key.Symbol)
	if err != nil {
		return domain.Range{}, err
	}

	var held domain.Range
	for _, e := range extents {
		if e.Key != key {
			continue
		}

		if held.Empty() {
			held.Start = e.Range.Start
		}
		held.End = e.Range.End
	}
	if !held.Empty() {
		return held, nil
	}

	cause := fmt.Errorf("nothing is held of the series; marketdata coverage lists what is: %w", ports.ErrNotFound)
	return domain.Range{}, &ports.Error{Kind: ports.ErrNotFound, Op: "delete", Subject: key.String(), Err: cause}
}
