package influx_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/differential"
)

// TestDifferential holds bars and reports to the store in memory. Claims and catalog, which are not this store's, are memory's on both
// sides.
func TestDifferential(t *testing.T) {
	t.Parallel()
	differential.Run(t, func(testing.TB) contract.Store {
		m := memory.New()
		return contract.Store{Bars: m, Catalog: m, Symbols: m}
	}, func(tb testing.TB) contract.Store {
		s, m := open(tb), memory.New()
		return contract.Store{Bars: app.WithClaims(s.Bars, keeper{m}), Catalog: m, Symbols: m}
	}, 5000)
}
