package ristretto

import (
	"unsafe"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.SymbolCache = (*Cache[domain.Symbol, ports.SymbolEntry])(nil)

// NewSymbols returns a Cache of the results of catalogs, of at most maxBytes, which must be above 0.
func NewSymbols(maxBytes int64) (*Cache[domain.Symbol, ports.SymbolEntry], error) {
	return newCache(maxBytes, func(s domain.Symbol, e ports.SymbolEntry) int64 {
		m := e.Meta
		texts := len(s) + len(m.Symbol) + len(m.Venue) + len(m.Base) + len(m.Quote) + len(m.Zone)
		return int64(unsafe.Sizeof(e)) + int64(texts)
	})
}
