package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// store is a source at work: what was asked of it is counted.
type store struct {
	Source
	requests, errors, rows atomic.Int64
	busy                   atomic.Int64 // nanoseconds, over all requests
}

// stores is every source, the preferred one first. It is safe for concurrent use.
type stores []*store

// newStores refuses sources that contradict themselves or each other.
func newStores(list []Source) (stores, error) {
	if err := validateSources(list); err != nil {
		return nil, err
	}

	all := make(stores, len(list))
	for i, s := range list {
		all[i] = &store{Source: s}
	}
	return all, nil
}

// ofBars is the store that bars of the grid are read from and written to.
func (all stores) ofBars(g domain.Grid) (*store, error) {
	for _, s := range all {
		if s.Bars != nil && s.Takes.Contain(g.Frequency()) {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no store takes bars of %s; configure one that does: %w", g, ports.ErrInvalid)
}

// ofTicks is the store that trades and quotes are read from and written to; nil where none holds any.
func (all stores) ofTicks() *store {
	for _, s := range all {
		if s.Ticks != nil {
			return s
		}
	}
	return nil
}

// errNoTicks is the refusal of a request that no store could answer.
func errNoTicks() error {
	return fmt.Errorf("no store of trades and quotes is configured: %w", ports.ErrInvalid)
}

// reachable is the extents, of those that s holds, whose bars are read from it.
func (all stores) reachable(s *store, held []domain.Extent) []domain.Extent {
	var of []domain.Extent
	for _, e := range held {
		if at, err := all.ofBars(e.Key.Grid); err == nil && at == s {
			of = append(of, e)
		}
	}

	return of
}

// taken is the extents, of those that s holds, whose bars it is asked for. It may keep the claims of another store beside its own.
func (s *store) taken(held []domain.Extent) []domain.Extent {
	foreign := func(e domain.Extent) bool { return !s.Takes.Contain(e.Key.Grid.Frequency()) }
	if !slices.ContainsFunc(held, foreign) {
		return held
	}

	return slices.DeleteFunc(slices.Clone(held), foreign)
}

// local reports whether no store waits for anything.
func (all stores) local() bool {
	for _, s := range all {
		if !s.Local {
			return false
		}
	}
	return true
}

// count notes a request that took so long. What the caller got wrong or gave up is no error of the store.
func (s *store) count(took time.Duration, err error) {
	s.requests.Add(1)
	s.busy.Add(int64(took))
	if err != nil && !errors.Is(err, ports.ErrInvalid) && !errors.Is(err, ports.ErrTooLarge) && !errors.Is(err, ports.ErrCanceled) {
		s.errors.Add(1)
	}
}

func barExtents(ctx context.Context, s *store, symbols []domain.Symbol) ([]domain.Extent, error) {
	return s.Bars.Extents(ctx, symbols...)
}

func tickExtents(ctx context.Context, s *store, symbols []domain.Symbol) ([]domain.TickExtent, error) {
	return s.Ticks.TickExtents(ctx, symbols...)
}

func symbolsOf(ctx context.Context, s *store, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	return s.Catalog.Symbols(ctx, q)
}
