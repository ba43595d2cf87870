package contract

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// broken_test.go seeds a fault into the memory store for every law and requires that the law fails, because a law that no
// fault breaks checks nothing.

type sequence = iter.Seq2[domain.Series, error]

// faulty is a store with some methods replaced. Each replacement gets the store below.
type faulty struct {
	next    *memory.Store
	read    func(next *memory.Store, ctx context.Context, q ports.BarQuery) sequence
	pieces  func(next *memory.Store, ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series]
	write   writing
	batch   func(next *memory.Store, ctx context.Context, writes []ports.BarWrite) []ports.WriteResult
	replace writing
	remove  func(next *memory.Store, ctx context.Context, k domain.SeriesKey, r domain.Range) (ports.WriteReport, error)
	extents func(next *memory.Store, ctx context.Context, q ports.ExtentQuery) ([]domain.Extent, error)
	symbols func(next *memory.Store, ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error)
	put     func(next *memory.Store, ctx context.Context, metas []domain.SymbolMeta) error
	lookup  func(symbol domain.Symbol) domain.Symbol // the symbol that is looked up instead
	forget  func(next *memory.Store, ctx context.Context, symbol domain.Symbol) error
}

func (f *faulty) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	if f.read != nil {
		return ports.Unversioned(f.read(f.next, ctx, q))
	}
	if f.pieces != nil {
		return f.pieces(f.next, ctx, q)
	}

	return f.next.ReadBars(ctx, q)
}

func (f *faulty) WriteBatch(ctx context.Context, writes []ports.BarWrite) []ports.WriteResult {
	switch {
	case f.batch != nil:
		return f.batch(f.next, ctx, writes)
	case f.write == nil:
		return f.next.WriteBatch(ctx, writes)
	}

	results := ports.NewWriteResults("write bars", "faulty", writes)
	for i, w := range writes {
		if r := &results[i]; r.Err == nil {
			r.Report, r.Err = f.write(writer{f.next, w.OnConflict}, ctx, w.Bars, w.Coverage)
		}
	}

	return results
}

// writer writes one series at a time, under one policy.
type writer struct {
	*memory.Store

	onConflict ports.ConflictPolicy
}

func (w writer) WriteBars(ctx context.Context, b domain.Series, coverage domain.Range) (ports.WriteReport, error) {
	return ports.WriteBars(ctx, w.Store, b, coverage, w.onConflict)
}

func (f *faulty) ReplaceBars(ctx context.Context, b domain.Series, r domain.Range) (ports.WriteReport, error) {
	if f.replace != nil {
		return f.replace(writer{f.next, ports.ConflictReplace}, ctx, b, r)
	}
	return f.next.ReplaceBars(ctx, b, r)
}

func (f *faulty) DeleteBars(ctx context.Context, k domain.SeriesKey, r domain.Range) (ports.WriteReport, error) {
	if f.remove != nil {
		return f.remove(f.next, ctx, k, r)
	}
	return f.next.DeleteBars(ctx, k, r)
}

func (f *faulty) Extents(ctx context.Context, q ports.ExtentQuery) iter.Seq2[domain.Extent, error] {
	return ports.OnePage(func() ([]domain.Extent, error) {
		if f.extents != nil {
			return f.extents(f.next, ctx, q)
		}
		return ports.Collect(f.next.Extents(ctx, q))
	})
}

func (f *faulty) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.OnePage(func() ([]domain.SymbolMeta, error) {
		if f.symbols != nil {
			return f.symbols(f.next, ctx, q)
		}
		return ports.Collect(f.next.Symbols(ctx, q))
	})
}

func (f *faulty) LocalExtents(symbol domain.Symbol, maxStale time.Duration) ([]domain.Extent, bool) {
	if f.lookup != nil {
		symbol = f.lookup(symbol)
	}
	return f.next.LocalExtents(symbol, maxStale)
}

func (f *faulty) LocalSymbol(symbol domain.Symbol) (domain.SymbolMeta, bool) {
	if f.lookup != nil {
		symbol = f.lookup(symbol)
	}
	return f.next.LocalSymbol(symbol)
}

func (f *faulty) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	if f.put != nil {
		return f.put(f.next, ctx, metas)
	}
	return f.next.PutSymbols(ctx, metas...)
}

func (f *faulty) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	if f.forget != nil {
		return f.forget(f.next, ctx, symbol)
	}
	return f.next.RemoveSymbol(ctx, symbol)
}

// fault is a fault and the laws that must fail.
type fault struct {
	name string
	make func() *faulty
	laws []string
}

func TestEveryLawNoticesAFault(t *testing.T) {
	t.Parallel()
	laws := slices.Concat(barLaws, catalogLaws)
	noticed := map[string]bool{}
	for _, f := range slices.Concat(readFaults, writeFaults, replaceFaults, extentFaults, catalogFaults, barStateFaults()) {
		for _, name := range f.laws {
			noticed[name] = true
			i := slices.IndexFunc(laws, func(l law[Store]) bool { return l.name == name })
			if i < 0 {
				t.Errorf("%s: there is no law %s", f.name, name)
				continue
			}

			t.Run(f.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				tries := 1
				if laws[i].race {
					tries = 50
				}
				for range tries {
					s := f.make()
					s.next = memory.New()
					if isNoticed(t, laws[i].run(t.Context(), Store{Bars: s, Catalog: s, Symbols: s})) {
						return
					}
				}

				t.Errorf("the law does not notice: %s", laws[i].text)
			})
		}
	}

	for _, l := range laws {
		if !noticed[l.name] && !slices.ContainsFunc(corruptLaws, func(c law[Store]) bool { return c.name == l.name }) {
			t.Errorf("no fault breaks %s", l.name)
		}
	}
}

func TestCorruptLawsNotice(t *testing.T) {
	t.Parallel()
	for _, l := range corruptLaws {
		s := memory.New()
		planted := Store{Bars: s, Corrupt: map[Defect]Plant{}}
		var na notApplicableError
		if err := l.run(t.Context(), planted); !errors.As(err, &na) {
			t.Errorf("%s without a harness: got %v, want that it does not apply", l.name, err)
		}
		for _, d := range []Defect{DefectMissing, DefectNotFinite, DefectOffGrid, DefectDuplicate, DefectTradeCount, DefectLost} { // the store returns bars nevertheless
			planted.Corrupt[d] = func(context.Context, domain.SeriesKey, time.Time) error { return nil }
		}
		if err := l.run(t.Context(), planted); !isNoticed(t, err) || errors.As(err, &na) {
			t.Errorf("%s does not notice a store that returns a corrupt bar as a bar: %v", l.name, err)
		}
	}
}

type clockFunc func() time.Time

func (f clockFunc) Now() time.Time { return f() }

func TestClockLawsNotice(t *testing.T) {
	t.Parallel()
	var ticks atomic.Int64
	faults := map[string]clockFunc{
		"clock/now_is_utc":      func() time.Time { return time.Now().In(time.FixedZone("ahead", 3600)) },
		"clock/never_goes_back": func() time.Time { return time.Unix(-ticks.Add(1), 0).UTC() },
	}
	for _, l := range clockLaws {
		if !isNoticed(t, l.run(t.Context(), faults[l.name])) {
			t.Errorf("%s does not notice", l.name)
		}
		if err := l.run(t.Context(), clockFunc(func() time.Time { return time.Unix(ticks.Add(1), 0).UTC() })); err != nil {
			t.Errorf("%s refuses a clock that keeps it: %v", l.name, err)
		}
	}
}
