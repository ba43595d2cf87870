package memory

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/sorting"
	"github.com/gal-friday/marketdata/ports"
)

// Symbols implements ports.SymbolCatalog.
func (s *Store) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) { return s.findSymbols(ctx, q) })
}

// LocalSymbol implements ports.LocalCatalog.
func (s *Store) LocalSymbol(symbol domain.Symbol) (domain.SymbolMeta, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	meta, isKnown := s.symbols[symbol]

	return meta, isKnown
}

func (s *Store) findSymbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	if err := ctx.Err(); err != nil {
		return nil, translate("symbols", q.Pattern, err)
	}

	s.mu.RLock()
	defer s.mu.RUnlock()
	candidates := slices.Clone(q.Symbols)
	if len(candidates) == 0 {
		for symbol := range s.symbols {
			candidates = append(candidates, symbol)
		}
	}
	sorting.Func(candidates, cmp.Compare)

	var found []domain.SymbolMeta
	for _, symbol := range slices.Compact(candidates) {
		if q.Limit > 0 && len(found) == q.Limit {
			break
		}
		meta, known := s.symbols[symbol]
		if known && symbol > q.After && (q.Pattern == "" || symbol.Matches(q.Pattern)) {
			found = append(found, meta)
		}
	}

	return found, nil
}

// PutSymbols stores the metadata of all symbols, or of none if it returns an error.
func (s *Store) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	for _, m := range metas {
		if err := m.Validate(); err != nil {
			return translate("put symbols", string(m.Symbol), err)
		}
	}
	if err := ctx.Err(); err != nil {
		return translate("put symbols", "", err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range metas {
		s.symbols[m.Symbol] = m
	}

	return nil
}
