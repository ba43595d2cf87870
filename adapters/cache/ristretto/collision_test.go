package ristretto

import (
	"testing"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TestCollisionMisses stores the item of a key under the hash of another, as if both had one hash.
func TestCollisionMisses(t *testing.T) {
	t.Parallel()
	c, err := NewSymbols(1 << 20)
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	other := &item[domain.Symbol, ports.SymbolEntry]{key: "ETH/USD", value: ports.SymbolEntry{Known: true}}
	c.items.Set(c.hash("BTC/USD"), other, 1)
	c.items.Wait()
	if it, ok := c.items.Get(c.hash("BTC/USD")); !ok || it != other {
		t.Fatal("the item is not stored")
	}
	if got, ok := c.Get(t.Context(), "BTC/USD"); ok {
		t.Errorf("got %+v", got)
	}
}
