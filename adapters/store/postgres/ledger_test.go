package postgres_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/ports/ledger"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

// TestLedger compares the ledger with the one in memory.
func TestLedger(t *testing.T) {
	t.Parallel()
	ledgertest.Differential(t, func(tb testing.TB) ledger.Ledger {
		tb.Helper()
		return open(tb, postgres.Config{})
	})
}
