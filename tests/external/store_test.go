package external_test

import (
	"testing"

	"example.com/external"
	"github.com/gal-friday/marketdata/tests/contract"
)

func TestContract(t *testing.T) {
	t.Parallel()
	open := func(testing.TB) contract.Store { return contract.Store{Bars: external.New(), UnversionedBars: true} }
	contract.BarStore(t, open, contract.Profile{Waivers: []contract.Waiver{
		{Law: "time/far_from_now", Reason: "this store has no bars before 1970"},
		{Law: "history/across_1970", Reason: "this store has no bars before 1970"},
		{Law: "history/calendars", Reason: "this store has no bars before 1970"},
	}})
}
