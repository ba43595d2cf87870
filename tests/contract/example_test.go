package contract_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/tests/contract"
)

// One test runs every law of the store's ports. A waiver names a law that the store cannot keep, and the reason.
func ExampleBarStore() { //nolint:testableexamples // go test runs a suite, not an example
	TestContract := func(t *testing.T) {
		t.Parallel()
		open := func(testing.TB) contract.Store {
			s := memory.New() // instead of your store: empty, closed by tb.Cleanup
			return contract.Store{Bars: s, Ticks: s, Catalog: s, Symbols: s}
		}
		contract.BarStore(t, open, contract.Profile{})
		contract.TickStore(t, open, contract.Profile{})
		contract.SymbolCatalog(t, open, contract.Profile{})
	}
	_ = TestContract // at the top level of your test package
}
