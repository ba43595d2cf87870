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
	held, _ := s.LocalExtents(bars.Key().Symbol)
	before := claimed(ofKey(held, bars.Key()), claim)
	return s.write(ctx, bars.Key(), bars.Range(), before, func() (ports.WriteReport, error) { return s.next.WriteBars(ctx, bars, claim) })
}

// ReplaceBars replaces in the store and invalidates the chunks of the range.
func (s *Store) ReplaceBars(ctx context.Context, bars domain.Series, r domain.Range) (ports.WriteReport, error) {
	touched := r
	if from, to := domain.BarBlocks(bars.Key().Grid).Span(r); to-from > maxDeletes { // only where bars can be
		if held, err := s.next.Extents(ctx, bars.Key().Symbol); err == nil {
			touched = reach(held, bars, r)
		}
	}
	held, _ := s.LocalExtents(bars.Key().Symbol)
	before := bars.Len() > 0 && claimed(ofKey(held, bars.Key()), r)

	return s.write(ctx, bars.Key(), touched, before, func() (ports.WriteReport, error) { return s.next.ReplaceBars(ctx, bars, r) })
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

// write runs the write and makes what it touched untrue. One that changed nothing leaves the bars in the cache as they are, and others
// hear of it only where it may have changed what is claimed; one that failed may have been done all the same, or may still be.
func (s *Store) write(
	ctx context.Context, key domain.SeriesKey, touched domain.Range, claimed bool, do func() (ports.WriteReport, error),
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
		change := ports.Invalidation{Store: s.cfg.Name, Key: key, Range: touched}
		switch changed := report.Inserted + report.Changed + report.Deleted; {
		case done && err == nil && changed == 0 && claimed:
			return
		case done && err == nil && changed == 0, errors.Is(err, ports.ErrInvalid):
			change.Range.End = change.Range.Start
		case done && err == nil:
		default:
			change.OutcomeUnknown = true
			state.suspect()
			symbol.suspect()
		}
		s.forget(ctx, key, change.Range)
		s.publish(ctx, change)
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
	state, g, skew := s.states.of(key), key.Grid, s.skew()
	now := s.clock.Now()
	c := domain.BarBlocks(g)
	from, to := c.Span(r.Intersect(domain.Range{Start: r.Start, End: s.horizon(g, now.Add(skew))})) // also what others take for settled
	long := to-from > maxDeletes
	state.touch(func(at ports.WallMicros, d *distrust) {
		at += ports.WallMicros(skew.Microseconds())
		if long {
			d.whole = at
		}
		if r.End.After(s.horizon(g, now.Add(-skew))) {
			d.tails = at
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

func (s *Store) publish(ctx context.Context, change ports.Invalidation) {
	if s.notices == nil || change.Key.Validate() != nil {
		return
	}
	if err := s.notices.Publish(ctx, change); err != nil {
		s.stats.unpublished.Add(1)
		s.cfg.Logger.Warn("invalidation was not published", slog.String("store", string(s.cfg.Name)), slog.String("subject", change.Key.String()),
			slog.Any("error", err))
	}
}

// resubscribe is how long Follow waits after a lost subscription.
const resubscribe = time.Second

// Follow applies the invalidations of other processes until ctx is done, whose error it returns. Before it hears them, and after the
// connection was lost until it hears them again, nothing is answered from the cache nor kept in it; then what was read before is not
// believed, whoever read it: of a shared cache nobody can tell whether all who wrote reached it. At most one Follow runs at a time.
func (s *Store) Follow(ctx context.Context) error {
	if s.notices == nil || s.following.Swap(true) {
		return &ports.Error{Kind: ports.ErrInvalid, Op: "follow invalidations", Store: s.cfg.Name}
	}
	defer s.following.Store(false)
	for {
		changes, err := s.notices.Subscribe(ctx)
		if err == nil {
			err = s.hear(ctx, changes)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.firstTry.Do(func() { close(s.tried) })
		if !s.deaf.Swap(true) {
			s.cfg.Logger.Warn("the writes of other processes are not heard; the cache is not used until they are",
				slog.String("store", string(s.cfg.Name)), slog.Any("error", err))
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
	s.distrust()
	s.hears.Store(true)
	s.deaf.Store(false)
	s.firstTry.Do(func() { close(s.tried) })
	defer s.hears.Store(false)
	for change, err := range changes {
		if err != nil {
			return err
		}
		if change.Store != s.cfg.Name || change.Key.Validate() != nil {
			continue
		}
		s.Invalidate(ctx, change.Key, change.Range)
		if change.OutcomeUnknown {
			s.states.of(change.Key).suspect()
			s.held.state(change.Key.Symbol).suspect()
		}
	}

	return nil
}

// Tried is closed once Follow hears the others for the first time, or failed to: whoever waits for it begins with a cache that is used,
// if it can be.
func (s *Store) Tried() <-chan struct{} { return s.tried }

// live reports whether the cache may be used: until Close, where this Store would be told of others' writes, or there are no others.
func (s *Store) live() bool { return s.closed.Err() == nil && (s.notices == nil || s.hears.Load()) }

// distrust stops believing everything that was read so far, here and elsewhere.
func (s *Store) distrust() {
	skew := ports.WallMicros(s.skew().Microseconds())
	for _, all := range []*states{&s.states, &s.held.states} {
		for i := range all.all {
			all.all[i].touch(func(now ports.WallMicros, d *distrust) { d.whole = now + skew })
		}
	}
}
