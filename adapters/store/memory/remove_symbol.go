package memory

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.SymbolRemover = (*Store)(nil)

// RemoveSymbol implements ports.SymbolRemover.
func (s *Store) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	const op = "remove symbol"
	if err := symbol.Validate(); err != nil {
		return translate(op, string(symbol), err)
	}

	s.writeMu.Lock()
	defer s.writeMu.Unlock()
	if err := ctx.Err(); err != nil {
		return translate(op, string(symbol), err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	var series []string
	for _, key := range s.bars.covered(symbol) {
		series = append(series, key.PriceType.String()+" "+key.Grid.String())
	}
	for range s.trades.covered(symbol) {
		series = append(series, s.trades.kind)
	}
	for range s.quotes.covered(symbol) {
		series = append(series, s.quotes.kind)
	}
	if len(series) > 0 {
		slices.Sort(series)
		return translate(op, string(symbol), &ports.SymbolInUseError{Series: series})
	}

	s.bars.remove(symbol)
	s.trades.remove(symbol)
	s.quotes.remove(symbol)
	delete(s.symbols, symbol)

	return nil
}

// covered returns the keys of the symbol that have coverage. The caller must hold the mutex of the store.
func (t *table[K, D]) covered(symbol domain.Symbol) (keys []K) {
	for _, key := range t.keys[symbol] {
		if len(t.entries[key].state.Coverage) > 0 {
			keys = append(keys, key)
		}
	}

	return keys
}

// remove forgets the keys of the symbol. The caller must hold the mutex of the store.
func (t *table[K, D]) remove(symbol domain.Symbol) {
	for _, key := range t.keys[symbol] {
		delete(t.entries, key)
	}
	delete(t.keys, symbol)
}
