package influx_test

import (
	"context"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/influx"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/differential"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// catalogLedger makes the symbols of written series known to a catalog, as the relational store does.
type catalogLedger struct {
	ledger.Ledger
	catalog *memory.Store
}

// BeginIntents begins intents and adds their symbols.
func (c catalogLedger) BeginIntents(ctx context.Context, plans []ledger.IntentPlan) []ledger.BegunIntent {
	begun := c.Ledger.BeginIntents(ctx, plans)
	for i, plan := range plans {
		if begun[i].Err == nil {
			_, begun[i].Err = ports.WriteBars(ctx, c.catalog, domain.EmptySeries(plan.Key), plan.Range, ports.ConflictFail)
		}
	}

	return begun
}

// TestDifferential compares bars and write reports with those of the memory store. Coverage and catalog are the memory
// store's on both sides, because this store does not have them.
func TestDifferential(t *testing.T) {
	t.Parallel()
	differential.Run(t, func(testing.TB) contract.Store {
		m := memory.New()
		return contract.Store{Bars: m, Catalog: m, Symbols: m}
	}, func(tb testing.TB) contract.Store {
		m := memory.New()
		bars := ingest.WithLedger(influx.Name, "", openStore(tb, config(tb)), catalogLedger{ledgertest.NewMemory(), m})

		return contract.Store{Bars: bars, Catalog: m, Symbols: m}
	})
}
