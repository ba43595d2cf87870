package memory_test

import (
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/hostile"
)

// TestHostileSymbols passes symbols of an attacker to the store, past the checks of the application.
func TestHostileSymbols(t *testing.T) {
	t.Parallel()
	hostile.CheckStore(t, memory.New(), gen.Walk("BTC/USD", 100), 10_000)
}
