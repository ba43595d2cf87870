package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// fact is one thing known of a symbol.
type fact struct{ name, value string }

var factList = listing[fact]{
	columns: []column{{name: "what"}, {name: "value"}},
	cells:   func(f fact) []string { return []string{f.name, f.value} },
}

func (c *command) describe() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "describe SYMBOL",
		Short: "Tell what is known of a symbol, and how it traded lately",
		Long: "Tell what is known of a symbol, and how it traded in the 30 days before now: the lowest and highest price and the volume,\n" +
			"from the bars that cover most of these days; the average spread, from quotes. What nobody knows is left empty.",
		Example:           "  marketdata describe COINBASE:BTC/USD\n  marketdata describe BTC/USD --output json",
		Args:              arguments("a symbol, like: marketdata describe BTC/USD", 1, 1),
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			symbol, err := domain.ParseSymbol(args[0])
			if err != nil {
				return err
			}
			if err := c.settle(&output); err != nil {
				return err
			}

			return c.runDescribe(cmd.Context(), symbol, output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runDescribe(ctx context.Context, symbol domain.Symbol, output string) error {
	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	d, err := md.Describe(ctx, symbol)
	if err != nil {
		return err
	}

	switch output {
	case formatJSON:
		return indented(c.out, d)
	case formatNDJSON:
		return lines(c.out, func(yield func(ports.Description) bool) { yield(d) })
	}

	return factList.print(c.out, output, facts(d))
}

func facts(d ports.Description) []fact {
	s := d.Statistics
	all := []fact{
		{"symbol", string(d.Symbol)}, {"venue", d.Venue}, {"base", d.Base}, {"quote", d.Quote},
		{"tick", known(d.Tick)}, {"lot", known(d.Lot)}, {"zone", d.Zone},
		{"from", stamp(s.Window.Start)}, {"to", stamp(s.Window.End)},
		{"bars", strconv.FormatInt(s.Bars, 10)}, {"bars of", ""}, {"lowest price", ""}, {"highest price", ""}, {"volume", ""},
		{"quotes", strconv.FormatInt(s.Quotes, 10)}, {"average spread", ""},
	}
	set := func(name, value string) {
		for i := range all {
			if all[i].name == name {
				all[i].value = value
			}
		}
	}
	if s.Bars > 0 {
		set("bars of", s.Grid.String())
		set("lowest price", s.MinPrice.String())
		set("highest price", s.MaxPrice.String())
		set("volume", s.Volume.String())
	}

	if s.Quotes > 0 {
		set("average spread", s.AverageSpread.String())
	}
	return all
}
