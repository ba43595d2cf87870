package ristretto_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func symbol(i int) domain.Symbol { return domain.Symbol(fmt.Sprintf("S%d/USD", i)) }

func open(tb testing.TB) *ristretto.Cache[domain.Symbol, ports.SymbolEntry] {
	tb.Helper()
	c, err := ristretto.NewSymbols(1 << 20)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(c.Close)

	return c
}

func TestContract(t *testing.T) {
	t.Parallel()
	contract.Cache(t, func(tb testing.TB) contract.CacheSubject[domain.Symbol, ports.SymbolEntry] {
		return contract.CacheSubject[domain.Symbol, ports.SymbolEntry]{
			Cache: open(tb),
			Key:   symbol,
			Value: func(i int) ports.SymbolEntry {
				return ports.SymbolEntry{Known: true, Meta: domain.NewSymbolMeta(symbol(i))}
			},
			Equal: func(a, b ports.SymbolEntry) bool { return a.Known == b.Known && a.Meta.Equal(b.Meta) },
		}
	}, true)
}

// A Set beside a Close panics inside ristretto; here it must not.
func TestCloseBesideUse(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for range 50 {
		c := open(t)
		var using sync.WaitGroup
		for g := range 4 {
			using.Go(func() {
				for i := range 100 {
					c.Put(ctx, symbol(g*100+i), ports.SymbolEntry{}, time.Hour)
					c.Get(ctx, symbol(i))
					c.Delete(ctx, symbol(i))
				}
			})
		}

		c.Close()
		using.Wait()
		if _, ok := c.Get(ctx, symbol(0)); ok {
			t.Fatal("a closed cache kept something")
		}
	}
}

func TestLimitIsRequired(t *testing.T) {
	t.Parallel()
	_, symbolsErr := ristretto.NewSymbols(0)
	_, blocksErr := ristretto.NewBlocks(-1)
	for _, err := range []error{symbolsErr, blocksErr} {
		if err == nil || !strings.Contains(err.Error(), "max bytes") {
			t.Errorf("got %v", err)
		}
	}
}
