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

// fill reads what the flights wait for. The cache is asked again: since it had not what they need, another may have put it there.
func (r *reading) fill(ctx context.Context, v *view, flights []*flight) error {
	for i := 0; i < len(flights); {
		run, before := i, ports.Chunk{Settled: math.MinInt64}
		for ; i < len(flights); i++ {
			f := flights[i]
			chunk, found := r.lookup(ctx, v, f.key.ChunkKey, f.key.End)
			if found == all {
				f.chunk, f.cached = chunk, true
				break
			}
			if found == settled {
				if i > run {
					break // what is settled is not read again because of its neighbour
				}
				before = chunk
			}
		}
		if i > run {
			if err := r.readRun(ctx, v, flights[run:i], before); err != nil {
				return err
			}
		}
		if i < len(flights) && flights[i].cached {
			i++
		}
	}
	return nil
}

// readRun reads neighbouring chunks at once and puts them into the cache. Of the first, before may hold what is settled.
func (r *reading) readRun(ctx context.Context, v *view, run []*flight, before ports.Chunk) error {
	start := max(run[0].key.Start, before.Settled)
	end := run[len(run)-1].key.End
	within := rangeOf(start, end)
	horizon := r.horizon()
	parts := make([][]domain.Series, len(run))
	if start > run[0].key.Start {
		r.stats.tails.Add(1)
		if kept := before.Bars.Within(rangeOf(run[0].key.Start, start)); kept.Len() > 0 {
			parts[0] = append(parts[0], kept)
		}
	}
	r.stats.reads.Add(1)
	for piece, err := range r.next.ReadBars(ctx, ports.BarQuery{Key: r.query.Key, Range: within}) {
		if err != nil {
			return err
		}
		r.stats.bars.Add(int64(piece.Len()))
		if taken := spread(piece.Within(within), run, parts); taken < piece.Len() {
			return r.broken("the store gave bars outside of what it was asked for: %s of %s", piece, within)
		}
	}
	if err := ctx.Err(); err != nil { // nobody may take a read cut short for a whole one
		return r.interrupted(r.query.Key, err)
	}
	held, err := r.askHeld(ctx, r.query.Key.Symbol)
	if err != nil {
		return err
	}
	// What the store held before the read and holds after it, it held all the while; otherwise the bars are of no one claim.
	held = ofKey(held, r.query.Key)
	moved := claims(held, run[0].key.Start, end) != claims(v.held, run[0].key.Start, end)
	for i, f := range run {
		bars, err := own(r.query.Key, parts[i])
		if err != nil {
			return r.broken("%w", err)
		}
		if bars.Len() > fixedBars {
			return r.broken("a chunk of %d bars", bars.Len())
		}
		f.chunk = r.chunk(f.key.ChunkKey, bars, held, v.stamp, horizon)
	}
	kept := !moved && v.keep(func() {
		for _, f := range run {
			r.caches.All.Put(ctx, f.key.ChunkKey, f.chunk, time.Until(time.UnixMicro(f.chunk.Expires)))
		}
	})
	if !kept {
		r.stats.raced.Add(1)
	}
	r.stats.misses.Add(int64(len(run)))
	return nil
}

// broken is the error of a store that gave what no store may give.
func (r *reading) broken(format string, args ...any) error {
	return &ports.Error{
		Kind: ports.ErrInternal, Op: "read bars", Store: r.cfg.Name, Subject: r.query.Key.String(), Err: fmt.Errorf(format, args...),
	}
}

// spread adds the bars of the piece to the parts of the chunks that they lie in, and counts them.
func spread(piece domain.Series, run []*flight, parts [][]domain.Series) (taken int) {
	for i, f := range run {
		if part := piece.Within(rangeOf(f.key.Start, f.key.End)); part.Len() > 0 {
			parts[i] = append(parts[i], part)
			taken += part.Len()
		}
	}
	return taken
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

// horizon is up to where bars of the series that open before are closed for good, in microseconds since 1970.
func (r *reading) horizon() int64 {
	g := r.query.Key.Grid
	return g.Floor(r.clock.Now().Add(-r.cfg.settle(g.Frequency()))).UnixMicro()
}

// chunk judges the bars and says how long they are to be believed.
func (r *reading) chunk(key ports.ChunkKey, bars domain.Series, held []domain.Extent, read, horizon int64) ports.Chunk {
	c := ports.Chunk{Bars: bars, Read: read, Settled: min(max(horizon, key.Start), key.End)}
	c.Claims = [2]uint64{claims(held, key.Start, c.Settled), claims(held, c.Settled, key.End)}
	verdict := domain.NewJudge(rangeOf(key.Start, key.End), time.UnixMicro(latest)).Check(bars)
	c.Clean = len(verdict.Findings) == 0

	isSettled := c.Settled == key.End
	hasSettled := bars.Len() > 0 && bars.OpenTime(0).UnixMicro() < c.Settled
	open := read + jittered(r.cfg.openTTL(r.query.Key.Grid.Frequency()))
	switch closed := read + jittered(r.cfg.ClosedTTL); {
	case isSettled && bars.Len() == 0:
		c.Expires = read + jittered(r.cfg.EmptyTTL)
		c.Fresh = c.Expires
	case isSettled:
		c.Expires, c.Fresh = closed, closed
	case hasSettled:
		c.Expires, c.Fresh = closed, min(open, closed)
	default:
		c.Expires, c.Fresh = open, open
	}
	return c
}

// jittered is the time to live in microseconds, less up to a tenth: what was read together is not read again together.
func jittered(ttl time.Duration) int64 {
	micros := ttl.Microseconds()
	return micros - rand.Int64N(micros/10+1)
}
