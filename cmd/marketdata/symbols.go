package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var symbolList = listing[domain.SymbolMeta]{
	columns: []column{
		{name: "symbol"}, {name: "venue"}, {name: "base"}, {name: "quote"}, {name: "tick", kind: number},
		{name: "lot", kind: number},
		{name: "zone"},
	},
	cells: func(m domain.SymbolMeta) []string {
		return []string{string(m.Symbol), m.Venue, m.Base, m.Quote, nonZero(m.Tick), nonZero(m.Lot), m.Zone}
	},
}

// nonZero returns the text of a number, or "" for 0, which means unknown.
func nonZero(d domain.Decimal) string {
	if d.IsZero() {
		return ""
	}

	return d.String()
}

func (c *command) symbolsCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "symbols [PATTERN]",
		Short: "List the known symbols",
		Long: "List the known symbols, or those that a pattern matches: * matches any\n" +
			"characters, ? any single one. Quote a pattern, because the shell expands it\n" +
			"otherwise.",
		Example: "  marketdata symbols\n  marketdata symbols 'COINBASE:*'\n  marketdata symbols '*/USD' --output json",
		Args:    arguments("at most one pattern, like: marketdata symbols 'COINBASE:*'", 0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.defaultOutput(&output); err != nil {
				return err
			}
			return c.runSymbols(cmd.Context(), strings.Join(args, ""), output)
		},
	}
	outputFlag(cmd.Flags(), &output)
	cmd.AddCommand(c.symbolsSetCommand(), c.symbolsImportCommand())

	return cmd
}

func (c *command) runSymbols(ctx context.Context, pattern, output string) error {
	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	metas, err := ports.Collect(md.Symbols(ctx, ports.SymbolQuery{Pattern: pattern}))
	if err != nil {
		return err
	}
	if err := symbolList.print(c.out, output, metas); err != nil {
		return err
	}

	switch {
	case len(metas) > 0:
	case pattern == "":
		c.notef("no symbols; marketdata import adds the symbol of the data it stores")
	default:
		c.notef("%s", noMatch(pattern))
	}

	return nil
}

// noMatch says that a pattern matches no symbol, and which one to try.
func noMatch(pattern string) string {
	return fmt.Sprintf("no symbol matches %q; case matters, and a part of a symbol needs *: try %q", pattern,
		"*"+strings.Trim(strings.ToUpper(pattern), "*")+"*")
}
