package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// symbolFields are the fields of a symbol that can be set, by the names of their flags and columns.
var symbolFields = []string{"venue", "base", "quote", "tick", "lot", "zone"}

// symbolEdit is a symbol with the new texts of some of its fields; an empty text is "unknown".
type symbolEdit struct {
	symbol domain.Symbol
	fields map[string]string
}

// apply returns the metadata with the fields of the edit.
func (e symbolEdit) apply(m domain.SymbolMeta) (domain.SymbolMeta, error) {
	var errs []error
	number := func(name, text string, d *domain.Decimal) {
		*d = domain.Decimal{}
		if text == "" {
			return
		}

		parsed, err := domain.ParseDecimal(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s of %s: %w", name, e.symbol, err))
		}
		*d = parsed
	}

	for name, text := range e.fields {
		switch name {
		case "venue":
			m.Venue = text
		case "base":
			m.Base = text
		case "quote":
			m.Quote = text
		case "tick":
			number(name, text, &m.Tick)
		case "lot":
			number(name, text, &m.Lot)
		case "zone":
			m.Zone = text
		}
	}

	return m, errors.Join(append(errs, m.Validate())...)
}

func (c *command) symbolsSetCommand() *cobra.Command {
	texts := map[string]*string{}
	var o symbolsSetOptions
	cmd := &cobra.Command{
		Use:   "set SYMBOL",
		Short: "Set the tick, lot, zone and names of a symbol",
		Long: "Set the fields of a symbol that are given, and leave the others as they are. A\n" +
			"symbol that is not known is added. An empty text makes a field unknown.",
		Example: "  marketdata symbols set COINBASE:BTC/USD --tick 0.01 --lot 0.00000001\n" +
			"  marketdata symbols set '^GSPC' --venue CBOE --zone America/New_York",
		Args:              arguments("a symbol, like: marketdata symbols set BTC/USD --tick 0.01", 1, 1),
		ValidArgsFunction: c.completeSymbols,
		RunE: func(cmd *cobra.Command, args []string) error {
			edit := symbolEdit{symbol: domain.Symbol(args[0]), fields: map[string]string{}}
			for name, text := range texts {
				if cmd.Flags().Changed(name) {
					edit.fields[name] = *text
				}
			}
			if len(edit.fields) == 0 {
				return userErrorf("nothing to set; give a field, like --tick 0.01")
			}

			return c.setSymbols(cmd.Context(), []symbolEdit{edit}, o)
		},
	}

	usages := map[string]string{
		"venue": "the `name` of the venue", "base": "the traded `asset`, like BTC",
		"quote": "the `asset` of prices, like USD", "tick": "the price `increment`", "lot": "the size `increment`",
		"zone": "the IANA time `zone` of the venue",
	}
	for _, name := range symbolFields {
		texts[name] = cmd.Flags().String(name, "", usages[name])
	}
	o.addFlags(cmd)

	return cmd
}

func (c *command) symbolsImportCommand() *cobra.Command {
	var o symbolsSetOptions
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Set the fields of many symbols from a CSV file",
		Long: "Set the fields of symbols from a CSV file with the columns that\n" +
			"\"marketdata symbols --output csv\" prints: symbol, and any of venue, base, quote,\n" +
			"tick, lot and zone. A column that is absent leaves the field as it is; an empty\n" +
			"cell makes it unknown. Nothing is set if a row is wrong.",
		Example: "  marketdata symbols --output csv > symbols.csv\n  marketdata symbols import symbols.csv",
		Args:    arguments("a CSV file, like: marketdata symbols import symbols.csv", 1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			edits, err := c.readSymbolEdits(args[0])
			if err != nil {
				return err
			}

			return c.setSymbols(cmd.Context(), edits, o)
		},
	}
	o.addFlags(cmd)

	return cmd
}

// symbolsSetOptions are the flags of both commands.
type symbolsSetOptions struct {
	output string
	dryRun bool
}

func (o *symbolsSetOptions) addFlags(cmd *cobra.Command) {
	outputFlag(cmd.Flags(), &o.output)
	cmd.Flags().BoolVar(&o.dryRun, "dry-run", false, "print the symbols that would change, and set nothing")
}

// readSymbolEdits reads a CSV file, or standard input for -.
func (c *command) readSymbolEdits(name string) ([]symbolEdit, error) {
	in := c.in
	if name != standardInput {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}

		defer f.Close()
		in = f
	}

	edits, err := parseSymbolEdits(in)
	if err != nil {
		return nil, userErrorf("%s: %w", name, err)
	}

	return edits, nil
}

// parseSymbolEdits parses CSV with a header. A symbol must not come twice.
func parseSymbolEdits(r io.Reader) ([]symbolEdit, error) {
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; the first line names the columns, like symbol,tick,lot")
	}
	if err != nil {
		return nil, err
	}

	header[0] = strings.TrimPrefix(header[0], "\ufeff") // the byte order mark of spreadsheets
	for i, name := range header {
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "symbol" && !slices.Contains(symbolFields, name) {
			return nil, fmt.Errorf("line 1: column %q is none of symbol, %s", header[i], strings.Join(symbolFields, ", "))
		}
		if slices.Contains(header[:i], name) {
			return nil, fmt.Errorf("line 1: column %q comes twice", name)
		}
		header[i] = name
	}
	if !slices.Contains(header, "symbol") {
		return nil, errors.New("line 1: no column is named symbol")
	}

	var edits []symbolEdit
	lines := map[domain.Symbol]int{}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return edits, nil
		}
		if err != nil {
			return nil, err
		}

		edit := symbolEdit{fields: map[string]string{}}
		for i, cell := range row {
			if header[i] == "symbol" {
				edit.symbol = domain.Symbol(strings.TrimSpace(cell))
			} else {
				edit.fields[header[i]] = strings.TrimSpace(cell)
			}
		}

		line, _ := rows.FieldPos(0)
		if _, err := edit.apply(domain.SymbolMeta{Symbol: edit.symbol}); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if earlier, isTwice := lines[edit.symbol]; isTwice {
			return nil, fmt.Errorf("line %d: %s is on line %d already", line, edit.symbol, earlier)
		}
		lines[edit.symbol] = line
		edits = append(edits, edit)
	}
}

// setSymbols stores the symbols that the edits change, and prints them.
func (c *command) setSymbols(ctx context.Context, edits []symbolEdit, o symbolsSetOptions) error {
	if err := c.defaultOutput(&o.output); err != nil {
		return err
	}
	for _, e := range edits {
		if _, err := e.apply(domain.NewSymbolMeta(e.symbol)); err != nil {
			return err
		}
	}

	md, done, err := c.open(ctx, mustExist)
	if err != nil {
		return err
	}

	defer done()
	changed, added, err := changedSymbols(ctx, md, edits)
	if err != nil {
		return err
	}
	if !o.dryRun {
		if err := md.SetSymbols(ctx, changed...); err != nil {
			return err
		}
	}
	if err := symbolList.print(c.out, o.output, changed); err != nil {
		return err
	}

	did := "set"
	if o.dryRun {
		did = "to set"
	}
	c.notef("symbols: %d %s, %d of them new; %d as they were", len(changed), did, added, len(edits)-len(changed))

	return nil
}

// changedSymbols returns the metadata of the symbols that the edits change, and the number of those that are new.
func changedSymbols(
	ctx context.Context, md ports.SymbolProvider, edits []symbolEdit,
) (changed []domain.SymbolMeta, added int, err error) {
	const most = 1_000 // symbols in one query
	for part := range slices.Chunk(edits, most) {
		names := make([]domain.Symbol, len(part))
		for i, e := range part {
			names[i] = e.symbol
		}

		stored := map[domain.Symbol]domain.SymbolMeta{}
		for m, err := range md.Symbols(ctx, ports.SymbolQuery{Symbols: names}) {
			if err != nil {
				return nil, 0, err
			}
			stored[m.Symbol] = m
		}

		for _, e := range part {
			old, isKnown := stored[e.symbol]
			if !isKnown {
				old = domain.NewSymbolMeta(e.symbol)
				added++
			}

			meta, err := e.apply(old)
			if err != nil {
				return nil, 0, err
			}
			if !isKnown || !meta.Equal(old) {
				changed = append(changed, meta)
			}
		}
	}

	return changed, added, nil
}
