package chunks

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// maxDeletes is how many chunks are deleted one by one; those of a longer range are no longer believed instead, in this process.
const maxDeletes = 1 << 15

// WriteBars writes to the store and invalidates the chunks of the bars; not those of the rest of the claim, which stays empty.
func (s *Store) WriteBars(ctx context.Context, bars domain.Series, claim domain.Range) (ports.WriteReport, error) {
	return s.write(ctx, bars.Key(), bars.Range(), func() (ports.WriteReport, error) { return s.next.WriteBars(ctx, bars, claim) })
}

// ReplaceBars replaces in the store and invalidates the chunks of the range.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	touched := r
	if from, to := cutOf(bars.Key().Grid).span(r); to-from > maxDeletes { // only where bars can be
		if held, err := s.next.Extents(ctx, bars.Key().Symbol); err == nil {
			touched = reach(held, bars, r)
		}
	}
	return s.write(ctx, bars.Key(), touched, func() (ports.WriteReport, error) { return s.next.ReplaceBars(ctx, bars, r) })
}

// reach is from the first to the last of what is held of the key and of the bars, within r.
func reach(held []domain.Extent, bars domain.Series, r domain.Range) domain.Range {
	span := bars.Range()
	for _, e := range held {
		if e.Key != bars.Key() {
			continue
		}
		if span.Empty() || e.Range.Start.Before(span.Start) {
			span.Start = e.Range.Start
		}
		if e.Range.End.After(span.End) {
			span.End = e.Range.End
		}
	}
	return span.Intersect(r)
}

// write runs the write and makes what it touched untrue. One that changed nothing leaves the cache as it is; one that failed may
// have been done all the same, or may still be.
func (s *Store) write(
	ctx context.Context, key domain.SeriesKey, touched domain.Range, do func() (ports.WriteReport, error),
) (report ports.WriteReport, err error) {
	state, symbol := s.states.of(key), s.held.state(key.Symbol)
	state.begin(key)
	defer state.end(key)
	symbol.begin(allOf(key.Symbol))
	defer symbol.end(allOf(key.Symbol))
	done := false
	defer func() {
		ctx := context.WithoutCancel(ctx)
		s.forgetHeld(key.Symbol) // also where no bar changed: more may be claimed
		switch changed := report.Inserted + report.Changed + report.Deleted; {
		case errors.Is(err, ports.ErrInvalid):
		case done && err == nil && changed == 0:
		case done && err == nil:
			s.forget(ctx, key, touched)
			s.publish(ctx, key, touched)
		default:
			state.suspect()
			symbol.suspect()
			s.forget(ctx, key, touched)
			s.publish(ctx, key, touched)
		}
	}()
	report, err = do()
	done = true
	return report, err
}

// Invalidate makes untrue what was read of the series in the ranges: for writes that did not come through this Store.
func (s *Store) Invalidate(ctx context.Context, key domain.SeriesKey, ranges ...domain.Range) {
	state := s.states.of(key)
	state.begin(key)
	defer state.end(key)
	s.forgetHeld(key.Symbol)
	for _, r := range ranges {
		s.forget(ctx, key, r)
	}
}

// forget deletes the chunks of the range, but of what is not settled yet it only stops believing the tails: a live recorder
// writes there all the time.
func (s *Store) forget(ctx context.Context, key domain.SeriesKey, r domain.Range) {
	if r.Empty() {
		return
	}
	state, g := s.states.of(key), key.Grid
	horizon := s.horizon(g, s.clock.Now())
	c := cutOf(g)
	from, to := c.span(r.Intersect(domain.Range{Start: r.Start, End: horizon}))
	long := to-from > maxDeletes
	state.touch(func(now int64, d *distrust) {
		if long {
			d.whole = now
		}
		if r.End.After(horizon) {
			d.tails = now
		}
	})
	s.stats.invalidated.Add(to - from)
	if long {
		return
	}
	const atOnce = 1024
	for ; from < to; from += atOnce {
		keys := make([]ports.ChunkKey, 0, min(atOnce, to-from))
		for i := from; i < min(from+atOnce, to); i++ {
			keys = append(keys, s.key(key, c, i))
		}
		s.caches.All.Delete(ctx, keys...)
	}
}

func (s *Store) publish(ctx context.Context, key domain.SeriesKey, r domain.Range) {
	if s.notices == nil || r.Empty() {
		return
	}
	if err := s.notices.Publish(ctx, ports.Invalidation{Store: s.cfg.Name, Key: key, Range: r}); err != nil {
		s.stats.unpublished.Add(1)
		s.cfg.Logger.Warn("invalidation was not published", slog.String("store", s.cfg.Name), slog.String("subject", key.String()),
			slog.Any("error", err))
	}
}

// resubscribe is how long Follow waits after a lost subscription.
const resubscribe = time.Second

// Follow applies the invalidations of other processes until ctx is done, whose error it returns. Before it hears them, and after the
// connection was lost until it hears them again, nothing is answered from the cache nor kept in it; then what was read before is not
// believed. At most one Follow runs at a time.
func (s *Store) Follow(ctx context.Context) error {
	if s.notices == nil || s.following.Swap(true) {
		return &ports.Error{Kind: ports.ErrInvalid, Op: "follow invalidations", Store: s.cfg.Name}
	}
	defer s.following.Store(false)
	for heard := false; ; {
		changes, err := s.notices.Subscribe(ctx)
		if err == nil {
			if heard { // before, nothing was kept here; what others keep, they see to themselves
				s.distrust()
			}
			heard = true
			err = s.hear(ctx, changes)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.firstTry.Do(func() { close(s.tried) })
		if !s.deaf.Swap(true) {
			s.cfg.Logger.Warn("the writes of other processes are not heard; the cache is not used until they are",
				slog.String("store", s.cfg.Name), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(resubscribe):
		}
	}
}

// hear applies the invalidations of one subscription.
func (s *Store) hear(ctx context.Context, changes iter.Seq2[ports.Invalidation, error]) error {
	s.hears.Store(true)
	s.deaf.Store(false)
	s.firstTry.Do(func() { close(s.tried) })
	defer s.hears.Store(false)
	for change, err := range changes {
		if err != nil {
			return err
		}
		if change.Store == s.cfg.Name && change.Key.Validate() == nil {
			s.Invalidate(ctx, change.Key, change.Range)
		}
	}
	return nil
}

// Tried is closed once Follow hears the others for the first time, or failed to: whoever waits for it begins with a cache that is used,
// if it can be.
func (s *Store) Tried() <-chan struct{} { return s.tried }

// live reports whether the cache may be used: until Close, where this Store would be told of others' writes, or there are no others.
func (s *Store) live() bool { return s.closed.Err() == nil && (s.notices == nil || s.hears.Load()) }

// distrust stops believing everything that was read so far.
func (s *Store) distrust() {
	for _, all := range []*states{&s.states, &s.held.states} {
		for i := range all.all {
			all.all[i].touch(func(now int64, d *distrust) { d.whole = now })
		}
	}
}
