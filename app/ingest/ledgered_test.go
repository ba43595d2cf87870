package ingest_test

import (
	"testing"

	"github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/ledgertest"
)

func openLedgered(testing.TB) contract.Store {
	s := ingest.WithLedger("ledgered", "", ledgertest.NewBars(), ledgertest.NewMemory())
	return contract.Store{Bars: s, Batch: s, States: s}
}

func TestLedgeredStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, openLedgered, contract.Profile{Waivers: []contract.Waiver{{
		Law:    "state/blocks_have_their_versions",
		Reason: "a write uncovers all from the first to the last instant that it changes, and the blocks there get its version",
	}}})
	contract.StateReader(t, openLedgered, contract.Profile{})
	contract.BatchReader(t, openLedgered, contract.Profile{})
}
