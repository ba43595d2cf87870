package symbols

import (
	"context"
	"fmt"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.SymbolEditor = (*Catalog)(nil)

// SetSymbols stores the metadata in the first catalog, which is the one whose metadata counts.
func (c *Catalog) SetSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	names := make([]domain.Symbol, len(metas))
	for i, m := range metas {
		names[i] = m.Symbol
	}

	call := access.Call{Op: "set symbols", Subject: access.JoinSymbols(names), Settings: c.settings}
	for _, m := range metas {
		if err := m.Validate(); err != nil {
			return call.Refuse(err)
		}
	}
	if len(metas) == 0 {
		return nil
	}

	catalog := c.resolver.catalog()
	if _, isWritable := catalog.Catalog.(ports.SymbolWriter); !isWritable {
		return call.For(catalog).Refuse(fmt.Errorf("the symbols of %s are kept by another program; change them there: %w",
			catalog.Name, ports.ErrInvalid))
	}

	call.SetDefaultDeadline(ctx, c.stores)
	_, err := access.Do(ctx, call.For(catalog), access.WriteSymbols, metas)
	for _, name := range names { // an interrupted write may have taken place
		c.resolver.Invalidate(ctx, name)
	}

	return err
}
