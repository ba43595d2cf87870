package app

import "github.com/gal-friday/marketdata/ports"

// Marketdata is the whole application, as wiring hands it out: Fetch, Symbols, Coverage, Ingest, Replace. It is safe for
// concurrent use.
type Marketdata struct {
	*Provider
	*Catalog
	*Ingester
}

var (
	_ ports.HistoricalDataProvider = (*Marketdata)(nil)
	_ ports.SymbolProvider         = (*Marketdata)(nil)
	_ ports.Ingestor               = (*Marketdata)(nil)
)

// Source is a store of bars and the name under which results, errors and logs speak of it.
type Source struct {
	Name  string
	Store ports.Store
}
