package main

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
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

		b := h.bars
		return []string{
			string(b.Key.Symbol), b.Key.Grid.String(), b.Key.PriceType.String(), stamp(b.Range.Start), stamp(b.Range.End), b.Store,
			knownBy(b.Inferred),
		}
	},
}

// freshness is how far each series reaches. In CSV as on a terminal, what is behind is in units that people read.
var freshness = listing[ports.Freshness]{
	columns: []column{{name: "symbol"}, {name: "grid"}, {name: "kind"}, {name: "until"}, {"behind", true}, {name: "store"}, {name: "known by"}},
	cells: func(f ports.Freshness) []string {
		return []string{
			string(f.Key.Symbol), f.Key.Grid.String(), f.Key.PriceType.String(), stamp(f.CoveredUntil), age(f.Behind), f.Store, knownBy(f.Inferred),
		}
	},
}

// age is a duration in whole days, where it is two or more, else in whole seconds.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}

	return d.Truncate(time.Second).String()
}

func knownBy(assumed bool) string {
	if assumed {
		return "assumption"
	}
	return "claim"
}

func (c *command) coverage() *cobra.Command {
	var output string
	var latest bool
	cmd := &cobra.Command{
		Use:   "coverage [SYMBOL...]",
		Short: "List the ranges held",
		Long: "List the ranges held of bars, and below them of trades and quotes, of all symbols or of those named. Inside\n" +
			"a range known by a claim, a missing bar means that nothing was traded; between ranges nobody knows. One known by assumption goes from the first bar of a store to its last.\n\n" +
			"With --latest, how fresh each series of bars is: how far it reaches, and how long before now that is.",
		Example: "  marketdata coverage\n  marketdata coverage COINBASE:BTC/USD --output json\n" +
			"  marketdata coverage --latest",
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.settle(&output); err != nil {
				return err
			}
			return c.runCoverage(cmd.Context(), args, latest, output)
		},
	}
	cmd.Flags().BoolVar(&latest, "latest", false, "how far each series of bars reaches, and how long before now that is")
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runCoverage(ctx context.Context, names []string, latest bool, output string) error {
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
	if latest {
		return c.printFreshness(ctx, md, symbols, output)
	}

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
		c.noteNothing()
	}
	return nil
}

func (c *command) printFreshness(ctx context.Context, md *app.Service, symbols []domain.Symbol, output string) error {
	all, err := md.Latest(ctx, symbols...)
	if err != nil {
		return err
	}

	if len(all) == 0 {
		c.noteNothing()
	}
	return freshness.print(c.out, output, all)
}

func (c *command) noteNothing() {
	c.notef("nothing is held; marketdata import stores bars, trades and quotes, marketdata symbols lists the symbols known")
}
