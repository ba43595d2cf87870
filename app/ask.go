package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/gal-friday/marketdata/app/plan"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// aggregate has the whole answer that f waits for made of trades.
func aggregate(ctx context.Context, s *store, f *fetch) ([]ports.CachedBars, error) {
	err := f.answer.fromBars(s.Aggregate.AggregateTrades(ctx, f.query.Key, f.query.Range), asPiece)
	return f.answer.pieces, err
}

// expect makes ready for the answer to f.query.
func (f *fetch) expect(s *store) {
	q := &f.query
	f.answer = gathering[ports.CachedBars]{
		form: barPieces(), store: s, like: asPiece(domain.EmptySeries(q.Key)), within: q.Range, wanted: max(q.First, q.Last),
	}
	if f.answer.wanted == 0 {
		f.answer.limit = *f.cfg.MaxBars
		if f.request.Quality == domain.QualityDrop {
			f.answer.counts = func(p ports.CachedBars) int { return f.sound(p).Len() }
		}
	}
}

// ask is one query of a store, or of the memory before it. The pieces are to be used before the next.
func (f *fetch) ask(ctx context.Context, read *plan.Read, q ports.BarQuery) ([]ports.CachedBars, error) {
	s := f.stores.named(read.Source)
	f.query = q
	f.expect(s)
	if s.Cache == nil {
		return call(ctx, f.at(s), collect, f)
	}
	if err := ctx.Err(); err != nil {
		return nil, f.at(s).interrupted(ctx, nil)
	}
	if near, ok := s.Cache.LocalBars(f.room.near[:0], q); ok {
		if err := f.answer.fromPieces(near); err != nil {
			return nil, f.at(s).failed(ctx, err)
		}
		return f.answer.pieces, nil
	}
	if _, err := call(ctx, f.at(s), collect, f); err != nil {
		return nil, err
	}

	if f.answer.rows == 0 || slices.ContainsFunc(f.answer.pieces, func(p ports.CachedBars) bool { return !p.Cached }) {
		f.fromStore = append(f.fromStore, plan.Read{Source: s.Name, Range: q.Range})
	}
	return f.answer.pieces, f.stillHeld(ctx, s, read, q)
}

// collect reads the whole answer that f waits for.
func collect(ctx context.Context, s *store, f *fetch) (pieces []ports.CachedBars, err error) {
	if s.Cache != nil {
		err = f.answer.from(s.Cache.ReadCachedBars(ctx, f.query))
	} else {
		err = f.answer.fromBars(s.Bars.ReadBars(ctx, f.query), asPiece)
	}
	return f.answer.pieces, err
}

// errMoved is why a plan has to be made anew.
var errMoved = fmt.Errorf("what the store holds changed while it was read; ask again: %w", ports.ErrIncomplete)

// stillHeld makes sure that a store with a cache still claims what it was asked for: what it was thought to hold may have been known
// for a while.
func (f *fetch) stillHeld(ctx context.Context, s *store, read *plan.Read, q ports.BarQuery) error {
	if read.Inferred {
		return nil
	}

	extents, near := s.Cache.LocalExtents(q.Key.Symbol)
	if !near {
		var err error
		if extents, err = call(ctx, f.at(s), barExtents, f.symbol[:]); err != nil {
			return err
		}
	}

	for _, e := range extents {
		if e.Key == q.Key && !e.Inferred && e.Range.Covers(q.Range) {
			return nil
		}
	}

	return f.at(s).fault(ports.ErrIncomplete, errMoved)
}
