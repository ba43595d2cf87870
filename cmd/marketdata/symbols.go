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
	columns: []column{{name: "symbol"}, {name: "venue"}, {name: "base"}, {name: "quote"}, {"tick", true}, {"lot", true}, {name: "zone"}},
	cells: func(m domain.SymbolMeta) []string {
		return []string{string(m.Symbol), m.Venue, m.Base, m.Quote, known(m.Tick), known(m.Lot), m.Zone}
	},
}

// known is a tick or lot, of which 0 means that nobody knows.
func known(d domain.Decimal) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func (c *command) symbols() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "symbols [PATTERN]",
		Short: "List the symbols known",
		Long: "List the symbols known, or those that a pattern matches: * is any run of characters, ? any one.\n" +
			"Quote a pattern, or the shell takes it for file names.",
		Example: "  marketdata symbols\n  marketdata symbols 'COINBASE:*'\n  marketdata symbols '*/USD' --output json",
		Args:    arguments("at most one pattern, like: marketdata symbols 'COINBASE:*'", 0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.settle(&output); err != nil {
				return err
			}
			return c.runSymbols(cmd.Context(), strings.Join(args, ""), output)
		},
	}
	outputFlag(cmd.Flags(), &output)

	return cmd
}

func (c *command) runSymbols(ctx context.Context, pattern, output string) error {
	md, done, err := c.open(ctx)
	if err != nil {
		return err
	}

	defer done()
	metas, err := md.Symbols(ctx, ports.SymbolQuery{Pattern: pattern})
	if err != nil {
		return err
	}
	if err := symbolList.print(c.out, output, metas); err != nil {
		return err
	}

	switch {
	case len(metas) > 0:
	case pattern == "":
		c.notef("no symbols yet; marketdata import stores bars of one")
	default:
		c.notef("%s", noMatch(pattern))
	}

	return nil
}

// noMatch says what to do about a pattern that matches no symbol.
func noMatch(pattern string) string {
	return fmt.Sprintf("no symbol matches %q; symbols are in upper case, and a part of one needs *: try %q", pattern,
		"*"+strings.Trim(strings.ToUpper(pattern), "*")+"*")
}
