package chunks

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// run is neighbouring chunks that are read at once, for those who wait for them.
type run struct {
	*reading
	view    *view
	flights []*flight
	before  ports.Chunk       // of the first chunk, what is settled
	within  domain.Range      // what is read
	now     time.Time         // by the business clock, when the store was asked
	parts   [][]domain.Series // by chunk
}

// runs is what has to be read for the flights. The cache is asked again: since it had not what they need, another may have put it
// there.
func (r *reading) runs(ctx context.Context, v *view, flights []*flight) []*run {
	var runs []*run
	for i := 0; i < len(flights); {
		first, before := i, ports.Chunk{ClosedBefore: math.MinInt64}
		for ; i < len(flights); i++ {
			f := flights[i]
			chunk, found := r.lookup(ctx, v, f.key.ChunkKey, f.key.End)
			if found == all {
				f.chunk, f.cached = chunk, true
				break
			}
			if found == settled {
				if i > first {
					break // what is settled is not read again because of its neighbour
				}
				before = chunk
			}
		}
		if i > first {
			runs = append(runs, r.newRun(v, flights[first:i], before))
		}
		if i < len(flights) && flights[i].cached {
			i++
		}
	}

	return runs
}

func (r *reading) newRun(v *view, flights []*flight, before ports.Chunk) *run {
	first, last := flights[0].key, flights[len(flights)-1].key
	start := max(first.Start, before.ClosedBefore)
	n := &run{
		reading: r, view: v, flights: flights, before: before, within: rangeOf(start, last.End), now: r.clock.Now(),
		parts: make([][]domain.Series, len(flights)),
	}
	if start > first.Start {
		r.stats.tails.Add(1)
		if kept := before.Bars.Clip(rangeOf(first.Start, start)); kept.Len() > 0 {
			n.parts[0] = append(n.parts[0], kept)
		}
	}

	return n
}

// fill reads what the flights wait for.
func (r *reading) fill(ctx context.Context, v *view, flights []*flight) error {
	for _, n := range r.runs(ctx, v, flights) {
		r.stats.reads.Add(1)
		for piece, err := range r.next.ReadBars(ctx, n.query()).Rows() {
			if err == nil {
				err = n.take(piece)
			}
			if err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil { // nobody may take a read cut short for a whole one
			return r.interrupted(r.query.Key, err)
		}
		held, err := r.askHeld(ctx, r.query.Key.Symbol)
		if err == nil {
			err = n.finish(ctx, held)
		}
		if err != nil {
			return err
		}
	}

	return nil
}

func (n *run) query() ports.BarQuery {
	return ports.BarQuery{Key: n.reading.query.Key, Range: n.within}
}

// take takes a piece of what is read.
func (n *run) take(piece domain.Series) error {
	n.stats.bars.Add(int64(piece.Len()))
	inside := piece.Clip(n.within)
	taken := 0
	for i, f := range n.flights {
		if part := inside.Clip(rangeOf(f.key.Start, f.key.End)); part.Len() > 0 {
			n.parts[i] = append(n.parts[i], part)
			taken += part.Len()
		}
	}
	if taken < piece.Len() {
		return n.broken("the store gave bars outside of what it was asked for: %s of %s", piece, n.within)
	}

	return nil
}

// finish makes the chunks of what was read, and keeps them. held is what the store says, after the read, that it holds of the symbol:
// what it held before and holds after, it held all the while; otherwise the bars are of no one claim.
func (n *run) finish(ctx context.Context, held []domain.Extent) error {
	key := n.reading.query.Key
	held = ofKey(held, key)
	start, end := n.flights[0].key.Start, n.flights[len(n.flights)-1].key.End
	moved := claims(held, start, end) != claims(n.view.held, start, end)
	for i, f := range n.flights {
		bars, err := own(key, n.parts[i])
		if err != nil {
			return n.broken("%w", err)
		}
		if bars.Len() > domain.MaxBlockBars {
			return n.broken("a chunk of %d bars", bars.Len())
		}
		f.chunk = n.chunk(f.key.ChunkKey, bars, held)
		if i == 0 && start < domain.MicrosFloor(n.within.Start) { // what was kept of it is no younger for a new tail
			f.chunk.ValidUntil = min(f.chunk.ValidUntil, n.before.ValidUntil)
			f.chunk.TailValidUntil = min(f.chunk.TailValidUntil, f.chunk.ValidUntil)
		}
	}
	kept := !moved && n.view.keep(func() {
		for _, f := range n.flights {
			n.caches.All.Put(ctx, f.key.ChunkKey, f.chunk, time.Until(f.chunk.ValidUntil.Time()))
		}
	})
	if !kept {
		n.stats.raced.Add(1)
	}
	n.stats.misses.Add(int64(len(n.flights)))

	return nil
}

// broken is the error of a store that gave what no store may give.
func (r *reading) broken(format string, args ...any) error {
	return &ports.Error{
		Kind: ports.ErrInternal, Op: "read bars", Store: r.cfg.Name, Subject: r.query.Key.String(), Err: fmt.Errorf(format, args...),
	}
}

// own copies the bars into a block that holds nothing else: what the cache keeps must cost what it counts.
func own(key domain.SeriesKey, parts []domain.Series) (domain.Series, error) {
	bars := 0
	for _, p := range parts {
		bars += p.Len()
	}
	if bars == 0 {
		return domain.EmptySeries(key), nil
	}
	b := domain.NewSeriesBuilder(key, bars)
	for _, p := range parts {
		if err := b.AppendSeries(p); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

// horizon is up to where bars of the grid that open before are closed for good at now.
func (s *Store) horizon(g domain.Grid, now time.Time) time.Time {
	return g.Floor(now.Add(-s.cfg.settle(g.Frequency())))
}

// chunk judges the bars and says how long they are to be believed.
func (n *run) chunk(key ports.ChunkKey, bars domain.Series, held []domain.Extent) ports.Chunk {
	g, read := key.Series.Grid, n.view.stamp
	c := ports.Chunk{Bars: bars, ReadAt: read, ClosedBefore: min(max(domain.MicrosFloor(n.horizon(g, n.now)), key.Start), key.End)}
	c.Claims = [2]uint64{claims(held, key.Start, c.ClosedBefore), claims(held, c.ClosedBefore, key.End)}
	verdict := domain.NewValidator(rangeOf(key.Start, key.End), latest).Check(bars)
	c.Validated = len(verdict.Findings) == 0

	isSettled := c.ClosedBefore == key.End
	hasSettled := bars.Len() > 0 && domain.MicrosFloor(bars.OpenTime(0)) < c.ClosedBefore
	open := read + jittered(n.cfg.openTTL(g.Frequency()))
	if bars.Range().End.After(n.now) { // a bar that is not over is not what it is then
		open = min(open, read+ports.WallMicros(g.Next(n.now).Sub(n.now).Microseconds()))
	}
	switch closed := read + jittered(n.cfg.ClosedTTL); {
	case isSettled && bars.Len() == 0:
		c.ValidUntil = read + jittered(n.cfg.EmptyTTL)
		c.TailValidUntil = c.ValidUntil
	case isSettled:
		c.ValidUntil, c.TailValidUntil = closed, closed
	case hasSettled:
		c.ValidUntil, c.TailValidUntil = closed, min(open, closed)
	default:
		c.ValidUntil, c.TailValidUntil = open, open
	}

	return c
}

// jittered is the time to live in microseconds, less up to a tenth: what was read together is not read again together.
func jittered(ttl time.Duration) ports.WallMicros {
	micros := ttl.Microseconds()
	return ports.WallMicros(micros - rand.Int64N(micros/10+1))
}
