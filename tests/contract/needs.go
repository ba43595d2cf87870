package contract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// suite is the laws of one exported function, and the fields that its subject needs.
type suite[T any] struct {
	name  string
	laws  []law[T]
	needs []need[T]

	// functions are the arguments that open the subject: "open", or "open and wrap".
	functions string
}

// need is a part of a subject that a suite uses.
type need[T any] struct {
	name      string // as a caller writes it: "Store.Bars"
	isMissing func(subject T) bool
}

// The fields of a Store.
var (
	needBars       = need[Store]{"Store.Bars", func(s Store) bool { return s.Bars == nil }}
	needTicks      = need[Store]{"Store.Ticks", func(s Store) bool { return s.Ticks == nil }}
	needCatalog    = need[Store]{"Store.Catalog", func(s Store) bool { return s.Catalog == nil }}
	needSymbols    = need[Store]{"Store.Symbols", func(s Store) bool { return s.Symbols == nil }}
	needAggregator = need[Store]{"Store.Aggregator", func(s Store) bool { return s.Aggregator == nil }}
	needBatch      = need[Store]{"Store.Batch", func(s Store) bool { return s.Batch == nil }}
	needStates     = need[Store]{"Store.States", func(s Store) bool { return s.States == nil }}
)

// The suites, one for each exported function. That of Cache is cacheSuite.
var (
	barSuite     = suite[Store]{"BarStore", barLaws, []need[Store]{needBars}, "open"}
	tickSuite    = suite[Store]{"TickStore", tickLaws, []need[Store]{needTicks}, "open"}
	catalogSuite = suite[Store]{
		"SymbolCatalog", catalogLaws, []need[Store]{needBars, needCatalog, needSymbols}, "open",
	}
	aggregateSuite   = suite[Store]{"TradeAggregator", aggregateLaws, []need[Store]{needTicks, needAggregator}, "open"}
	batchSuite       = suite[Store]{"BatchReader", batchLaws, []need[Store]{needBars, needBatch}, "open"}
	stateReaderSuite = suite[Store]{"StateReader", stateReaderLaws, []need[Store]{needBars, needStates}, "open"}
	decoratorSuite   = suite[Store]{
		"Decorator", slices.Concat(barLaws, catalogLaws), catalogSuite.needs, "open and wrap",
	}
	clockSuite = suite[ports.Clock]{"Clock", clockLaws, []need[ports.Clock]{
		{"the clock", func(c ports.Clock) bool { return c == nil }},
	}, "open"}
	telemetrySuite = suite[ports.Telemetry]{"Telemetry", telemetryLaws, []need[ports.Telemetry]{
		{"the telemetry", func(t ports.Telemetry) bool { return t == nil }},
	}, "open"}
	blockSuite = suite[blockcache.Cache]{"BlockCache", blockLaws, []need[blockcache.Cache]{
		{"the cache", func(c blockcache.Cache) bool { return c == nil }},
	}, "open"}
	sharedBlockSuite = suite[[]blockcache.SharedCache]{"SharedBlockCache", sharedBlockLaws,
		[]need[[]blockcache.SharedCache]{
			{"one of the first two caches", func(c []blockcache.SharedCache) bool {
				return len(c) < 2 || c[0] == nil || c[1] == nil
			}},
		}, "open"}
	hintSuite = suite[HintsSubject]{"Hints", hintLaws, []need[HintsSubject]{
		{"one of the first three HintsSubject.Peers", func(s HintsSubject) bool {
			return len(s.Peers) < 3 || slices.Contains(s.Peers[:3], nil)
		}},
		{"HintsSubject.Held", func(s HintsSubject) bool { return s.Held == nil }},
		{"HintsSubject.Cut", func(s HintsSubject) bool { return s.Cut == nil }},
	}, "open"}
)

func cacheSuite[K comparable, V any]() suite[CacheSubject[K, V]] {
	return suite[CacheSubject[K, V]]{"Cache", cacheLaws[K, V](), []need[CacheSubject[K, V]]{
		{"CacheSubject.Cache", func(s CacheSubject[K, V]) bool { return s.Cache == nil }},
		{"CacheSubject.Key", func(s CacheSubject[K, V]) bool { return s.Key == nil }},
		{"CacheSubject.Value", func(s CacheSubject[K, V]) bool { return s.Value == nil }},
		{"CacheSubject.Equal", func(s CacheSubject[K, V]) bool { return s.Equal == nil }},
	}, "open"}
}

// validateOpen returns an error if a function that opens the subject is nil.
func (s suite[T]) validateOpen(isNil bool) error {
	if !isNil {
		return nil
	}

	return fmt.Errorf("contract.%s: %s must not be nil; pass a function that returns an empty subject",
		s.name, s.functions)
}

// validate returns an error that names each part that the suite needs and that is nil.
func (s suite[T]) validate(subject T) error {
	var missing []string
	for _, n := range s.needs {
		if n.isMissing(subject) {
			missing = append(missing, n.name+" is nil")
		}
	}
	if len(missing) == 0 {
		return nil
	}

	return fmt.Errorf("contract.%s: %s; %s must return it", s.name, strings.Join(missing, ", "), s.functions)
}
