package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Catalog tells which symbols are known and what is held of them.
type Catalog struct {
	source  Source
	symbols ports.SymbolCatalog
	cfg     Config
}

var _ ports.SymbolProvider = (*Catalog)(nil)

// NewCatalog returns the Catalog of a store and the catalog of its symbols. It refuses a Config that Validate refuses.
func NewCatalog(source Source, symbols ports.SymbolCatalog, cfg Config) (*Catalog, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Catalog{source: source, symbols: symbols, cfg: cfg.WithDefaults()}, nil
}

// Symbols returns the symbols selected, ordered. One that is not known is absent; that is no error.
func (c *Catalog) Symbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	by := caller{op: "list symbols", source: c.source.Name, subject: subject(q.Symbols), cfg: c.cfg}
	if err := validateSymbols(q.Symbols); err != nil {
		return nil, refusal("list symbols", "", err)
	}
	if q.Limit < 0 {
		return nil, refusal("list symbols", "", fmt.Errorf("limit %d: give 1 or more, or 0 for all: %w", q.Limit, ports.ErrInvalid))
	}
	ctx, cancel := by.bounded(ctx)
	defer cancel()
	return call(ctx, by, func(ctx context.Context) ([]domain.SymbolMeta, error) { return c.symbols.Symbols(ctx, q) })
}

// Coverage returns what the store holds of the symbols, or of all where none is given, ordered by key and start. A symbol that is
// not held adds nothing; that is no error.
func (c *Catalog) Coverage(ctx context.Context, symbols ...domain.Symbol) ([]ports.StoreExtent, error) {
	by := caller{op: "read coverage", source: c.source.Name, subject: subject(symbols), cfg: c.cfg}
	if err := validateSymbols(symbols); err != nil {
		return nil, refusal("read coverage", "", err)
	}
	ctx, cancel := by.bounded(ctx)
	defer cancel()
	extents, err := call(ctx, by, func(ctx context.Context) ([]domain.Extent, error) {
		return c.source.Store.Extents(ctx, symbols...)
	})
	if err != nil {
		return nil, err
	}
	held := make([]ports.StoreExtent, len(extents))
	for i, e := range extents {
		held[i] = ports.StoreExtent{Store: c.source.Name, Extent: e}
	}
	return held, nil
}

// refusal is the error of a call that cost no input or output.
func refusal(op, subject string, cause error) error {
	kind := ports.ErrInvalid
	if errors.Is(cause, ports.ErrTooLarge) {
		kind = ports.ErrTooLarge
	}
	return &ports.Error{Kind: kind, Op: op, Subject: subject, Err: cause}
}

// validateSymbols reports every symbol that is none.
func validateSymbols(symbols []domain.Symbol) error {
	var faults []error
	for _, s := range symbols {
		if err := s.Validate(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// subject names the symbols of a call in its errors.
func subject(symbols []domain.Symbol) string {
	const named = 3
	names := make([]string, 0, named)
	for _, s := range symbols[:min(named, len(symbols))] {
		names = append(names, string(s))
	}
	if more := len(symbols) - named; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, ", ")
}
