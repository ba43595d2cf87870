package chunks

import (
	"context"
	"errors"
	"slices"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// windowChunks is how many chunks are put together before the first of them is handed out.
	windowChunks = 128

	// tries is how often an answer is put together before one that writes fall into comes straight from the store.
	tries = 2

	// sparse is how many times the chunks that so many bars need at least are searched for the first or last bars.
	sparse = 8
)

// errAside is why an answer has to come straight from the store.
var errAside = errors.New("not through the cache")

// reading is one query on its way.
type reading struct {
	*Store
	query ports.BarQuery
	cut   domain.BlockLayout
}

// yield hands out the answer.
func (r *reading) yield(ctx context.Context, yield func(ports.CachedBars, error) bool) {
	from, to := r.cut.Span(r.query.Range)
	if from == to {
		return
	}
	if !r.live() {
		r.aside(ctx, r.query, yield)
		return
	}
	if r.query.First > 0 || r.query.Last > 0 {
		r.few(ctx, from, to, yield)
		return
	}
	if to-from > int64(r.cfg.MaxChunks) {
		r.aside(ctx, r.query, yield)
		return
	}
	for from < to {
		end := min(from+windowChunks, to)
		pieces, err := r.whole(ctx, func(ctx context.Context, v *view) ([]ports.CachedBars, error) {
			return r.collect(ctx, v, from, end)
		})
		if errors.Is(err, errAside) {
			rest := r.query
			start, _ := r.cut.Bounds(from)
			rest.Range = rest.Range.Intersect(domain.Range{Start: start.Time(), End: rest.Range.End})
			r.aside(ctx, rest, yield)

			return
		}
		if !r.give(ctx, pieces, err, yield) {
			return
		}
		from = end
	}
}

// few answers a query for the first or last bars: it looks from that end, and gives up where the bars are thin.
func (r *reading) few(ctx context.Context, from, to int64, yield func(ports.CachedBars, error) bool) {
	pieces, err := r.whole(ctx, func(ctx context.Context, v *view) ([]ports.CachedBars, error) {
		return r.search(ctx, v, from, to)
	})
	if errors.Is(err, errAside) {
		r.aside(ctx, r.query, yield)
		return
	}
	r.give(ctx, pieces, err, yield)
}

func (r *reading) search(ctx context.Context, v *view, from, to int64) ([]ports.CachedBars, error) {
	wanted, backward := r.query.First, r.query.Last > 0
	if backward {
		wanted = r.query.Last
	}
	first, end := r.needed()
	step := max(1, end-first)
	most := min(sparse*step, int64(r.cfg.MaxChunks), windowChunks)
	var found []ports.CachedBars
	for bars, looked := 0, int64(0); ; looked += step {
		step = min(step, to-from)
		if step == 0 {
			return found, nil
		}
		if looked+step > most {
			return nil, errAside
		}
		at := from
		if backward {
			at = to - step
		}
		pieces, err := r.collect(ctx, v, at, at+step)
		if err != nil {
			return nil, err
		}
		for _, p := range pieces {
			bars += p.Bars.Len()
		}
		if backward {
			to = at
			found = append(pieces, found...)
		} else {
			from = at + step
			found = append(found, pieces...)
		}
		if bars >= wanted {
			return trim(found, bars-wanted, backward), nil
		}
	}
}

// trim takes the surplus bars off the head, or off the tail.
func trim(pieces []ports.CachedBars, surplus int, head bool) []ports.CachedBars {
	for surplus > 0 {
		i := len(pieces) - 1
		if head {
			i = 0
		}
		bars := pieces[i].Bars
		cut := min(surplus, bars.Len())
		surplus -= cut
		switch {
		case cut == bars.Len():
			pieces = slices.Delete(pieces, i, i+1)
		case head:
			pieces[i].Bars = bars.Slice(cut, bars.Len())
		default:
			pieces[i].Bars = bars.Slice(0, bars.Len()-cut)
		}
	}

	return pieces
}

// whole puts an answer together into which no write fell, or says that it has to come straight from the store.
func (r *reading) whole(
	ctx context.Context, answer func(context.Context, *view) ([]ports.CachedBars, error),
) ([]ports.CachedBars, error) {
	state := r.states.of(r.query.Key)
	for range tries {
		v := state.view(r.query.Key)
		held, err := r.heldOf(ctx, r.query.Key.Symbol)
		if err != nil {
			return nil, err
		}
		v.held = ofKey(held, r.query.Key)
		pieces, err := answer(ctx, &v)
		if err != nil || v.holds() {
			return pieces, err
		}
		r.stats.raced.Add(1)
	}

	return nil, errAside
}

// give hands out the pieces, or the error.
func (r *reading) give(
	ctx context.Context, pieces []ports.CachedBars, err error, yield func(ports.CachedBars, error) bool,
) (more bool) {
	if err != nil {
		yield(ports.CachedBars{}, err)
		return false
	}
	for _, p := range pieces {
		if !yield(p, nil) {
			return false
		}
		if err := ctx.Err(); err != nil {
			yield(ports.CachedBars{}, r.interrupted(r.query.Key, err))
			return false
		}
	}

	return true
}

// aside answers from the store alone.
func (r *reading) aside(ctx context.Context, q ports.BarQuery, yield func(ports.CachedBars, error) bool) {
	r.stats.aside.Add(1)
	defer r.forgetHeld(r.query.Key.Symbol) // who looks again whether it was held all the while shall ask the store
	for bars, err := range r.next.ReadBars(ctx, q).Rows() {
		if !yield(ports.CachedBars{Bars: bars}, err) {
			return
		}
	}
}

// collect is the parts of the chunks [from, to) that the query asks for: from the cache, from reads that are under way, or read now.
func (r *reading) collect(ctx context.Context, v *view, from, to int64) ([]ports.CachedBars, error) {
	pieces := make([]ports.CachedBars, to-from)
	_, until := r.query.Range.Micros()
	var lacking []lack
	for i := range pieces {
		key := r.key(r.query.Key, r.cut, from+int64(i))
		chunk, found := r.lookup(ctx, v, key, min(until, key.End))
		if found == all {
			pieces[i] = ports.CachedBars{Bars: chunk.Bars, Validated: chunk.Validated, Cached: true}
			r.hit(v, key) //nolint:contextcheck // what is read ahead outlives the caller
			continue
		}
		if v.busy {
			return nil, errAside
		}
		lacking = append(lacking, lack{key: key, at: i})
	}
	if v.busy && len(pieces) > 1 {
		return nil, errAside
	}
	for len(lacking) > 0 {
		n := together(lacking)
		if err := r.load(ctx, v, lacking[:n], pieces); err != nil {
			return nil, err
		}
		lacking = lacking[n:]
	}
	parts := pieces[:0]
	for _, p := range pieces {
		if p.Bars = p.Bars.Clip(r.query.Range); p.Bars.Len() > 0 {
			parts = append(parts, p)
		}
	}

	return parts, nil
}

// found is how much of a chunk the cache has.
type found uint8

const (
	none found = iota
	settled
	all
)

// lookup is what the cache has of a chunk of which the bars before an instant are wanted.
func (s *Store) lookup(ctx context.Context, v *view, key ports.ChunkKey, until domain.Micros) (ports.Chunk, found) {
	chunk, ok := s.caches.All.Get(ctx, key)
	if !ok {
		return ports.Chunk{}, none
	}

	return chunk, v.believes(key, &chunk, until)
}

// lookupNear is lookup in this process's memory: it waits for nothing.
func (s *Store) lookupNear(v *view, key ports.ChunkKey, until domain.Micros) (ports.Chunk, found) {
	chunk, ok := s.caches.Near.Get(context.Background(), key)
	if !ok {
		return ports.Chunk{}, none
	}

	return chunk, v.believes(key, &chunk, until)
}

// believes is how much of a chunk is still to be believed.
func (v *view) believes(key ports.ChunkKey, c *ports.Chunk, until domain.Micros) found {
	if c.ReadAt <= v.whole || c.ValidUntil <= v.now || c.Claims[0] != claims(v.held, key.Start, c.ClosedBefore) {
		return none
	}
	switch {
	case until <= c.ClosedBefore, c.TailValidUntil > v.now && c.ReadAt > v.tails && c.Claims[1] == claims(v.held, c.ClosedBefore, key.End):
		return all
	case c.ClosedBefore > key.Start:
		return settled
	}

	return none
}
