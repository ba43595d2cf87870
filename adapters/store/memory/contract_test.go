package memory_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/tests/contract"
)

func open(testing.TB) contract.Store {
	s := memory.New()
	return contract.Store{Bars: s, Ticks: s, Aggregator: s, Catalog: s, Symbols: s, States: s}
}

func TestContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, open, contract.Profile{})
	contract.StateReader(t, open, contract.Profile{})
	contract.TickStore(t, open, contract.Profile{})
	contract.TradeAggregator(t, open, contract.Profile{})
	contract.SymbolCatalog(t, open, contract.Profile{})
}
