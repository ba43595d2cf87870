package resilience

import (
	"context"
	"iter"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// catalog is a catalog with a policy.
type catalog struct {
	policy *Policy
	next   ports.SymbolCatalog
}

// Catalog returns the catalog with the policy. It is a ports.SymbolWriter and a ports.SymbolRemover if the catalog is
// both.
func (p *Policy) Catalog(next ports.SymbolCatalog) ports.SymbolCatalog {
	if w, ok := next.(writableCatalog); ok {
		return symbolWriter{catalog{p, next}, w}
	}

	return catalog{p, next}
}

// Symbols implements ports.SymbolCatalog.
func (c catalog) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return sequence(ctx, c.policy, "read symbols", 0, func() iter.Seq2[domain.SymbolMeta, error] {
		return c.next.Symbols(ctx, q)
	})
}

// writableCatalog is a catalog whose symbols can be written and removed.
type writableCatalog interface {
	ports.SymbolCatalog
	ports.SymbolWriter
	ports.SymbolRemover
}

// symbolWriter is a writable catalog with a policy.
type symbolWriter struct {
	catalog
	next writableCatalog
}

// PutSymbols implements ports.SymbolWriter.
func (c symbolWriter) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	return c.policy.write(ctx, "write symbols", func(*attempt) error { return c.next.PutSymbols(ctx, metas...) })
}

// RemoveSymbol implements ports.SymbolRemover.
func (c symbolWriter) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	return c.policy.write(ctx, "remove symbol", func(*attempt) error { return c.next.RemoveSymbol(ctx, symbol) })
}
