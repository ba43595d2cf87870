package chunks

import (
	"context"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// LocalBars answers from the near cache alone, where everything is claimed, there, and to be believed.
func (s *Store) LocalBars(room []ports.CachedBars, q ports.BarQuery) ([]ports.CachedBars, bool) {
	c := domain.BarBlocks(q.Key.Grid)
	from, to := c.Span(q.Range)
	few := q.First > 0 || q.Last > 0
	if !few && to-from > windowChunks {
		return nil, false
	}
	v, ok := s.nearView(q.Key)
	if !ok || !claimed(v.held, q.Range) {
		return nil, false
	}
	pieces, need := room, max(q.First, q.Last)
	_, until := q.Range.Micros()
	looked := int64(0)
	for ; looked < to-from && (!few || need > 0); looked++ {
		if looked == windowChunks || v.busy && looked > 0 {
			return nil, false
		}
		key := s.key(q.Key, c, nth(from, to, looked, q.Last > 0))
		chunk, found := s.lookupNear(&v, key, min(until, key.End))
		if found != all {
			return nil, false
		}
		p := ports.CachedBars{Bars: chunk.Bars.Clip(q.Range), Validated: chunk.Validated, Cached: true}
		if few {
			p.Bars = end(p.Bars, need, q.Last > 0)
			need -= p.Bars.Len()
		}
		if p.Bars.Len() > 0 {
			pieces = append(pieces, p)
		}
	}
	if !v.holds() {
		return nil, false
	}
	if q.Last > 0 {
		slices.Reverse(pieces[len(room):])
	}
	r := reading{Store: s, query: q, cut: c}
	for i := range looked {
		r.hit(&v, s.key(q.Key, c, nth(from, to, i, q.Last > 0)))
	}

	return pieces, true
}

// nearView is a view of the series, where it is near what the store holds of it.
func (s *Store) nearView(key domain.SeriesKey) (v view, ok bool) {
	v = s.states.of(key).view(key)
	held, ok := s.LocalExtents(key.Symbol)
	v.held = ofKey(held, key)
	return v, ok
}

// nth is the number of the n-th chunk of [from, to), from the end if backward.
func nth(from, to, n int64, backward bool) int64 {
	if backward {
		return to - 1 - n
	}
	return from + n
}

// end is the first n bars, or the last.
func end(bars domain.Series, n int, last bool) domain.Series {
	switch n = min(n, bars.Len()); {
	case last:
		return bars.Slice(bars.Len()-n, bars.Len())
	default:
		return bars.Slice(0, n)
	}
}

// CachedRanges is the parts of the range for which no read of the store is needed now.
func (s *Store) CachedRanges(ctx context.Context, q ports.BarQuery) []domain.Range {
	c := domain.BarBlocks(q.Key.Grid)
	from, to := c.Span(q.Range)
	v, ok := s.nearView(q.Key)
	if !ok || to-from > int64(s.cfg.MaxChunks) {
		return nil
	}
	_, until := q.Range.Micros()
	var kept []domain.Range
	for ; from < to; from++ {
		key := s.key(q.Key, c, from)
		switch chunk, found := s.lookup(ctx, &v, key, min(until, key.End)); found {
		case all:
			kept = append(kept, rangeOf(key.Start, key.End).Intersect(q.Range))
		case settled:
			kept = append(kept, rangeOf(key.Start, chunk.ClosedBefore).Intersect(q.Range))
		}
	}

	return domain.MergeRanges(kept)
}
