package seriescache

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/gal-friday/marketdata/ports/blockcache"
)

const (
	// maxPendingHints bounds the hints that wait to be sent. More are dropped, because a lease bounds what a lost hint
	// costs.
	maxPendingHints = 4096

	// hintTimeout bounds the sending of hints. Close waits for them no longer than hintCloseTimeout, because a lost hint
	// costs little.
	hintTimeout      = 2 * time.Second
	hintCloseTimeout = 500 * time.Millisecond

	// resubscribe is how long Watch waits after a lost subscription.
	resubscribe = time.Second
)

// hint tells other processes of a write, soon. It does not wait.
func (s *Store) hint(h blockcache.Hint) {
	if s.hints == nil {
		return
	}

	select {
	case s.pending <- h:
	default:
		s.stats.hintsLost.Add(1)
	}
}

// sendHints sends the pending hints until Close, and then those that are left: a command that writes and ends tells of
// its writes, too.
func (s *Store) sendHints() {
	for {
		select {
		case h := <-s.pending:
			s.sendTogether(h)
		case <-s.closed.Done():
			if len(s.pending) > 0 {
				s.sendTogether(<-s.pending)
			}

			return
		}
	}
}

// sendTogether sends a hint and those that wait behind it. Only sendHints calls it, so that no other takes them.
func (s *Store) sendTogether(first blockcache.Hint) {
	hints := []blockcache.Hint{first}
	for len(s.pending) > 0 {
		hints = append(hints, <-s.pending)
	}

	ctx, cancel := context.WithTimeout(s.sending, hintTimeout)
	defer cancel()
	if err := s.hints.Publish(ctx, hints...); err != nil {
		s.stats.hintsLost.Add(int64(len(hints)))
		s.cfg.Logger.Warn("other processes were not told of a write; they see it when their lease ends",
			slog.String("store", string(s.cfg.Name)), slog.Int("writes", len(hints)), slog.Any("error", err))
	}
}

// Watch applies the hints of other processes until ctx is done, whose error it returns. Without it, and while the
// subscription is lost, their writes are seen when a lease ends. At most one Watch runs at a time.
func (s *Store) Watch(ctx context.Context) error {
	for {
		hints, err := s.hints.Subscribe(ctx)
		if err == nil {
			err = s.apply(hints)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}

		if !s.disconnected.Swap(true) {
			s.cfg.Logger.Warn("the writes of other processes are seen only when a lease ends, until the connection is back",
				slog.String("store", string(s.cfg.Name)), slog.Any("error", err))
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(resubscribe):
		}
	}
}

// apply applies the hints of one subscription, until its error.
func (s *Store) apply(hints iter.Seq2[blockcache.Hint, error]) error {
	s.disconnected.Store(false)
	if s.unversioned != nil { // hints may have been lost, and there are no versions to tell
		s.unversioned.forgetAll()
		s.states.dropAll()
	}
	for h, err := range hints {
		if err != nil {
			return err
		}
		if h.Store == s.cfg.Name && h.Key.Validate() == nil {
			s.stats.hints.Add(1)
			s.recordChange(h.Key, h.Range)
		}
	}

	return nil
}
