package main

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
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
	return c.suggest(cmd, func(ctx context.Context, md *app.Service) ([]string, error) {
		if len(args) == 0 {
			return symbolsLike(ctx, md, begun)
		}
		return gridsOf(ctx, md, args)
	})
}

// completeFetch suggests the symbols known, then the grids held of those given and, once one is begun, more symbols, up to the grid.
func (c *command) completeFetch(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if n := len(args); n > 1 {
		if _, err := domain.ParseGrid(args[n-1]); err == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
	return c.suggest(cmd, func(ctx context.Context, md *app.Service) ([]string, error) {
		if len(args) == 0 {
			return symbolsLike(ctx, md, begun)
		}

		grids, err := gridsOf(ctx, md, args)
		if err != nil || begun == "" {
			return grids, err
		}

		symbols, err := symbolsLike(ctx, md, begun)
		return append(grids, symbols...), err
	})
}

// suggest asks the stores for suggestions, in the time that a shell waits.
func (c *command) suggest(
	cmd *cobra.Command, ask func(context.Context, *app.Service) ([]string, error),
) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	md, done, err := c.open(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	defer done()
	found, err := ask(ctx, md)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}

	return found, cobra.ShellCompDirectiveNoFileComp
}

// symbolsLike is the first of the symbols known that begin so.
func symbolsLike(ctx context.Context, md *app.Service, begun string) (found []string, err error) {
	const most = 100
	metas, err := md.Symbols(ctx, ports.SymbolQuery{Pattern: begun + "*", Limit: most})
	for _, m := range metas {
		found = append(found, string(m.Symbol))
	}

	return found, err
}

// gridsOf is the grids held of the symbols, which may be patterns.
func gridsOf(ctx context.Context, md *app.Service, names []string) (found []string, err error) {
	var symbols []domain.Symbol
	if !slices.ContainsFunc(names, isPattern) {
		for _, name := range names {
			symbols = append(symbols, domain.Symbol(name))
		}
	}

	extents, err := md.Coverage(ctx, symbols...)
	for _, e := range extents {
		grid := e.Key.Grid.String()
		if !slices.Contains(found, grid) && slices.ContainsFunc(names, e.Key.Symbol.Matches) {
			found = append(found, grid)
		}
	}

	return found, err
}
