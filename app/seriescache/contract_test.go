package seriescache_test

import (
	"iter"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/cache/ristretto"
	"github.com/gal-friday/marketdata/adapters/clock"
	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/app/seriescache"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
	"github.com/gal-friday/marketdata/tests/contract"
)

type batch = iter.Seq2[ports.BatchBars, error]

func TestContract(t *testing.T) {
	t.Parallel()
	testContract(t, true, func(testing.TB) blockcache.SharedCache { return nil })
}

// TestContractWithoutVersions runs the contract over a store that keeps no versions.
func TestContractWithoutVersions(t *testing.T) {
	t.Parallel()
	testContract(t, false, func(testing.TB) blockcache.SharedCache { return nil })
}

func testContract(t *testing.T, versioned bool, shared func(testing.TB) blockcache.SharedCache) {
	t.Helper()
	contract.Decorator(t, func(testing.TB) contract.Store {
		s := memory.New()
		return contract.Store{Bars: s, Catalog: s, Symbols: s}
	}, func(tb testing.TB, next contract.Store) contract.Store {
		local, err := ristretto.NewBlocks(16 << 20)
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(local.Close)
		d := seriescache.Dependencies{Store: next.Bars, Clock: clock.NewSystem()}
		if d.Caches = (seriescache.Caches{Local: local, Shared: shared(tb)}); versioned {
			d.States = next.Bars.(*memory.Store)
		} else {
			d.Store = unversioned{next.Bars}
		}
		s, err := seriescache.New(d, seriescache.Config{Name: "memory"})
		if err != nil {
			tb.Fatal(err)
		}

		tb.Cleanup(s.Close)
		next.Bars, next.UnversionedBars = s, !versioned

		return next
	}, contract.Profile{})
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	_, err := seriescache.New(seriescache.Dependencies{}, seriescache.Config{Lease: -1, MaxBlocks: -1, ReadAhead: new(-1)})
	for _, fault := range []string{"name", "lease", "max_blocks", "read_ahead"} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%v does not name %s", err, fault)
		}
	}
}
