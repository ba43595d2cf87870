package resilience_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/resilience"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
)

// TestContract runs the laws over a store in memory with a policy.
func TestContract(t *testing.T) {
	t.Parallel()
	open := func(testing.TB) contract.Store {
		s, p := memory.New(), resilience.New(memory.Name, resilience.NewLimits(1<<30, 1_000))
		catalog := p.Catalog(s)

		return contract.Store{
			Bars: p.Bars(s), Ticks: p.Ticks(s), Aggregator: p.Aggregator(s), States: p.States(s),
			Catalog: catalog, Symbols: catalog.(ports.SymbolWriter),
		}
	}
	contract.BarStore(t, open, contract.Profile{})
	contract.StateReader(t, open, contract.Profile{})
	contract.TickStore(t, open, contract.Profile{})
	contract.TradeAggregator(t, open, contract.Profile{})
	contract.SymbolCatalog(t, open, contract.Profile{})
}
