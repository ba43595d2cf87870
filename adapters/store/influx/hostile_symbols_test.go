package influx_test

import (
	"testing"

	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/hostile"
)

// TestHostileSymbols passes symbols of an attacker to the real server, past the checks of the application.
func TestHostileSymbols(t *testing.T) {
	t.Parallel()
	hostile.CheckStore(t, openStore(t, config(t)), gen.Walk("BTC/USD", 100), 300)
}
