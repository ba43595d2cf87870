package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// held is what the stores hold of the symbols of a call, each asked once, when it is first needed. It is safe for concurrent use.
type held struct {
	stores  stores
	symbols []domain.Symbol
	subject fmt.Stringer             // of the errors, where several requests share it; nil is that of the request
	bars    []holding[domain.Extent] // by store
	ticks   holding[domain.TickExtent]
	room    [2]holding[domain.Extent] // for as many stores as there usually are
}

// holding is the extents of one store, ordered by symbol, or why they are not known.
type holding[E any] struct {
	mu      sync.Mutex
	read    bool
	extents []E
	err     error
}

// over makes h, a zero one, what is held of the symbols.
func (h *held) over(all stores, symbols []domain.Symbol) {
	h.stores, h.symbols = all, symbols
	if h.bars = h.room[:]; len(all) > len(h.room) {
		h.bars = make([]holding[domain.Extent], len(all))
	}
}

// barsOf is what the store at i holds of the symbol.
func (h *held) barsOf(ctx context.Context, by *caller, i int, symbol domain.Symbol) ([]domain.Extent, error) {
	s := h.stores[i]
	if s.Cache != nil {
		if extents, near := s.Cache.LocalExtents(symbol); near {
			return extents, nil
		}
	}

	return heldBy(ctx, h, by.at(s), &h.bars[i], barExtents, func(e domain.Extent) domain.Symbol { return e.Key.Symbol }, symbol)
}

// ticksOf is what the store of ticks holds of the symbol.
func (h *held) ticksOf(ctx context.Context, by *caller, symbol domain.Symbol) ([]domain.TickExtent, error) {
	return heldBy(ctx, h, by.at(h.stores.ofTicks()), &h.ticks, tickExtents, func(e domain.TickExtent) domain.Symbol { return e.Symbol }, symbol)
}

// heldBy is what one store holds of the symbol.
func heldBy[E any](
	ctx context.Context, h *held, by *caller, kept *holding[E], ask question[[]domain.Symbol, []E], of func(E) domain.Symbol,
	symbol domain.Symbol,
) ([]E, error) {
	kept.mu.Lock()
	defer kept.mu.Unlock()
	if !kept.read {
		if h.subject != nil {
			shared := *by
			shared.subject = h.subject
			by = &shared
		}

		kept.read = true
		kept.extents, kept.err = call(ctx, by, ask, h.symbols)
		if len(h.symbols) > 1 {
			slices.SortStableFunc(kept.extents, func(a, b E) int { return cmp.Compare(of(a), of(b)) })
		}
	}

	return kept.of(symbol, len(h.symbols), of), kept.err
}

// of is the extents of one of so many symbols.
func (h *holding[E]) of(symbol domain.Symbol, symbols int, of func(E) domain.Symbol) []E {
	if symbols == 1 {
		return h.extents
	}

	by := func(e E, s domain.Symbol) int { return cmp.Compare(of(e), s) }
	from, _ := slices.BinarySearchFunc(h.extents, symbol, by)
	n := 0
	for from+n < len(h.extents) && of(h.extents[from+n]) == symbol {
		n++
	}

	return h.extents[from : from+n]
}

// sources is what is held of the symbol, as a planner takes it: of bars those that a store is asked for, and of ticks where they are
// wanted.
func (h *held) sources(ctx context.Context, by *caller, symbol domain.Symbol, ticks bool) ([]plan.Source, error) {
	sources := make([]plan.Source, 0, len(h.stores))
	ofTicks := h.stores.ofTicks()
	for i, s := range h.stores {
		source := plan.Source{Name: s.Name, Priority: i, Rate: s.rate()}
		var err error
		if s.Bars != nil {
			if source.Bars, err = h.barsOf(ctx, by, i, symbol); err != nil {
				return nil, err
			}
			source.Bars = s.taken(source.Bars)
		}

		if ticks && s == ofTicks {
			if source.Ticks, err = h.ticksOf(ctx, by, symbol); err != nil {
				return nil, err
			}
		}

		sources = append(sources, source)
	}

	return sources, nil
}

// planned is the cheapest plan for the request; with an error that a limit makes it comes too. Ticks are the last resort: what is held
// of them is read only where bars do not do, or where the request begins with the first that is held.
func (h *held) planned(ctx context.Context, by *caller, request plan.Request, limits plan.Limits, fromFirst bool) (plan.Plan, error) {
	ticks := h.stores.ofTicks() != nil
	sources, err := h.sources(ctx, by, request.Key.Symbol, ticks && fromFirst)
	if err != nil {
		return plan.Plan{}, err
	}

	p, err := plan.New(request, sources, limits)
	if err == nil && ticks && !fromFirst && len(p.Uncovered) > 0 {
		if sources, err = h.sources(ctx, by, request.Key.Symbol, true); err != nil {
			return plan.Plan{}, err
		}
		p, err = plan.New(request, sources, limits)
	}
	if err != nil {
		return p, refusal(by.op, by.subject.String(), err)
	}

	return p, nil
}

// makes reports whether bars of the grid could be in any store, or made of what could be.
func (all stores) makes(g domain.Grid) error {
	if all.ofTicks() != nil || slices.ContainsFunc(all, func(s *store) bool {
		return s.Bars != nil && s.Takes.From.Nominal() <= g.Frequency().Nominal()
	}) {
		return nil
	}
	return fmt.Errorf("no store takes bars of %s, nor finer ones; configure one that does: %w", g, ports.ErrInvalid)
}

// named is the store of that name, which is one of them.
func (all stores) named(name string) *store {
	i := slices.IndexFunc(all, func(s *store) bool { return s.Name == name })
	return all[i]
}

// rate is how fast the store has been so far: its time a request, all rows included, and 0 rows a second where it returned none.
func (s *store) rate() plan.Rate {
	rows, busy := s.rows.Load(), s.busy.Load()
	if rows == 0 || busy == 0 {
		return plan.Rate{}
	}

	return plan.Rate{RowsPerSecond: float64(rows) / (float64(busy) / 1e9)}
}
