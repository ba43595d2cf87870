// Package memory is a store that keeps everything in the process. A backtest reads from it, and the tests of every
// decorator wrap it. It keeps the whole contract without waivers. It must not know a server or another store, and it
// persists nothing.
package memory

import (
	"sync"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Name is the name of the store in errors and in the provenance of bars.
const Name = "memory"

// Store stores bars, trades, quotes, their coverage, and symbols. The zero value is not ready for use; call New. A
// Store is safe for concurrent use.
//
// INVARIANT: the stored pieces are immutable, and a write replaces an entry as a whole. So a reader keeps the state
// that it found and never waits for a merge, and a writer never waits for a reader.
type Store struct {
	writeMu sync.Mutex // serializes writers, from reading an entry to replacing it

	mu      sync.RWMutex // guards the maps below; held only to look up or replace an entry
	bars    table[domain.SeriesKey, domain.Series]
	trades  table[domain.Symbol, domain.Trades]
	quotes  table[domain.Symbol, domain.Quotes]
	symbols map[domain.Symbol]domain.SymbolMeta
}

var (
	_ ports.Store         = (*Store)(nil)
	_ ports.StateReader   = (*Store)(nil)
	_ ports.TickStore     = (*Store)(nil)
	_ ports.SymbolCatalog = (*Store)(nil)
	_ ports.SymbolWriter  = (*Store)(nil)
	_ ports.LocalStore    = (*Store)(nil)
	_ ports.LocalCoverage = (*Store)(nil)
	_ ports.LocalCatalog  = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	s := &Store{symbols: map[domain.Symbol]domain.SymbolMeta{}}
	s.bars = newBarTable(s)
	s.trades = newTickTable[domain.Trade](s, domain.TickTrades)
	s.quotes = newTickTable[domain.Quote](s, domain.TickQuotes)

	return s
}

// Local reports true, because no call of the store waits for anything but memory.
func (s *Store) Local() bool { return true }
