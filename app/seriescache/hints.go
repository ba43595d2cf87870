package seriescache

import (
	"context"
	"iter"
	"log/slog"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// maxPendingHints bounds the hints that wait to be sent. More are dropped, because a lease bounds what a lost hint
	// costs.
	maxPendingHints = 4096

	// hintTimeout bounds the sending of hints, for which Close waits.
	hintTimeout = 2 * time.Second

	// resubscribe is how long Watch waits after a lost subscription.
	resubscribe = time.Second
)

// hint tells other processes of a write, soon. It does not wait.
func (s *Store) hint(h ports.Hint) {
	if s.hints == nil {
		return
	}

	select {
	case s.pending <- h:
	default:
		s.stats.hintsLost.Add(1)
	}
}

// sendHints sends the pending hints, those that wait together, until Close and then those that are left: a command
// that writes and ends tells of its writes, too.
func (s *Store) sendHints() {
	for {
		select {
		case h := <-s.pending:
			s.sendTogether(s.takePending(h))
		case <-s.closed.Done():
			select {
			case h := <-s.pending:
				s.sendTogether(s.takePending(h))
			default:
			}

			return
		}
	}
}

// takePending returns first and the hints that wait behind it, one of each series.
func (s *Store) takePending(first ports.Hint) []ports.Hint {
	hints := []ports.Hint{first}
	places := map[domain.SeriesKey]int{first.Key: 0}
	for {
		select {
		case h := <-s.pending:
			i, found := places[h.Key]
			if !found {
				places[h.Key] = len(hints)
				hints = append(hints, h)
				continue
			}
			hints[i].Range = hints[i].Range.Hull(h.Range)
		default:
			return hints
		}
	}
}

func (s *Store) sendTogether(hints []ports.Hint) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.closed), hintTimeout)
	defer cancel()
	if err := s.hints.Publish(ctx, hints...); err != nil {
		s.stats.hintsLost.Add(int64(len(hints)))
		s.cfg.Logger.Warn("other processes were not told of a write; they see it when their lease ends",
			slog.String("store", string(s.cfg.Name)), slog.Int("series", len(hints)), slog.Any("error", err))
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
func (s *Store) apply(hints iter.Seq2[ports.Hint, error]) error {
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
