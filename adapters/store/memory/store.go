// Package memory is a store that holds everything in the process: what a backtest reads from and what every decorator is tested
// around. It keeps the whole contract, knows no file and no server, and forgets all when it goes.
package memory

import (
	"sync"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Name is what errors and provenance call the store.
const Name = "memory"

// Store holds bars, trades, quotes, claims and symbols. The zero value is not ready; call New. It is safe for concurrent use: what
// it holds is immutable and replaced whole, so a reader keeps what it found and waits for no merge, and a writer waits for no
// reader.
type Store struct {
	writing sync.Mutex // held by the one writer, from reading what there is to replacing it

	mu      sync.RWMutex // held only to look up or to replace
	bars    table[domain.SeriesKey, domain.Series]
	trades  table[domain.Symbol, domain.Trades]
	quotes  table[domain.Symbol, domain.Quotes]
	symbols map[domain.Symbol]domain.SymbolMeta
}

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.TickStore     = (*Store)(nil)
	_ ports.SymbolCatalog = (*Store)(nil)
	_ ports.SymbolWriter  = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	s := &Store{symbols: map[domain.Symbol]domain.SymbolMeta{}}
	s.bars = barTable(s)
	s.trades = tickTable[domain.Trade](s, domain.TickTrades)
	s.quotes = tickTable[domain.Quote](s, domain.TickQuotes)
	return s
}
