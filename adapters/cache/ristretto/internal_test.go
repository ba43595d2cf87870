package ristretto

import (
	"strings"
	"testing"
	"time"

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

// However much is put, the bytes configured are not passed.
func TestBytesBound(t *testing.T) {
	t.Parallel()
	const maxBytes, valueBytes = 100_000, 1000
	c, err := newCache(maxBytes, func(_ int, v string) int64 { return int64(len(v)) })
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	ctx := t.Context()
	value := strings.Repeat("x", valueBytes)
	for i := range 10 * maxBytes / valueBytes {
		c.Put(ctx, i, value, time.Hour)
	}
	held := 0
	for i := range 10 * maxBytes / valueBytes {
		if v, ok := c.Get(ctx, i); ok {
			held += len(v)
		}
	}

	if held == 0 || held > maxBytes {
		t.Errorf("%d bytes held of at most %d", held, maxBytes)
	}
	c.Put(ctx, -1, strings.Repeat("x", maxBytes+1), time.Hour)
	if _, ok := c.Get(ctx, -1); ok {
		t.Error("a value above the bound was kept")
	}
}
