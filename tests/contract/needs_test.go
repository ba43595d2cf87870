package contract

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// badCaller is a caller of a suite whose function is nil or returns a subject with a nil part, and the sentence with
// which the suite fails.
type badCaller struct {
	call func(t *testing.T)
	says string
}

func badCallers() map[string]badCaller {
	store := func(change func(s *Store)) Open {
		return func(testing.TB) Store {
			s := memory.New()
			opened := Store{Bars: s, Ticks: s, Catalog: s, Symbols: s, Aggregator: s, States: s, Batch: singly{s}}
			change(&opened)

			return opened
		}
	}
	same := func(_ testing.TB, next Store) Store { return next }
	symbols := store(func(s *Store) { s.Symbols = nil })
	isNil := " is nil; open must return it"

	return map[string]badCaller{
		"BarStore": {func(t *testing.T) { BarStore(t, store(func(s *Store) { s.Bars = nil }), Profile{}) },
			"contract.BarStore: Store.Bars" + isNil},
		"TickStore": {func(t *testing.T) { TickStore(t, store(func(s *Store) { s.Ticks = nil }), Profile{}) },
			"contract.TickStore: Store.Ticks" + isNil},
		"SymbolCatalog": {func(t *testing.T) { SymbolCatalog(t, symbols, Profile{}) },
			"contract.SymbolCatalog: Store.Symbols" + isNil},
		"SymbolCatalog of two": {
			func(t *testing.T) {
				SymbolCatalog(t, store(func(s *Store) { s.Bars, s.Catalog = nil, nil }), Profile{})
			},
			"contract.SymbolCatalog: Store.Bars is nil, Store.Catalog" + isNil,
		},
		"TradeAggregator": {
			func(t *testing.T) { TradeAggregator(t, store(func(s *Store) { s.Aggregator = nil }), Profile{}) },
			"contract.TradeAggregator: Store.Aggregator" + isNil,
		},
		"BatchReader": {func(t *testing.T) { BatchReader(t, store(func(s *Store) { s.Batch = nil }), Profile{}) },
			"contract.BatchReader: Store.Batch" + isNil},
		"StateReader": {func(t *testing.T) { StateReader(t, store(func(s *Store) { s.States = nil }), Profile{}) },
			"contract.StateReader: Store.States" + isNil},
		"Decorator": {func(t *testing.T) { Decorator(t, symbols, same, Profile{}) },
			"contract.Decorator: Store.Symbols is nil; open and wrap must return it"},
		"Decorator without wrap": {func(t *testing.T) { Decorator(t, openMemory, nil, Profile{}) },
			"contract.Decorator: open and wrap must not be nil"},
		"no open": {func(t *testing.T) { BarStore(t, nil, Profile{}) }, "contract.BarStore: open must not be nil"},
		"Clock": {func(t *testing.T) { Clock(t, func(testing.TB) ports.Clock { return nil }) },
			"contract.Clock: the clock" + isNil},
		"Telemetry": {func(t *testing.T) { Telemetry(t, func(testing.TB) ports.Telemetry { return nil }) },
			"contract.Telemetry: the telemetry" + isNil},
		"Cache": {func(t *testing.T) { Cache(t, func(testing.TB) (none CacheSubject[int, int]) { return }, false) },
			"contract.Cache: CacheSubject.Cache is nil, CacheSubject.Key is nil, CacheSubject.Value is nil, " +
				"CacheSubject.Equal" + isNil},
		"BlockCache": {func(t *testing.T) { BlockCache(t, func(testing.TB) blockcache.Cache { return nil }) },
			"contract.BlockCache: the cache" + isNil},
		"SharedBlockCache": {
			func(t *testing.T) { SharedBlockCache(t, func(testing.TB) []blockcache.SharedCache { return nil }) },
			"contract.SharedBlockCache: one of the first two caches" + isNil,
		},
		"Hints": {
			func(t *testing.T) {
				Hints(t, func(testing.TB) HintsSubject {
					s := openWire(wireFault{})
					s.Cut = func(context.Context) error { return nil }
					s.Peers[2], s.Held = nil, nil

					return s
				})
			},
			"contract.Hints: one of the first three HintsSubject.Peers is nil, HintsSubject.Held" + isNil,
		},
	}
}

// badCallerVariable names the bad caller that the test binary runs as its only test.
const badCallerVariable = "CONTRACT_BAD_CALLER"

func TestSuiteNamesWhatIsNil(t *testing.T) {
	t.Parallel()
	if name := os.Getenv(badCallerVariable); name != "" {
		badCallers()[name].call(t)
		return
	}

	for name, c := range badCallers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSuiteNamesWhatIsNil$")
			again.Env = append(os.Environ(), badCallerVariable+"="+name)
			out, err := again.CombinedOutput()
			text := string(out)
			if err == nil || !strings.Contains(text, c.says) || strings.Contains(text, "panic") ||
				strings.Contains(text, "/range/") || strings.Count(text, "contract.") != 1 {
				t.Errorf("got %v and\n%s\nwant one sentence with %q", err, text, c.says)
			}
		})
	}
}
