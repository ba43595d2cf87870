package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var coverageList = listing[ports.StoreExtent]{
	columns: []column{{name: "symbol"}, {name: "grid"}, {name: "kind"}, {name: "start"}, {name: "end"}, {name: "store"}, {name: "known by"}},
	cells: func(e ports.StoreExtent) []string {
		by := "claim"
		if e.Assumed {
			by = "assumption"
		}
		return []string{
			string(e.Key.Symbol), e.Key.Grid.String(), e.Key.Kind.String(), stamp(e.Range.Start), stamp(e.Range.End), e.Store, by,
		}
	},
}

func (c *command) coverage() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "coverage [SYMBOL...]",
		Short: "List the ranges held",
		Long: "List the ranges held of all symbols, or of those named. Inside a range known by a claim, a missing bar means that\n" +
			"nothing was traded; between ranges nobody knows. One known by assumption goes from the first bar of a store to its last.",
		Example: "  marketdata coverage\n  marketdata coverage COINBASE:BTC/USD --output json",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.settle(&output); err != nil {
				return err
			}
			return c.runCoverage(cmd.Context(), args, output)
		},
	}
	outputFlag(cmd.Flags(), &output)
	return cmd
}

func (c *command) runCoverage(ctx context.Context, names []string, output string) error {
	symbols := make([]domain.Symbol, len(names))
	for i, name := range names {
		var err error
		if symbols[i], err = domain.ParseSymbol(name); err != nil {
			return err
		}
	}
	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer done()
	held, err := md.Coverage(ctx, symbols...)
	if err != nil {
		return err
	}
	if err := coverageList.print(c.out, output, held); err != nil {
		return err
	}
	if len(held) == 0 {
		c.notef("nothing is held; marketdata import stores bars, marketdata symbols lists the symbols known")
	}
	return nil
}
