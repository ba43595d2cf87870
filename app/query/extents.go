package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/sorting"
)

// extentSet is the coverage that the stores have of some symbols. Each store is queried once, when its coverage is
// first needed. It is safe for concurrent use.
type extentSet struct {
	stores   access.Stores
	symbols  []domain.Symbol
	subject  fmt.Stringer                  // of the errors, where several requests share the set; else nil
	maxStale time.Duration                 // of coverage from a cache while its store cannot be asked
	bars     []storeExtents[domain.Extent] // by store
	ticks    storeExtents[domain.TickExtent]
	buf      [2]storeExtents[domain.Extent] // of bars, for as many stores as are usual
}

// storeExtents is the coverage of one store, ordered by symbol, or the error of reading it.
type storeExtents[E any] struct {
	mu      sync.Mutex // not held while the store is asked, so that waiting callers are known to testing/synctest
	asked   sync.Cond  // of mu: asking ended
	asking  bool
	read    bool
	extents []E
	err     error
}

// fill sets the coverage, if there is one, unless it was read before.
func (k *storeExtents[E]) fill(extents []E, found bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found && !k.read {
		k.read, k.extents = true, extents
	}
}

// replaceError sets the coverage, if there is one, in place of the error of reading it. It returns the error that is
// left.
func (k *storeExtents[E]) replaceError(extents []E, found bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found {
		k.extents, k.err = extents, nil
	}

	return k.err
}

// init makes a zero set one of the symbols.
func (x *extentSet) init(stores access.Stores, symbols []domain.Symbol) {
	x.stores, x.symbols = stores, symbols
	if x.bars = x.buf[:]; len(stores) > len(x.buf) {
		x.bars = make([]storeExtents[domain.Extent], len(stores))
	}
}

// barExtents returns the coverage that the store has of the symbol's bars.
func (x *extentSet) barExtents(
	ctx context.Context, call *access.Call, s *access.Store, symbol domain.Symbol,
) ([]domain.Extent, error) {
	kept := &x.bars[slices.Index(x.stores, s)]
	isLocal := s.LocalCoverage != nil && len(x.symbols) == 1
	if isLocal {
		kept.fill(s.LocalCoverage.LocalExtents(symbol, 0))
	}

	read := extentReader[domain.Extent]{access.ReadExtents, func(e domain.Extent) domain.Symbol { return e.Key.Symbol }}
	err := read.readInto(ctx, kept, x, call.For(s))
	if isLocal && err != nil && access.IsOutage(err) && ctx.Err() == nil {
		err = kept.replaceError(s.LocalCoverage.LocalExtents(symbol, x.maxStale))
	}

	return read.ofSymbol(kept.extents, x, symbol), err
}

// plannedBars returns the declared coverage of a series that the plan was made with: ascending, disjoint.
func (x *extentSet) plannedBars(s *access.Store, key domain.SeriesKey) []domain.Range {
	kept := &x.bars[slices.Index(x.stores, s)]
	kept.mu.Lock()
	defer kept.mu.Unlock()

	return declaredRanges(kept.extents, key)
}

// declaredRanges returns the declared coverage of one series: ascending, disjoint.
func declaredRanges(extents []domain.Extent, key domain.SeriesKey) []domain.Range {
	var ranges []domain.Range
	for _, e := range extents {
		if e.Key == key && !e.Inferred {
			ranges = append(ranges, e.Range)
		}
	}

	return domain.MergeRanges(ranges)
}

// plannedTicks returns the coverage of the symbol's ticks that the plan was made with: ascending, disjoint.
func (x *extentSet) plannedTicks(symbol domain.Symbol, kind domain.TickKind) []domain.Range {
	x.ticks.mu.Lock()
	defer x.ticks.mu.Unlock()

	return rangesOfTicks(x.ticks.extents, symbol, kind)
}

// rangesOfTicks returns the ranges of the extents of one symbol and kind.
func rangesOfTicks(extents []domain.TickExtent, symbol domain.Symbol, kind domain.TickKind) []domain.Range {
	var ranges []domain.Range
	for _, e := range extents {
		if e.Symbol == symbol && e.Kind == kind {
			ranges = append(ranges, e.Range)
		}
	}

	return domain.MergeRanges(ranges)
}

// tickExtents returns the coverage that the store of ticks has of the symbol.
func (x *extentSet) tickExtents(
	ctx context.Context, call *access.Call, symbol domain.Symbol,
) ([]domain.TickExtent, error) {
	read := extentReader[domain.TickExtent]{
		access.ReadTickExtents, func(e domain.TickExtent) domain.Symbol { return e.Symbol },
	}
	err := read.readInto(ctx, &x.ticks, x, call.For(x.stores.ForTicks()))

	return read.ofSymbol(x.ticks.extents, x, symbol), err
}

// extentReader reads the coverage of bars, or of ticks, from one store.
type extentReader[E any] struct {
	read     access.Operation[[]domain.Symbol, []E]
	symbolOf func(E) domain.Symbol
}

// readInto reads the coverage of all symbols of the set, unless it was read before.
func (r extentReader[E]) readInto(ctx context.Context, kept *storeExtents[E], x *extentSet, call *access.Call) error {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.asked.L = &kept.mu
	for kept.asking {
		kept.asked.Wait()
	}
	if kept.read {
		return kept.err
	}

	if x.subject != nil {
		shared := *call
		shared.Subject = x.subject
		call = &shared
	}
	kept.read, kept.asking = true, true
	kept.mu.Unlock()
	extents, err := access.Do(ctx, call, r.read, x.symbols)
	if len(x.symbols) > 1 {
		sorting.StableFunc(extents, func(a, b E) int { return cmp.Compare(r.symbolOf(a), r.symbolOf(b)) })
	}

	kept.mu.Lock()
	kept.extents, kept.err, kept.asking = extents, err, false
	kept.asked.Broadcast()

	return err
}

// ofSymbol returns the extents of one symbol of the set, of extents ordered by symbol.
func (r extentReader[E]) ofSymbol(extents []E, x *extentSet, symbol domain.Symbol) []E {
	if len(x.symbols) == 1 {
		return extents
	}

	first, _ := slices.BinarySearchFunc(extents, symbol, func(e E, s domain.Symbol) int {
		return cmp.Compare(r.symbolOf(e), s)
	})
	n := first
	for n < len(extents) && r.symbolOf(extents[n]) == symbol {
		n++
	}

	return extents[first:n]
}

// sources returns the coverage of the symbol as package plan takes it: of bars that are routed to a store, and of ticks
// on request.
func (x *extentSet) sources(
	ctx context.Context, call *access.Call, symbol domain.Symbol, withTicks bool,
) ([]plan.Source, error) {
	sources := make([]plan.Source, 0, len(x.stores))
	tickStore := x.stores.ForTicks()
	for i, s := range x.stores {
		source := plan.Source{Name: s.Name, Priority: i, Rate: plan.Rate{RowsPerSecond: s.RowsPerSecond()}}
		if s.Bars != nil {
			extents, err := x.barExtents(ctx, call, s, symbol)
			if err != nil {
				return nil, err
			}

			source.Bars = s.RoutedExtents(extents)
		}
		if withTicks && s == tickStore {
			var err error
			if source.Ticks, err = x.tickExtents(ctx, call, symbol); err != nil {
				return nil, err
			}
		}

		sources = append(sources, source)
	}

	return sources, nil
}

// plan returns the cheapest plan for the range r of the query. With a *plan.LimitError the plan comes too. Coverage of
// ticks, the last resort, is read only where bars do not cover the range, or where the query starts with the first
// covered instant.
func (x *extentSet) plan(ctx context.Context, q *query, r domain.Range, limits plan.Limits) (plan.Plan, error) {
	hasTicks, fromFirst := x.stores.ForTicks() != nil, q.window.start.IsZero()
	sources, err := x.sources(ctx, &q.call, q.symbol[0], hasTicks && fromFirst)
	if err != nil {
		return plan.Plan{}, err
	}

	p, err := plan.New(q.planRequest(r), sources, limits)
	if err == nil && hasTicks && !fromFirst && len(p.Uncovered) > 0 {
		if sources, err = x.sources(ctx, &q.call, q.symbol[0], true); err != nil {
			return plan.Plan{}, err
		}

		p, err = plan.New(q.planRequest(r), sources, limits)
	}
	if err != nil {
		return p, q.call.Refuse(err)
	}

	return p, nil
}
