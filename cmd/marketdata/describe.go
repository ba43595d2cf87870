package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// property is one line of a description.
type property struct{ name, value string }

var propertyList = listing[property]{
	columns: []column{{name: "property"}, {name: "value", kind: prose}},
	cells:   func(p property) []string { return []string{p.name, p.value} },
}

func (c *command) describeCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "describe SYMBOL",
		Short: "Show a symbol's metadata and statistics",
		Long: "Show a symbol's metadata, and its statistics of the last 30 days: the lowest and\n" +
			"highest price and the volume, from the bars that cover most of these days, and\n" +
			"the average spread, from quotes. Parts of these days that are not covered are\n" +
			"listed, because the numbers do not speak of them. Unknown values are empty.",
		Example:           "  marketdata describe COINBASE:BTC/USD\n  marketdata describe BTC/USD --output json",
		Args:              arguments("a symbol, like: marketdata describe BTC/USD", 1, 1),
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			symbol, err := domain.ParseSymbol(args[0])
			if err != nil {
				return err
			}
			if err := c.defaultOutput(&output); err != nil {
				return err
			}

			return c.runDescribe(cmd.Context(), symbol, output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runDescribe(ctx context.Context, symbol domain.Symbol, output string) error {
	md, done, err := c.open(ctx, mustExist)
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
		return writeJSON(c.out, d)
	case formatNDJSON:
		return writeNDJSON(c.out, func(yield func(ports.Description) bool) { yield(d) })
	}

	return propertyList.print(c.out, output, properties(d))
}

// properties returns the description line by line. Statistics without a bar or a quote have no value.
func properties(d ports.Description) []property {
	s := d.Statistics
	var frequency, lowest, highest, volume, spread string
	if s.Bars > 0 {
		frequency, volume = s.Grid.String(), s.Volume.String()
		lowest, highest = s.MinPrice.String(), s.MaxPrice.String()
	}
	if s.Quotes > 0 {
		spread = s.AverageSpread.String()
	}

	return []property{
		{"symbol", string(d.Symbol)}, {"venue", d.Venue}, {"base", d.Base}, {"quote", d.Quote},
		{"tick", nonZero(d.Tick)}, {"lot", nonZero(d.Lot)}, {"zone", d.Zone},
		{"window start", stamp(s.Window.Start)}, {"window end", stamp(s.Window.End)},
		{"bars", strconv.FormatInt(s.Bars, 10)}, {"frequency", frequency},
		{"lowest price", lowest}, {"highest price", highest}, {"volume", volume},
		{"bars not covered", summarize(d.Uncovered, rangeText)},
		{"bars with inferred coverage", summarize(d.Inferred, rangeText)},
		{"quotes", strconv.FormatInt(s.Quotes, 10)}, {"average spread", spread},
		{"quotes not covered", summarize(d.UncoveredQuotes, rangeText)},
	}
}
