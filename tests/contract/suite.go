// Package contract tests implementations of the driven ports. Each promise of a port is a law: a name for grep and
// -run, a sentence, and a check. Each law runs against a new store. A failure prints the sentence, what came and what was
// wanted, and the last calls of the store with their arguments and results.
//
//	func TestContract(t *testing.T) {
//		open := func(tb testing.TB) contract.Store {
//			s := mystore.Open(...) // empty, closed by tb.Cleanup
//			return contract.Store{Bars: s, Ticks: s, Catalog: s, Symbols: s}
//		}
//		contract.BarStore(t, open, contract.Profile{})
//		contract.TickStore(t, open, contract.Profile{})
//		contract.SymbolCatalog(t, open, contract.Profile{})
//	}
//
// tests/external is a complete example, in a module of its own.
//
// The package imports the standard library, domain and ports only, so that a store in another module can run it.
package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // because the machine may have no zone database

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// Store is a store that was opened for one law. A suite needs only the fields that it uses, and fails at once, with the
// name of the field, where one of them is nil.
type Store struct {
	Bars    ports.Store         // used by BarStore and SymbolCatalog; optional for TickStore
	Ticks   ports.TickStore     // used by TickStore and TradeAggregator
	Catalog ports.SymbolCatalog // used by SymbolCatalog; optional for TickStore
	Symbols ports.SymbolWriter  // used by SymbolCatalog; optional for TickStore

	Aggregator ports.TradeAggregator // used by TradeAggregator; it reads the trades in Ticks
	Batch      ports.BatchReader     // used by BatchReader; it reads the bars in Bars
	States     ports.StateReader     // used by StateReader; it reads the states of the bars in Bars

	// UnversionedBars and UnversionedTicks say that the store keeps no versions: it yields no states, and the laws of
	// states do not apply.
	UnversionedBars, UnversionedTicks bool

	// Corrupt writes malformed data into the tables of the store, bypassing the store. A defect must have no entry if the
	// tables cannot contain it, because of a NOT NULL column or a primary key; its law is then skipped.
	Corrupt map[Defect]Plant
}

// Plant writes a defect into the stored bar of the key at the open time. OffGrid adds a bar shortly after that bar, and
// Duplicate adds a bar with the same open time. TradeSize changes the trade of the key's symbol at that time.
type Plant func(ctx context.Context, key domain.SeriesKey, at time.Time) error

// Open returns an empty store that shares no state with any other, and registers its closing with tb.Cleanup. Open must
// be safe for concurrent use, because the laws run in parallel.
type Open func(tb testing.TB) Store

// Profile lists the exceptions of an implementation. The zero value has no exceptions.
type Profile struct {
	Waivers []Waiver // of all suites, because one Profile may serve several
}

// Waiver excuses an implementation from one law. A waived law still runs and must fail. If it passes, the waiver is
// stale and fails the suite. A waived law about a race is skipped, because its outcome is random.
type Waiver struct {
	Law    string // the law's name
	Reason string // why the implementation cannot keep it; required
}

// BarStore tests a store of bars against every law of ports.Store.
func BarStore(t *testing.T, open Open, p Profile) {
	t.Helper()
	barSuite.run(t, open, p)
}

// SymbolCatalog tests the catalog of a store against every law of ports.SymbolCatalog and ports.SymbolWriter, and
// against the laws on the symbols that a write of bars registers.
func SymbolCatalog(t *testing.T, open Open, p Profile) {
	t.Helper()
	catalogSuite.run(t, open, p)
}

// Clock tests a clock against every law of ports.Clock. open must return a clock that only the test drives.
func Clock(t *testing.T, open func(tb testing.TB) ports.Clock) {
	t.Helper()
	clockSuite.run(t, open, Profile{})
}

// Decorator tests a decorator: it runs BarStore and SymbolCatalog on the stores of open, wrapped by wrap. A decorator
// of one port replaces that field of the Store and keeps the others. The stores of open must keep every law, so that
// every failure is one of the decorator.
func Decorator(t *testing.T, open Open, wrap func(tb testing.TB, next Store) Store, p Profile) {
	t.Helper()
	decoratorSuite.run(t, decorated(open, wrap), p)
}

// decorated returns an Open of the wrapped stores, or nil if one of the functions is nil.
func decorated(open Open, wrap func(tb testing.TB, next Store) Store) func(testing.TB) Store {
	if open == nil || wrap == nil {
		return nil
	}

	return func(tb testing.TB) Store { return wrap(tb, open(tb)) }
}

// law is one promise of a port.
type law[T any] struct {
	name  string
	text  string // the promise as a sentence
	race  bool   // the check provokes a race, so it may pass for a store that breaks the law
	check func(ctx context.Context, subject T) error
}

// lawTimeout bounds each law, so that a store that hangs fails the law by name.
const lawTimeout = 2 * time.Minute

// notApplicableError is the result of a check whose situation cannot occur for the subject.
type notApplicableError string

// Error returns the reason why the law does not apply.
func (e notApplicableError) Error() string { return string(e) }

// run runs every law against a new subject. It fails at once if open is nil or a field that the suite needs is nil.
func (s suite[T]) run(t *testing.T, open func(testing.TB) T, p Profile) {
	t.Helper()
	if err := p.validate(lawNames()); err != nil {
		t.Fatal(err)
	}
	if err := s.validateOpen(open == nil); err != nil {
		t.Fatal(err)
	}
	if err := s.validate(open(t)); err != nil {
		t.Fatal(err)
	}

	for _, l := range s.laws {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			waiver := p.waiver(l.name)
			if waiver != nil && l.race {
				t.Skipf("waived: %s", waiver.Reason)
			}

			ctx, cancel := context.WithTimeout(t.Context(), lawTimeout)
			defer cancel()
			failure, skip := verdict(l.text, waiver, l.run(ctx, open(t)))
			if failure != "" {
				t.Fatal(failure)
			}
			if skip != "" {
				t.Skip(skip)
			}
		})
	}
}

// run checks the law, and adds the last calls to its error.
func (l law[T]) run(ctx context.Context, subject T) error {
	c := &calls{}
	switch s := any(&subject).(type) {
	case *Store:
		*s = recordCalls(*s, c)
	case *HintsSubject:
		*s = recordHints(*s, c)
	case *[]blockcache.SharedCache:
		*s = recordSharedBlocks(*s, c)
	default:
		return l.check(ctx, subject) // the ports have no context; the errors name their few methods
	}

	return withCalls(l.check(ctx, subject), c)
}

// verdict returns the failure or the reason to skip for the result of a check. Both are empty for a pass.
func verdict(text string, waiver *Waiver, err error) (failure, skip string) {
	var na notApplicableError
	switch {
	case waiver != nil && err == nil:
		return "stale waiver: the law holds; remove the waiver\nlaw: " + text + "\nwaived because: " + waiver.Reason, ""
	case waiver != nil && errors.As(err, &na):
		return "stale waiver: the law does not apply; remove the waiver\nlaw: " + text + "\nbecause: " + na.Error(), ""
	case waiver != nil:
		return "", "waived: " + waiver.Reason
	case errors.As(err, &na):
		return "", "does not apply: " + na.Error()
	case err != nil:
		return "broken law: " + text + "\n" + err.Error(), ""
	}

	return "", ""
}

func (p Profile) waiver(name string) *Waiver {
	for i := range p.Waivers {
		if p.Waivers[i].Law == name {
			return &p.Waivers[i]
		}
	}

	return nil
}

// validate returns an error for a waiver without a reason, of an unknown law, or given twice.
func (p Profile) validate(known []string) error {
	var faults []error
	for i, w := range p.Waivers {
		if !slices.Contains(known, w.Law) {
			faults = append(faults, fmt.Errorf("waiver of %q: there is no such law", w.Law))
		}
		if w.Reason == "" {
			faults = append(faults, fmt.Errorf("waiver of %q: give a reason", w.Law))
		}
		if slices.ContainsFunc(p.Waivers[:i], func(o Waiver) bool { return o.Law == w.Law }) {
			faults = append(faults, fmt.Errorf("waiver of %q: given twice", w.Law))
		}
	}

	return errors.Join(faults...)
}

// lawNames returns the names of all laws.
func lawNames() []string {
	var names []string
	for _, l := range slices.Concat(barLaws, batchLaws, stateReaderLaws, tickLaws, catalogLaws, aggregateLaws) {
		names = append(names, l.name)
	}
	for _, l := range clockLaws {
		names = append(names, l.name)
	}
	for _, l := range telemetryLaws {
		names = append(names, l.name)
	}
	for _, l := range hintLaws {
		names = append(names, l.name)
	}
	for _, l := range blockLaws {
		names = append(names, l.name)
	}
	for _, l := range sharedBlockLaws {
		names = append(names, l.name)
	}

	return names
}

// barLaws is every law of ports.Store.
var barLaws = slices.Concat(
	rangeLaws,
	limitLaws,
	streamLaws,
	contextLaws,
	writeLaws,
	conflictLaws,
	batchWriteLaws,
	replaceLaws,
	extentLaws,
	decimalLaws,
	keyLaws,
	historyLaws,
	callerLaws,
	concurrentLaws,
	stateLaws(barStates()),
	tailLaws,
	corruptLaws,
)
