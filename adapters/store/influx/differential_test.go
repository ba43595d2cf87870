package influx_test

import (
	"github.com/gal-friday/marketdata/app/ingest"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/differential"
)

// TestDifferential compares bars and write reports with those of the memory store. Coverage and catalog are the memory
// store's on both sides, because this store does not have them.
func TestDifferential(t *testing.T) {
	t.Parallel()
	differential.Run(t, func(testing.TB) contract.Store {
		m := memory.New()
		return contract.Store{Bars: m, Catalog: m, Symbols: m}
	}, func(tb testing.TB) contract.Store {
		s, m := open(tb), memory.New()
		return contract.Store{Bars: ingest.WithClaims(s.Bars, coverageStore{m}), Catalog: m, Symbols: m}
	})
}
