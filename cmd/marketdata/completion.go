package main

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// completionTimeout bounds how long the shell waits for completions; a slower store yields none.
const completionTimeout = 500 * time.Millisecond

// completeSymbols completes known symbols.
func (c *command) completeSymbols(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return c.completeSeries(cmd, nil, prefix)
}

// completeSeries completes a known symbol, then a frequency that is stored for it, then files.
func (c *command) completeSeries(
	cmd *cobra.Command, args []string, prefix string,
) ([]string, cobra.ShellCompDirective) {
	if len(args) > 1 {
		return nil, cobra.ShellCompDirectiveDefault
	}

	return c.complete(cmd, func(ctx context.Context, md *app.Service) ([]string, error) {
		if len(args) == 0 {
			return findSymbols(ctx, md, prefix)
		}
		return findFrequencies(ctx, md, args)
	})
}

// completeFetch completes known symbols, and after the first one frequencies too, until a frequency is given.
func (c *command) completeFetch(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if n := len(args); n > 1 {
		if _, err := domain.ParseGrid(args[n-1]); err == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}

	return c.complete(cmd, func(ctx context.Context, md *app.Service) ([]string, error) {
		if len(args) == 0 {
			return findSymbols(ctx, md, prefix)
		}

		frequencies, err := findFrequencies(ctx, md, args)
		if err != nil || prefix == "" {
			return frequencies, err
		}

		symbols, err := findSymbols(ctx, md, prefix)

		return append(frequencies, symbols...), err
	})
}

// complete opens the stores and calls find, within the time that a shell waits. It has no completions after an error,
// and says nothing about it, because its words would stand in the command line of the user.
func (c *command) complete(
	cmd *cobra.Command, find func(context.Context, *app.Service) ([]string, error),
) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	silent := *c
	silent.err = io.Discard
	completions := make(chan []string, 1)
	go func() {
		md, done, err := silent.open(ctx, mustExist)
		if err != nil {
			completions <- nil
			return
		}

		found, err := find(ctx, md)
		if err != nil {
			found = nil
		}
		completions <- found
		done()
	}()

	select {
	case found := <-completions:
		return found, cobra.ShellCompDirectiveNoFileComp
	case <-ctx.Done(): // the process ends now, and with it a store that does not notice the end of ctx
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// findSymbols returns the first known symbols with the prefix.
func findSymbols(ctx context.Context, md *app.Service, prefix string) (found []string, err error) {
	const limit = 100
	metas, err := ports.Collect(md.Symbols(ctx, ports.SymbolQuery{Pattern: prefix + "*", Limit: limit}))
	for _, m := range metas {
		found = append(found, string(m.Symbol))
	}

	return found, err
}

// findFrequencies returns the frequencies that are stored for the symbols, which may be patterns.
func findFrequencies(ctx context.Context, md *app.Service, names []string) (found []string, err error) {
	var symbols []domain.Symbol
	if !slices.ContainsFunc(names, isPattern) {
		for _, name := range names {
			symbols = append(symbols, domain.Symbol(name))
		}
	}

	extents, err := ports.Collect(md.Coverage(ctx, symbols...))
	for _, e := range extents {
		grid := e.Key.Grid.String()
		if !slices.Contains(found, grid) && slices.ContainsFunc(names, e.Key.Symbol.Matches) {
			found = append(found, grid)
		}
	}

	return found, err
}
