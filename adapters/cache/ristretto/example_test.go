package ristretto_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
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

// A block is right if its version is that of the state of the series; the cache does not know.
func ExampleNewBlocks() {
	blocks, err := ristretto.NewBlocks(1 << 20)
	if err != nil {
		fmt.Println(err)
		return
	}

	defer blocks.Close()
	series := domain.SeriesKey{Symbol: "COINBASE:BTC/USD", Grid: domain.Day1.UTC()}
	price := domain.MustDecimal("67000.12")
	bars, err := domain.NewSeries(series, domain.Bar{Open: price, High: price, Low: price, Close: price})
	if err != nil {
		fmt.Println(err)
		return
	}

	key := blockcache.Key{Store: "postgres", Series: series, Index: 0}
	blocks.Put(key, blockcache.Block{Version: domain.Version{Revision: 7, Nonce: 1}, Bars: bars})

	cached, ok := blocks.Get(key)
	fmt.Println(cached.Version, cached.Bars.Len(), ok)
	// Output:
	// 7-0000000000000001 1 true
}
