package main

import (
	"context"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// everything deletes the bars, the trades and the quotes of the selected symbols.
func (d *deletion) everything(ctx context.Context, selected selector) error {
	err := d.bars(ctx, selected)
	for _, isQuotes := range []bool{false, true} {
		if err == nil {
			d.o.quotes = isQuotes
			err = d.ticks(ctx, selected)
		}
	}

	return err
}

// removeSymbols removes the selected symbols, or names them in a dry run. The error is that of a symbol that has data
// left, or ErrNotFound where no symbol is selected.
func (d *deletion) removeSymbols(ctx context.Context, selected selector) error {
	metas, err := ports.Collect(d.md.Symbols(ctx, ports.SymbolQuery{Pattern: selected.pattern}))
	if err == nil && len(metas) == 0 {
		err = selected.errNoData(ctx, d.md, "delete")
	}
	if err != nil {
		return err
	}

	for _, m := range metas {
		if !d.o.yes {
			break
		}
		if err := d.md.RemoveSymbol(ctx, m.Symbol); err != nil {
			return err
		}
	}

	names := summarize(metas, func(m domain.SymbolMeta) string { return string(m.Symbol) })
	if d.o.yes {
		d.c.notef("removed the symbols: %s", names)
	} else {
		d.c.notef("dry run: with --yes, symbols without any data left are removed, too: %s", names)
	}

	return nil
}
