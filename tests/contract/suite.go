// Package contract holds implementations of the ports to their promises. A promise is a law: a name that can be grepped
// and passed to -run, the sentence that is promised, and a check. Each law runs against a fresh store, and a failure
// prints the sentence.
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
// tests/external is a whole example, in a module of its own.
//
// The package needs the standard library, domain and ports only, so that somebody else's store, in another module, can
// be held to the same laws. It knows no store itself.
package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the laws of zones hold on a machine without a zone database too

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Store is one store, opened for one law.
type Store struct {
	Bars    ports.Store         // used by BarStore, and by SymbolCatalog; TickStore holds ticks apart from them where there are any
	Ticks   ports.TickStore     // used by TickStore, and by TradeAggregator to put trades there
	Catalog ports.SymbolCatalog // used by SymbolCatalog, and by TickStore where there is one; BarStore does without
	Symbols ports.SymbolWriter  // as Catalog

	Aggregator ports.TradeAggregator // used by TradeAggregator, of the trades in Ticks
	Batch      ports.BatchReader     // used by BatchReader, of the bars in Bars

	// UnversionedBars and UnversionedTicks say that the store keeps no versions: it yields no states, and the laws of
	// states do not apply.
	UnversionedBars, UnversionedTicks bool

	// Corrupt plants, behind the store's back, what no Series can hold. A defect without an entry is one that the
	// store's own tables cannot hold (a column that is NOT NULL, a primary key); its law is skipped, saying so.
	Corrupt map[Defect]Plant
}

// Plant puts a defect into the bar that the store holds of the key at the open time: it alters that bar, or for OffGrid
// and Duplicate adds one a little after it or right beside it. TradeSize goes into the trade of the key's symbol at the
// time.
type Plant func(ctx context.Context, key domain.SeriesKey, at time.Time) error

// Open returns an empty store that shares nothing with any other, and leaves its closing to tb.Cleanup. It is called
// from parallel tests.
type Open func(tb testing.TB) Store

// Profile says how an implementation differs. The zero value is the whole contract.
type Profile struct {
	Waivers []Waiver // of any of the suites: one Profile serves them all
}

// Waiver excuses an implementation from one law. A law whose outcome is certain is run all the same and must fail: when
// the store has learned to keep it, the waiver is stale and fails the suite. A law about races, whose outcome is luck,
// is skipped.
type Waiver struct {
	Law    string // the law's name
	Reason string // why the implementation cannot keep it; required
}

// BarStore holds a store of bars to every law of ports.Store.
func BarStore(t *testing.T, open Open, p Profile) {
	t.Helper()
	run(t, barLaws, p, open)
}

// SymbolCatalog holds a store's catalog to every law of ports.SymbolCatalog and ports.SymbolWriter, and to what a write
// of bars promises the catalog.
func SymbolCatalog(t *testing.T, open Open, p Profile) {
	t.Helper()
	run(t, catalogLaws, p, open)
}

// Clock holds a clock to every law of ports.Clock. open returns a clock that the test alone may drive.
func Clock(t *testing.T, open func(tb testing.TB) ports.Clock) {
	t.Helper()
	run(t, clockLaws, Profile{}, open)
}

// Decorator holds a decorator to everything that a store owes: it runs the suites of bars and of the catalog on the
// stores that open returns, each wrapped. A decorator of one port replaces that part of the Store and leaves the rest.
// Give it a store that keeps every law, so that what fails is the decorator's.
func Decorator(t *testing.T, open Open, wrap func(tb testing.TB, next Store) Store, p Profile) {
	t.Helper()
	wrapped := func(tb testing.TB) Store { return wrap(tb, open(tb)) }
	run(t, barLaws, p, wrapped)
	run(t, catalogLaws, p, wrapped)
}

// law is one promise of a port.
type law[T any] struct {
	name  string
	text  string // what is promised, as a sentence
	race  bool   // the check provokes a race: a store that breaks the law may be lucky
	check func(ctx context.Context, subject T) error
}

// lawTimeout bounds a law: a store that hangs fails it by name.
const lawTimeout = 2 * time.Minute

// notApplicableError is a check's answer where the subject cannot get into the situation that the law is about.
type notApplicableError string

// Error says why the law does not apply.
func (e notApplicableError) Error() string { return string(e) }

func run[T any](t *testing.T, laws []law[T], p Profile, open func(testing.TB) T) {
	t.Helper()
	if err := p.validate(lawNames()); err != nil {
		t.Fatal(err)
	}

	for _, l := range laws {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			waiver := p.waiver(l.name)
			if waiver != nil && l.race {
				t.Skipf("waived: %s", waiver.Reason)
			}

			ctx, cancel := context.WithTimeout(t.Context(), lawTimeout)
			defer cancel()
			failure, skip := judge(l.text, waiver, l.check(ctx, open(t)))
			if failure != "" {
				t.Fatal(failure)
			}
			if skip != "" {
				t.Skip(skip)
			}
		})
	}
}

// judge turns a check's answer into a failure, a reason to skip, or, both empty, a pass.
func judge(text string, waiver *Waiver, err error) (failure, skip string) {
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

// validate refuses a waiver without a reason, of no known law, or given twice.
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

// lawNames is the names of all laws.
func lawNames() []string {
	var names []string
	for _, l := range slices.Concat(barLaws, batchLaws, tickLaws, catalogLaws, aggregateLaws) {
		names = append(names, l.name)
	}
	for _, l := range clockLaws {
		names = append(names, l.name)
	}
	for _, l := range invalidationLaws {
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
	replaceLaws,
	extentLaws,
	decimalLaws,
	keyLaws,
	callerLaws,
	concurrentLaws,
	stateLaws(barStates()),
	corruptLaws,
)
