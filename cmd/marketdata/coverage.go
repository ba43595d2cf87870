package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// held is a range of bars, or one of trades or quotes.
type held struct {
	bars  ports.StoreExtent
	ticks ports.StoreTickExtent // where of a kind
}

// MarshalJSON writes the one that it is.
func (h held) MarshalJSON() ([]byte, error) {
	if h.ticks.Kind != "" {
		return json.Marshal(h.ticks)
	}
	return json.Marshal(h.bars)
}

var coverageList = listing[held]{
	columns: []column{{name: "symbol"}, {name: "grid"}, {name: "kind"}, {name: "start"}, {name: "end"}, {name: "store"}, {name: "known by"}},
	cells: func(h held) []string {
		if t := h.ticks; t.Kind != "" {
			return []string{string(t.Symbol), "", string(t.Kind), stamp(t.Range.Start), stamp(t.Range.End), t.Store, "claim"}
		}
		b, by := h.bars, "claim"
		if b.Assumed {
			by = "assumption"
		}
		return []string{
			string(b.Key.Symbol), b.Key.Grid.String(), b.Key.Kind.String(), stamp(b.Range.Start), stamp(b.Range.End), b.Store, by,
		}
	},
}

func (c *command) coverage() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "coverage [SYMBOL...]",
		Short: "List the ranges held",
		Long: "List the ranges held of bars, and below them of trades and quotes, of all symbols or of those named. Inside\n" +
			"a range known by a claim, a missing bar means that nothing was traded; between ranges nobody knows. One known by assumption goes from the first bar of a store to its last.",
		Example:           "  marketdata coverage\n  marketdata coverage COINBASE:BTC/USD --output json",
		ValidArgsFunction: c.completeSymbols,
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
	bars, err := md.Coverage(ctx, symbols...)
	if err != nil {
		return err
	}
	ticks, err := md.TickCoverage(ctx, symbols...)
	if err != nil {
		return err
	}
	all := make([]held, 0, len(bars)+len(ticks))
	for _, e := range bars {
		all = append(all, held{bars: e})
	}
	for _, e := range ticks {
		all = append(all, held{ticks: e})
	}
	if err := coverageList.print(c.out, output, all); err != nil {
		return err
	}
	if len(all) == 0 {
		c.notef("nothing is held; marketdata import stores bars, trades and quotes, marketdata symbols lists the symbols known")
	}
	return nil
}
