// Package mocks holds the generated mocks of the driven ports. They are for tests whose claim is the interaction
// itself, such as that a refused request calls nobody; whatever needs a store that works uses the memory store.
package mocks

//go:generate go tool mockgen -typed -write_package_comment=false -package mocks -destination ports.go github.com/gal-friday/marketdata/ports Store,TickStore,SymbolCatalog,Clock
