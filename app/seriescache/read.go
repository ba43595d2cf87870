package seriescache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// maxAttempts bounds how often a result is put together while the series changes, before it is read from the store in
// one snapshot.
const maxAttempts = 2

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

	pieces := s.ReadCachedBars(ctx, q, 0)

	return func(yield func(ports.Piece[domain.Series], error) bool) {
		pieces(func(p ports.Piece[blockcache.Bars], err error) bool {
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

// ReadCachedBars implements blockcache.Reader. Pieces share their bars with the cache. A range of more than MaxBlocks
// comes from the store.
func (s *Store) ReadCachedBars(
	ctx context.Context, q ports.BarQuery, maxStale time.Duration,
) ports.Sequence[blockcache.Bars] {
	var used atomic.Bool
	return func(yield func(ports.Piece[blockcache.Bars], error) bool) {
		if used.Swap(true) {
			yield(noPiece, s.failure(ports.ErrInvalid, "read bars", q.Key.String(), errUsed))
			return
		}

		r := newReading(s, q)
		r.maxStale = maxStale
		pieces, err := r.collect(ctx)
		_, isUnreadable := errors.AsType[*domain.RuleError](err) // no block of it is cached
		switch {
		case errors.Is(err, errBypass), isUnreadable && q.ReportUnreadable:
			r.yieldStored(ctx, yield)
		case err != nil:
			yield(noPiece, err)
		default:
			r.yieldPieces(ctx, pieces, yield)
		}
	}
}

// noPiece is beside an error.
var noPiece ports.Piece[blockcache.Bars]

// reading is one query under way.
type reading struct {
	store    *Store
	query    ports.BarQuery
	layout   domain.BlockLayout
	maxStale time.Duration       // age of a state that is allowed while the store cannot be asked
	state    *domain.SeriesState // nil before it is known
}

func newReading(s *Store, q ports.BarQuery) reading {
	return reading{store: s, query: q, layout: domain.BarBlocks(q.Key.Grid)}
}

// yieldPieces yields the pieces, the first one with the state; an empty one where there is none.
func (r *reading) yieldPieces(
	ctx context.Context, pieces []blockcache.Bars, yield func(ports.Piece[blockcache.Bars], error) bool,
) {
	if len(pieces) == 0 {
		pieces = []blockcache.Bars{{Bars: domain.EmptySeries(r.query.Key), Cached: true}}
	}
	state := r.store.callerState(r.state)
	for _, p := range pieces {
		if !yield(ports.Piece[blockcache.Bars]{Rows: p, State: state}, nil) {
			return
		}
		if ctx.Err() != nil {
			yield(noPiece, r.store.interruption(ctx, "read bars", r.query.Key))
			return
		}
		state = nil
	}
}

// yieldStored yields the result as the store has it, in one snapshot.
func (r *reading) yieldStored(ctx context.Context, yield func(ports.Piece[blockcache.Bars], error) bool) {
	s := r.store
	s.stats.bypassed.Add(1)
	if s.unversioned != nil {
		defer s.drop(r.query.Key) // the caller compares the coverage after the read
	}
	for p, err := range s.next.ReadBars(ctx, r.query) {
		if p.State != nil {
			s.endOlderBelief(r.query.Key, p.State.Version)
		}

		rows := blockcache.Bars{Bars: p.Rows}
		if !yield(ports.Piece[blockcache.Bars]{Rows: rows, State: p.State, Unreadable: p.Unreadable}, err) || err != nil {
			return
		}
	}
}

// collect returns the pieces of the result, and sets the state that they are of. They are of one state, because all are
// there before the first is yielded: where the series changes meanwhile, collect begins again.
func (r *reading) collect(ctx context.Context) ([]blockcache.Bars, error) {
	if ctx.Err() != nil {
		return nil, r.store.interruption(ctx, "read bars", r.query.Key)
	}
	if r.store.closed.Err() != nil {
		return nil, errBypass
	}

	for range maxAttempts {
		pieces, err := r.collectOnce(ctx)
		if !errors.Is(err, access.ErrStateChanged) {
			return pieces, err
		}

		r.store.stats.conflicts.Add(1)
		r.store.states.drop(r.query.Key)
	}

	return nil, errBypass
}

// collectOnce takes blocks from the end that is read first, until they have as many bars as the query wants.
func (r *reading) collectOnce(ctx context.Context) ([]blockcache.Bars, error) {
	var found []blockcache.Bars
	var seen domain.Range
	need := r.need()
	for open, size := r.query.Range, int64(1); ; size *= 8 {
		part, before := r.nearest(open, need, size), r.state
		seen = seen.Hull(part)
		if err := r.takeState(ctx, seen); err != nil {
			return nil, err
		}
		if size > 1 && r.state.Version != before.Version {
			return nil, access.ErrStateChanged // the blocks found so far are of the state before
		}

		blocks := r.state.BlocksWithin(r.layout, part)
		for len(blocks) > 0 && need > 0 {
			var next []domain.BlockState
			next, blocks = access.TakeBlocks(r.layout, blocks, r.query, need)
			if len(found)+len(next) > r.store.cfg.MaxBlocks {
				return nil, errBypass
			}

			pieces, err := r.load(ctx, next)
			if err != nil {
				return nil, err
			}

			pieces, need = r.limit(pieces, need)
			if r.query.Last > 0 {
				pieces, found = found, pieces
			}
			found = append(found, pieces...)
		}
		if open = r.remainder(open, part); need == 0 || open.Empty() {
			return found, nil
		}
	}
}

// takeState takes the state of the series with the blocks of within and of what the query wants of the state.
func (r *reading) takeState(ctx context.Context, within domain.Range) (err error) {
	other := r.query.State
	r.state, err = r.store.stateOrStale(ctx, r.query.Key, within, r.maxStale)
	if err == nil && !other.Range.Empty() && r.state.Version != other.Known {
		r.state, err = r.store.stateOrStale(ctx, r.query.Key, within.Hull(other.Range), r.maxStale)
	}
	if err == nil && r.store.isForeign(r.state) {
		err = errBypass
	}

	return err
}
