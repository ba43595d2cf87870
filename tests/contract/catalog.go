package contract

import (
	"context"
	"fmt"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// catalogLaws say what a catalog knows, and who fills it.
var catalogLaws = []law[Store]{
	{
		name: "catalog/write_registers_symbol",
		text: "a write of bars makes its symbol known, with what its text tells",
		check: func(ctx context.Context, s Store) error {
			return steps(
				func() error { return write(ctx, s, bars(minuteKey("COINBASE:BTC/USD"), start, 3, 1)) },
				func() error {
					return wantSymbols(ctx, s, ports.SymbolQuery{}, domain.NewSymbolMeta("COINBASE:BTC/USD"))
				},
			)
		},
	},
}

// wantSymbols compares what the catalog answers.
func wantSymbols(ctx context.Context, s Store, q ports.SymbolQuery, want ...domain.SymbolMeta) error {
	got, err := s.Catalog.Symbols(ctx, q)
	if err != nil {
		return err
	}
	if !slices.EqualFunc(got, want, domain.SymbolMeta.Equal) {
		return fmt.Errorf("symbols of %+v:\n got %+v\nwant %+v", q, got, want)
	}
	return nil
}
