package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// completionTime is how long a shell waits for suggestions: a store that takes longer gives none.
const completionTime = 500 * time.Millisecond

// completeSymbols suggests the symbols known.
func (c *command) completeSymbols(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return c.completeSeries(cmd, nil, begun)
}

// completeSeries suggests the symbols known, then the grids held of the symbol, then files.
func (c *command) completeSeries(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	md, done, err := c.open(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer done()
	const most = 100
	var found []string
	if len(args) == 0 {
		metas, err := md.Symbols(ctx, ports.SymbolQuery{Pattern: begun + "*", Limit: most})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		for _, m := range metas {
			found = append(found, string(m.Symbol))
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
	extents, err := md.Coverage(ctx, domain.Symbol(args[0]))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for _, e := range extents {
		if grid := e.Key.Grid.String(); !slices.Contains(found, grid) {
			found = append(found, grid)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}
