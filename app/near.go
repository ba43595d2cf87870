package app

import (
	"context"
	"strings"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// near lists a few known symbols like the one asked for: the same instrument at another venue or as part of a name, else the same
// base, else the same first letters. It is "" where there is none.
func (f *fetch) near(ctx context.Context, catalog ports.SymbolCatalog) (string, error) {
	const listed, letters = 5, 2
	instrument := f.request.Key.Symbol.Instrument()
	base := domain.NewSymbolMeta(f.request.Key.Symbol).Base
	if base == "" {
		base = instrument
	}
	for _, pattern := range [...]string{"*" + instrument + "*", "*" + base + "*", base[:min(letters, len(base))] + "*"} {
		metas, err := call(ctx, f.caller, func(ctx context.Context) ([]domain.SymbolMeta, error) {
			return catalog.Symbols(ctx, ports.SymbolQuery{Pattern: pattern, Limit: listed})
		})
		if err != nil {
			return "", err
		}
		if len(metas) > 0 {
			names := make([]string, len(metas))
			for i, m := range metas {
				names[i] = string(m.Symbol)
			}
			return strings.Join(names, ", "), nil
		}
	}
	return "", nil
}
