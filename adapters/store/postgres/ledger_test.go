package postgres_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/ledger"
)

// TestLedger compares the ledger with the one in memory.
func TestLedger(t *testing.T) {
	t.Parallel()
	ledger.Differential(t, func(tb testing.TB) ports.Ledger {
		tb.Helper()
		return open(tb, postgres.Config{})
	})
}
