package ristretto_test

import (
	"context"
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

// However much is put, the bytes configured are not passed.
func TestBytesBound(t *testing.T) {
	t.Parallel()
	const maxBytes, valueBytes = 100_000, 1000
	c, err := ristretto.New(ristretto.Config[int, string]{
		MaxBytes: maxBytes,
		Bytes:    func(_ int, v string) int64 { return int64(len(v)) },
	})
	if err != nil {
		t.Fatal(err)
	}

	defer c.Close()
	ctx := context.Background()
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

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	_, err := ristretto.New(ristretto.Config[int, int]{})
	if err == nil || !strings.Contains(err.Error(), "max bytes") || !strings.Contains(err.Error(), "bytes: the function") {
		t.Errorf("got %v", err)
	}
}
