package main

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/adapters/file"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// extent is a covered range: of bars, or, where ticks has a kind, of trades or quotes.
type extent struct {
	bars  ports.StoreExtent
	ticks ports.StoreTickExtent
}

// MarshalJSON writes the extent as that of its kind.
func (e extent) MarshalJSON() ([]byte, error) {
	if e.ticks.Kind != "" {
		return json.Marshal(e.ticks)
	}

	return json.Marshal(e.bars)
}

var coverageList = listing[extent]{
	columns: []column{
		{name: "symbol"}, {name: "data", usual: "bars"}, {name: "frequency"}, {name: "price", usual: "trade"},
		{name: "start", kind: instant}, {name: "end", kind: instant},
		{name: "store"}, {name: "coverage", usual: "declared"},
	},
	cells: func(e extent) []string {
		if t := e.ticks; t.Kind != "" {
			return []string{
				string(t.Symbol), string(t.Kind), "", "",
				stamp(t.Range.Start), stamp(t.Range.End), string(t.Store), coverageText(false),
			}
		}

		b := e.bars

		return []string{
			string(b.Key.Symbol), string(file.KindBars), b.Key.Grid.String(), b.Key.PriceType.String(),
			stamp(b.Range.Start), stamp(b.Range.End), string(b.Store), coverageText(b.Inferred),
		}
	},
}

// freshnessList prints how far each series reaches. CSV, too, has the lag in units for people.
var freshnessList = listing[ports.Freshness]{
	columns: []column{
		{name: "symbol"}, {name: "frequency"}, {name: "price", usual: "trade"}, {name: "until", kind: instant},
		{name: "behind", kind: number}, {name: "store"},
		{name: "coverage", usual: "declared"},
	},
	cells: func(f ports.Freshness) []string {
		return []string{
			string(f.Key.Symbol), f.Key.Grid.String(), f.Key.PriceType.String(),
			stamp(f.CoveredUntil), ageText(f.Behind), string(f.Store), coverageText(f.Inferred),
		}
	},
}

// ageText formats a duration in whole days where it is two days or more, else in whole seconds.
func ageText(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}

	return d.Truncate(time.Second).String()
}

func coverageText(inferred bool) string {
	if inferred {
		return "inferred"
	}

	return "declared"
}

const coverageHelp = `List the covered ranges of bars, and below them of trades and quotes: of all
symbols, or of the given ones. Inside a covered range, a missing bar means that
nothing traded; outside, nothing is known.

Coverage is declared by the writer of the data. For a store that this program
does not write, it is inferred: from the first bar to the last.

--latest shows how fresh each series of bars is: the end of its coverage, and
how far that is behind now.`

func (c *command) coverageCommand() *cobra.Command {
	var output string
	var latest bool
	cmd := &cobra.Command{
		Use:   "coverage [SYMBOL...]",
		Short: "List the covered ranges",
		Long:  coverageHelp,
		Example: "  marketdata coverage\n  marketdata coverage COINBASE:BTC/USD --output json\n" +
			"  marketdata coverage --latest",
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.defaultOutput(&output); err != nil {
				return err
			}
			return c.runCoverage(cmd.Context(), args, latest, output)
		},
	}
	cmd.Flags().BoolVar(&latest, "latest", false,
		"show the end of the coverage of each series of bars, and how far it is behind now")
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

	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}

	md, done, err := c.openStores(ctx, cfg, c.dbPath != "", mustExist)
	if err != nil {
		return err
	}

	defer done()
	c.noteStores(cfg, md)
	if latest {
		return c.printFreshness(ctx, md, symbols, output)
	}

	return c.printCoverage(ctx, md, symbols, output)
}

func (c *command) printCoverage(ctx context.Context, md *app.Service, symbols []domain.Symbol, output string) error {
	bars, err := ports.Collect(md.Coverage(ctx, symbols...))
	if err != nil {
		return err
	}

	ticks, err := ports.Collect(md.TickCoverage(ctx, symbols...))
	if err != nil {
		return err
	}

	all := make([]extent, 0, len(bars)+len(ticks))
	for _, e := range bars {
		all = append(all, extent{bars: e})
	}
	for _, e := range ticks {
		all = append(all, extent{ticks: e})
	}
	if len(all) == 0 {
		if err := c.noteNoCoverage(ctx, md, symbols); err != nil {
			return err
		}
	}

	return coverageList.print(c.out, output, all)
}

func (c *command) printFreshness(
	ctx context.Context, md *app.Service, symbols []domain.Symbol, output string,
) error {
	all, err := md.Latest(ctx, symbols...)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		if err := c.noteNoCoverage(ctx, md, symbols); err != nil {
			return err
		}
	}

	return freshnessList.print(c.out, output, all)
}

// noteNoCoverage notes that nothing of the symbols is covered. An unknown symbol is an error that names similar ones.
func (c *command) noteNoCoverage(ctx context.Context, md *app.Service, symbols []domain.Symbol) error {
	for _, symbol := range symbols {
		if err := requireKnown(ctx, md, "coverage", symbol); err != nil {
			return err
		}
	}

	c.notef("no coverage; marketdata import stores bars, trades and quotes, marketdata symbols lists the known symbols")

	return nil
}
