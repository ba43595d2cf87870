package seriescache

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// LocalBars implements blockcache.Reader.
func (s *Store) LocalBars(
	buf []blockcache.Bars, q ports.BarQuery,
) (pieces []blockcache.Bars, state *domain.SeriesState, ok bool) {
	known, _, valid := s.states.get(q.Key)
	isKnown := valid && (known.within.Covers(q.State.Range) || known.Version == q.State.Known)
	if !isKnown || s.isForeign(known.SeriesState) {
		return nil, nil, false
	}

	r := newReading(s, q)
	pieces, ok = r.localBars(buf, known)

	return pieces, s.callerState(known.SeriesState), ok
}

// localBars appends the result to buf, if all its blocks are in memory.
func (r *reading) localBars(buf []blockcache.Bars, known knownState) ([]blockcache.Bars, bool) {
	within, need := r.query.Range.Intersect(known.within), r.need()
	blocks, rest := access.TakeBlocks(r.layout, known.BlocksWithin(r.layout, within), r.query, need)
	if !r.isAtEnd(within) {
		return nil, false
	}

	pieces := slices.Grow(buf, len(blocks))[:len(buf)+len(blocks)]
	if len(r.absentBlocks(blocks, pieces[len(buf):])) > 0 {
		return nil, false
	}

	found, need := r.limit(pieces[len(buf):], need)
	if isWhole := len(rest) == 0 && within.Covers(r.query.Range); need > 0 && !isWhole {
		return nil, false
	}

	for _, b := range blocks {
		r.store.hit(r.store.blockKey(r.query.Key, b.Index))
	}

	return pieces[:len(buf)+len(found)], true
}

// isAtEnd reports whether a part of the query's range has the end that is read first.
func (r *reading) isAtEnd(part domain.Range) bool {
	if r.query.Last > 0 {
		return part.End.Equal(r.query.Range.End)
	}

	return part.Start.Equal(r.query.Range.Start)
}

// CachedRanges implements blockcache.Reader.
func (s *Store) CachedRanges(ctx context.Context, q ports.BarQuery) []domain.Range {
	known, _, _ := s.states.get(q.Key)
	if known.SeriesState == nil || s.isForeign(known.SeriesState) {
		return nil
	}

	r := newReading(s, q)
	within := q.Range.Intersect(known.within)
	blocks := known.BlocksWithin(r.layout, within)
	if len(blocks) > s.cfg.MaxBlocks {
		return nil
	}

	absent := r.absentBlocks(blocks, make([]blockcache.Bars, len(blocks)))
	var unread []domain.Range
	for i, shared := range s.sharedBlocks(ctx, q.Key, absent) {
		if !absent[i].isMatchedBy(shared) {
			unread = append(unread, r.layout.Range(absent[i].Index, absent[i].Index+1))
		}
	}

	return within.Subtract(unread)
}
