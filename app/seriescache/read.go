package seriescache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// windowBlocks is the number of blocks that are collected before the first of them is yielded.
	windowBlocks = 128

	// maxAttempts bounds how often a result is put together while the series changes, before it is read from the store
	// in one snapshot.
	maxAttempts = 2
)

// errBypass is the error of a result that must come from the store in one read.
var errBypass = errors.New("not through the cache")

// errUsed is the error of a second use of a sequence.
var errUsed = errors.New("the sequence was ranged over before; read again")

// ReadBars implements ports.BarReader. Where the store keeps no versions it yields no state, because that of the cache
// means nothing outside of this process.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	if s.caches.Local == nil {
		return s.next.ReadBars(ctx, q)
	}

	pieces := s.read(ctx, q, reading{bypass: s.next})

	return func(yield func(ports.Piece[domain.Series], error) bool) {
		pieces(func(p ports.Piece[ports.CachedBars], err error) bool {
			piece := ports.Piece[domain.Series]{Rows: p.Rows.Bars, State: p.State, Unreadable: p.Unreadable}
			if s.unversioned != nil {
				piece.State = nil
			}
			if err == nil && piece.State == nil && piece.Rows.Len() == 0 && len(piece.Unreadable) == 0 {
				return true
			}

			return yield(piece, err)
		})
	}
}

// ReadCachedBars implements ports.CachedReader. Pieces share their bars with the cache. A range of more than MaxBlocks
// comes from the store.
func (s *Store) ReadCachedBars(
	ctx context.Context, q ports.BarQuery, maxStale time.Duration,
) ports.Sequence[ports.CachedBars] {
	return s.read(ctx, q, reading{bypass: s.source, maxStale: maxStale})
}

// read reads through the cache, with the options of r.
func (s *Store) read(ctx context.Context, q ports.BarQuery, r reading) ports.Sequence[ports.CachedBars] {
	var used atomic.Bool
	return func(yield func(ports.Piece[ports.CachedBars], error) bool) {
		r := r
		r.store, r.query, r.layout, r.yield = s, q, domain.BarBlocks(q.Key.Grid), yield
		switch {
		case used.Swap(true):
			r.fail(s.failure(ports.ErrInvalid, "read bars", q.Key.String(), errUsed))
		case ctx.Err() != nil:
			r.fail(s.interruption(ctx, "read bars", q.Key))
		default:
			r.run(ctx)
		}
	}
}

// reading is one query under way.
type reading struct {
	store  *Store
	query  ports.BarQuery
	layout domain.BlockLayout
	bypass ports.BarReader // reads what does not come through the cache

	maxStale time.Duration // age of a state that is allowed while the store cannot be asked
	yield    func(ports.Piece[ports.CachedBars], error) bool

	state   *domain.SeriesState // nil before it is known
	given   domain.Range        // of the pieces that were yielded, in which nothing may change
	began   bool                // a piece was yielded
	stopped bool                // the caller broke off
	isAhead bool                // nobody waits for the blocks: they are read ahead
}

// run yields the result.
func (r *reading) run(ctx context.Context) {
	err := errBypass
	if r.store.closed.Err() == nil {
		err = r.readBlocks(ctx)
	}
	_, isUnreadable := errors.AsType[*domain.RuleError](err) // no block of it is cached
	if errors.Is(err, errBypass) || isUnreadable && r.query.ReportUnreadable {
		err = r.readStore(ctx)
	}
	if err == nil {
		err = r.finish(ctx)
	}
	if err != nil {
		r.fail(err)
	}
}

// fail yields the error, unless the caller broke off.
func (r *reading) fail(err error) {
	if !r.stopped {
		r.yield(ports.Piece[ports.CachedBars]{}, err)
	}
}

// put yields a piece, with the state if it is the first one. It reports whether to go on.
func (r *reading) put(p ports.CachedBars) bool {
	return r.putPiece(ports.Piece[ports.CachedBars]{Rows: p})
}

func (r *reading) putPiece(piece ports.Piece[ports.CachedBars]) bool {
	if !r.began {
		piece.State = r.store.callerState(r.state)
	}
	r.began = true
	r.stopped = !r.yield(piece, nil)

	return !r.stopped
}

// finish yields the state of a result without bars, and the error of a context that is done.
func (r *reading) finish(ctx context.Context) error {
	if !r.began {
		r.put(r.empty())
	}
	if !r.stopped && ctx.Err() != nil {
		return r.store.interruption(ctx, "read bars", r.query.Key)
	}

	return nil
}

func (r *reading) empty() ports.CachedBars {
	return ports.CachedBars{Bars: domain.EmptySeries(r.query.Key), Cached: true}
}

// readBlocks yields the result block by block. Where the series changes meanwhile it starts again, with what was not
// yielded yet.
func (r *reading) readBlocks(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		err := r.attempt(ctx)
		if !errors.Is(err, access.ErrStateChanged) {
			return err
		}

		r.store.stats.conflicts.Add(1)
		r.store.states.drop(r.query.Key)
		if attempt == maxAttempts {
			return errBypass
		}
	}
}

func (r *reading) attempt(ctx context.Context) error {
	if r.query.First > 0 || r.query.Last > 0 {
		return r.readLimited(ctx)
	}

	if err := r.takeState(ctx, r.query.Range); err != nil {
		return err
	}
	blocks := r.state.BlocksWithin(r.layout, r.rest())
	if len(blocks) > r.store.cfg.MaxBlocks {
		return errBypass
	}

	for len(blocks) > 0 && !r.stopped {
		window := blocks[:min(windowBlocks, len(blocks))]
		pieces, err := r.load(ctx, window)
		if err != nil {
			return err
		}
		if err := r.give(ctx, pieces); err != nil {
			return err
		}

		last := window[len(window)-1].Index
		r.given = domain.Range{Start: r.query.Range.Start, End: r.layout.Range(last, last+1).End}.Intersect(r.query.Range)
		blocks = blocks[len(window):]
	}

	return nil
}

// rest returns the range that was not yielded yet.
func (r *reading) rest() domain.Range {
	rest := r.query.Range
	if !r.given.Empty() {
		rest.Start = r.given.End
	}

	return rest
}

// takeState takes the state of the series with the blocks of within and of what the query wants of the state, and makes
// sure that nothing changed in what was yielded.
func (r *reading) takeState(ctx context.Context, within domain.Range) error {
	state, err := r.store.stateOrStale(ctx, r.query.Key, within, r.maxStale)
	if other := r.query.State; err == nil && !other.Range.Empty() && state.Version != other.Known {
		state, err = r.store.stateOrStale(ctx, r.query.Key, within.Hull(other.Range), r.maxStale)
	}
	if err != nil {
		return err
	}
	if r.store.isForeign(state) && !r.began {
		return errBypass
	}

	return r.moveTo(state)
}

// moveTo goes on with another state.
func (r *reading) moveTo(state *domain.SeriesState) error {
	if r.state != nil && !r.state.SameWithin(state, r.layout, r.given) {
		return r.store.failure(ports.ErrConflict, "read bars", r.query.Key.String(), access.ErrStateChanged)
	}

	r.state = state

	return nil
}

// give yields the bars of the pieces that are in the range.
func (r *reading) give(ctx context.Context, pieces []ports.CachedBars) error {
	for _, p := range pieces {
		if p.Bars = p.Bars.Clip(r.query.Range); p.Len() == 0 {
			continue
		}
		if !r.put(p) {
			return nil
		}
		if ctx.Err() != nil {
			return r.store.interruption(ctx, "read bars", r.query.Key)
		}
	}

	return nil
}

// readStore yields the rest of the result from the store, in one snapshot.
func (r *reading) readStore(ctx context.Context) error {
	r.store.stats.bypassed.Add(1)
	q := r.query
	q.Range = r.rest()
	if q.State.Known = (domain.Version{}); r.began {
		q.State.Range = q.State.Range.Hull(r.given)
	}
	for p, err := range r.bypass.ReadBars(ctx, q) {
		if err == nil && p.State != nil {
			r.store.endOlderBelief(r.query.Key, p.State.Version)
			err = r.moveTo(p.State)
		}
		if err != nil {
			return err
		}
		piece := ports.Piece[ports.CachedBars]{Rows: ports.CachedBars{Bars: p.Rows}, Unreadable: p.Unreadable}
		if (p.Rows.Len() > 0 || len(p.Unreadable) > 0) && !r.putPiece(piece) {
			return nil
		}
	}

	return nil
}
