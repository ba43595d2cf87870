package ristretto_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// app.New takes the cache of symbols; wiring opens it for the stores on servers.
func ExampleNewSymbols() {
	symbols, err := ristretto.NewSymbols(1 << 20)
	if err != nil {
		fmt.Println(err)
		return
	}

	defer symbols.Close()
	ctx := context.Background()
	entry := ports.SymbolEntry{Known: true, Meta: domain.NewSymbolMeta("COINBASE:BTC/USD")}
	symbols.Put(ctx, "COINBASE:BTC/USD", entry, time.Minute)

	cached, ok := symbols.Get(ctx, "COINBASE:BTC/USD")
	fmt.Println(cached.Meta.Base, ok)
	_, ok = symbols.Get(ctx, "COINBASE:ETH/USD")
	fmt.Println(ok)
	// Output:
	// BTC true
	// false
}
