package seriescache

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// LocalBars implements ports.CachedReader.
func (s *Store) LocalBars(
	buf []ports.CachedBars, q ports.BarQuery,
) (pieces []ports.CachedBars, state *domain.SeriesState, ok bool) {
	known, valid := s.states.get(q.Key)
	isKnown := valid && (known.within.Covers(q.State.Range) || known.Version == q.State.Known)
	if !isKnown || s.isForeign(known.SeriesState) {
		return nil, nil, false
	}

	r := reading{store: s, query: q, layout: domain.BarBlocks(q.Key.Grid), state: known.SeriesState}
	if q.First > 0 || q.Last > 0 {
		pieces, ok = r.localLimited(buf, known)
	} else if ok = known.covers(q.Range); ok {
		pieces, ok = r.localBlocks(buf, known.BlocksWithin(r.layout, q.Range))
	}

	return pieces, s.callerState(known.SeriesState), ok
}

// localBlocks appends the bars of the blocks in the range, if all blocks are in memory.
func (r *reading) localBlocks(buf []ports.CachedBars, blocks []domain.BlockState) ([]ports.CachedBars, bool) {
	if len(blocks) > windowBlocks {
		return nil, false
	}

	pieces := buf
	for _, b := range blocks {
		block, found := r.store.caches.Local.Get(r.store.blockKey(r.query.Key, b.Index))
		if !found || block.Version != b.Version {
			return nil, false
		}
		if bars := block.Bars.Clip(r.query.Range); bars.Len() > 0 {
			pieces = append(pieces, ports.CachedBars{Bars: bars, Validated: block.Validated, Cached: true})
		}
	}
	for _, b := range blocks {
		r.store.hit(r.store.blockKey(r.query.Key, b.Index))
	}

	return pieces, true
}

// localLimited appends the first or last bars, if the blocks that have them are in memory.
func (r *reading) localLimited(buf []ports.CachedBars, known knownState) ([]ports.CachedBars, bool) {
	within := r.query.Range.Intersect(known.within)
	atEnd := within.End.Equal(r.query.Range.End)
	if r.query.Last == 0 {
		atEnd = within.Start.Equal(r.query.Range.Start)
	}
	if !atEnd || within.Empty() {
		return nil, false
	}

	need := max(r.query.First, r.query.Last)
	blocks, rest := r.takeBlocks(known.BlocksWithin(r.layout, within), need)
	pieces, ok := r.localBlocks(buf, blocks)
	if !ok {
		return nil, false
	}

	limited, need := r.limit(pieces[len(buf):], need)
	if isWhole := len(rest) == 0 && within == r.query.Range; need > 0 && !isWhole {
		return nil, false
	}

	return pieces[:len(buf)+len(limited)], true
}

// CachedRanges implements ports.CachedReader.
func (s *Store) CachedRanges(ctx context.Context, q ports.BarQuery) []domain.Range {
	known, _ := s.states.get(q.Key)
	if known.SeriesState == nil || s.isForeign(known.SeriesState) {
		return nil
	}

	layout := domain.BarBlocks(q.Key.Grid)
	blocks := known.BlocksWithin(layout, q.Range.Intersect(known.within))
	if len(blocks) > s.cfg.MaxBlocks {
		return nil
	}

	cached := known.withoutBlocks(layout, q.Range)
	keys := make([]ports.BlockKey, len(blocks))
	for i, b := range blocks {
		keys[i] = s.blockKey(q.Key, b.Index)
	}
	found := s.lookup(ctx, keys)
	for i, b := range blocks {
		if found[i].Version == b.Version && found[i].Bars.Len() > 0 {
			cached = append(cached, layout.Range(b.Index, b.Index+1).Intersect(q.Range))
		}
	}

	return domain.MergeRanges(cached)
}

// withoutBlocks returns the parts of r in which the state says that there is no bar.
func (k knownState) withoutBlocks(layout domain.BlockLayout, r domain.Range) []domain.Range {
	r = r.Intersect(k.within)
	var blocks []domain.Range
	for _, b := range k.BlocksWithin(layout, r) {
		blocks = append(blocks, layout.Range(b.Index, b.Index+1))
	}

	return r.Subtract(blocks)
}

// lookup returns the blocks that a cache has, and leaves the caches as they are.
func (s *Store) lookup(ctx context.Context, keys []ports.BlockKey) []ports.Block {
	blocks := make([]ports.Block, len(keys))
	var absent []ports.BlockKey
	for i, key := range keys {
		var found bool
		if blocks[i], found = s.caches.Local.Get(key); !found {
			absent = append(absent, key)
		}
	}
	if s.caches.Shared == nil || len(absent) == 0 {
		return blocks
	}

	for i, block := range s.caches.Shared.GetBlocks(ctx, absent) {
		blocks[slices.Index(keys, absent[i])] = block
	}

	return blocks
}
