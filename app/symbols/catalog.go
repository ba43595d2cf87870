package symbols

import (
	"context"
	"fmt"
	"iter"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Catalog lists symbols and coverage. It is safe for concurrent use.
type Catalog struct {
	stores   access.Stores
	resolver *Resolver
	clock    ports.Clock
	settings *access.Settings
}

var _ ports.CoverageProvider = (*Catalog)(nil)

// New returns a Catalog over the stores, as far as the clock lets their data be seen.
func New(stores access.Stores, resolver *Resolver, clock ports.Clock, settings *access.Settings) *Catalog {
	return &Catalog{stores: stores, resolver: resolver, clock: clock, settings: settings}
}

// Symbols yields the selected symbols, ordered. A symbol that no catalog knows is absent, and no error. A catalog that
// cannot be queried is an error that names it.
func (c *Catalog) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	call := access.Call{Op: "list symbols", Subject: access.JoinSymbols(q.Symbols), Settings: c.settings}
	err := access.ValidateSymbols(q.Symbols)
	if err == nil && q.Limit < 0 {
		err = fmt.Errorf("limit %d: give 1 or more, or 0 for all: %w", q.Limit, ports.ErrInvalid)
	}

	return ports.PagedSymbols(q, access.PageSize, func(page ports.SymbolQuery) ([]domain.SymbolMeta, error) {
		if err != nil {
			return nil, access.Refusal(call.Op, "", err)
		}

		one := call // with a deadline of its own
		one.SetDefaultDeadline(ctx, c.stores)

		return c.resolver.list(ctx, &one, page)
	})
}

// ValidateSymbol returns nil for a known symbol.
func (c *Catalog) ValidateSymbol(ctx context.Context, symbol domain.Symbol) error {
	call := &access.Call{Op: "validate symbol", Subject: access.Text(symbol), Settings: c.settings}
	if err := symbol.Validate(); err != nil {
		return access.Refusal(call.Op, "", err)
	}

	call.SetDefaultDeadline(ctx, c.stores)
	_, err := c.resolver.Resolve(ctx, call, []domain.Symbol{symbol})

	return err
}
