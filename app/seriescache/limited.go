package seriescache

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// readLimited yields the first or last bars. It takes blocks from that end until they have as many bars.
func (r *reading) readLimited(ctx context.Context) error {
	var found []ports.CachedBars
	need := max(r.query.First, r.query.Last)
	for open, size := r.query.Range, int64(1); need > 0 && !open.Empty(); size *= 8 {
		part, before := r.nearest(open, need, size), r.state
		if err := r.takeState(ctx, part); err != nil {
			return err
		}
		if size > 1 && r.state.Version != before.Version {
			return access.ErrStateChanged // the blocks found so far are of the state before
		}

		blocks := r.state.BlocksWithin(r.layout, part)
		for len(blocks) > 0 && need > 0 {
			var next []domain.BlockState
			next, blocks = r.takeBlocks(blocks, need)
			pieces, err := r.load(ctx, next)
			if err != nil {
				return err
			}

			pieces, need = r.limit(pieces, need)
			if r.query.Last > 0 {
				pieces, found = found, pieces
			}
			found = append(found, pieces...)
		}
		if open = r.remainder(open, part); len(found) > r.store.cfg.MaxBlocks {
			return errBypass
		}
	}

	return r.give(ctx, found)
}

// nearestRange returns the range whose blocks are needed first: all, or those nearest to the end of First or Last.
func (r *reading) nearestRange() domain.Range {
	if need := max(r.query.First, r.query.Last); need > 0 {
		return r.nearest(r.query.Range, need, 1)
	}

	return r.query.Range
}

// nearest returns the part of open, at the end that is read first, in which so many bars lie if no slot is empty, and
// size blocks more.
func (r *reading) nearest(open domain.Range, bars int, size int64) domain.Range {
	start, end := open.Micros()
	from, to := r.layout.Span(open)
	slots := domain.Micros(r.query.Key.Grid.Frequency().Nominal().Microseconds()) * domain.Micros(bars)
	if r.query.Last > 0 {
		if slots < end-start {
			from = max(from, r.layout.Index(end-slots)-size)
		}
	} else if slots < end-start {
		to = min(to, r.layout.Index(start+slots)+1+size)
	}

	return r.layout.Range(from, to).Intersect(open)
}

// remainder returns what is left of open behind or before part, which lies at one end of it.
func (r *reading) remainder(open, part domain.Range) domain.Range {
	if r.query.Last > 0 {
		open.End = part.Start
	} else {
		open.Start = part.End
	}

	return open
}

// takeBlocks returns the blocks that are read first to find so many bars, and the others.
func (r *reading) takeBlocks(blocks []domain.BlockState, bars int) (taken, rest []domain.BlockState) {
	return access.TakeBlocks(r.layout, blocks, r.query, bars)
}

// limit returns the first or last bars of the pieces that lie in the range, at most need, and how many more are needed.
func (r *reading) limit(pieces []ports.CachedBars, need int) ([]ports.CachedBars, int) {
	if r.query.Last > 0 {
		slices.Reverse(pieces)
	}
	n := 0
	for _, p := range pieces {
		if p.Bars = limitBars(p.Bars.Clip(r.query.Range), need, r.query.Last > 0); p.Len() > 0 {
			need -= p.Len()
			pieces[n] = p
			n++
		}
	}
	pieces = pieces[:n]
	if r.query.Last > 0 {
		slices.Reverse(pieces)
	}

	return pieces, need
}

// limitBars returns the first bars, or the last ones, at most n.
func limitBars(bars domain.Series, n int, last bool) domain.Series {
	n = min(n, bars.Len())
	if last {
		return bars.Slice(bars.Len()-n, bars.Len())
	}

	return bars.Slice(0, n)
}
