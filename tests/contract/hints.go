package contract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// HintsSubject is an implementation of blockcache.Hints, opened for one law.
type HintsSubject struct {
	Peers []blockcache.Hints // at least three connected values, each for one process

	// Held returns the number of connections of the subscriptions of all peers.
	Held func(ctx context.Context) (int, error)

	// Cut closes the connections of all active subscriptions, as a restart of the server does. New subscriptions work.
	Cut func(ctx context.Context) error
}

// Hints tests an implementation against every law of blockcache.Hints. open must return peers that share no
// state with those of other calls, register their closing with tb.Cleanup, and be safe for concurrent use.
func Hints(t *testing.T, open func(tb testing.TB) HintsSubject) {
	t.Helper()
	hintSuite.run(t, open, Profile{})
}

// change returns the i-th of changes that all differ.
func change(i int) blockcache.Hint {
	return blockcache.Hint{Store: "postgres", Key: key, Range: span(i, i+1)}
}

func changes(from, to int) []blockcache.Hint {
	var list []blockcache.Hint
	for i := from; i < to; i++ {
		list = append(list, change(i))
	}

	return list
}

func sameChange(a, b blockcache.Hint) bool {
	return a.Store == b.Store && a.Key == b.Key && a.Range.Equal(b.Range)
}

// subscription is a sequence that can be read step by step.
type subscription struct {
	next func() (blockcache.Hint, error, bool)
	stop func()
}

// subscribe subscribes a peer; the caller must stop the subscription.
func subscribe(ctx context.Context, p blockcache.Hints) (*subscription, error) {
	heard, err := p.Subscribe(ctx)
	if err != nil {
		return nil, fmt.Errorf("Subscribe got an error, want none: %w", err)
	}

	s := &subscription{}
	s.next, s.stop = iter.Pull2(heard)

	return s, nil
}

// wants fails unless these are the next changes.
func (s *subscription) wants(want ...blockcache.Hint) error {
	for i, w := range want {
		got, err, ok := s.next()
		if !ok {
			return fmt.Errorf("Subscribe got the end of its sequence after %d of %d changes, want the next change", i, len(want))
		}
		if err != nil {
			return fmt.Errorf("Subscribe got an error after %d of %d changes, want the next change: %w", i, len(want), err)
		}
		if !sameChange(got, w) {
			return fmt.Errorf("Subscribe, change %d of %d: want %+v, got %+v", i, len(want), w, got)
		}
	}

	return nil
}

// ends returns the error that the sequence ends with; a change before it, or a pair after it, is a failure.
func (s *subscription) ends() (ended, fault error) {
	got, ended, ok := s.next()
	switch {
	case !ok:
		return nil, errors.New("Subscribe got the end of its sequence without an error, want one")
	case ended == nil:
		return nil, fmt.Errorf("Subscribe got %+v, want no change, because nobody published", got)
	}
	if _, _, ok := s.next(); ok {
		return nil, fmt.Errorf("Subscribe got more after the error, want the end of its sequence: %w", ended)
	}

	return ended, nil
}

// listening runs check on a subscription of the peer.
func listening(ctx context.Context, p blockcache.Hints, check func(s *subscription) error) error {
	s, err := subscribe(ctx, p)
	if err != nil {
		return err
	}

	defer s.stop()

	return check(s)
}

// wantHeld waits until the subscriptions have the given number of connections, because a server notices a closed
// connection with a delay.
func (s HintsSubject) wantHeld(ctx context.Context, want int) error {
	const limit, pause = 10 * time.Second, 5 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for tick := time.Tick(pause); ; {
		held, err := s.Held(ctx)
		if held == want && err == nil {
			return nil
		}

		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s got %d connections of subscriptions, want %d; Held: %s", limit, held, want, errorText(err))
		case <-tick:
		}
	}
}

// endsInTime fails unless a waiting subscription ends in time, with the error of its context, after a cancellation.
func endsInTime(ctx context.Context, p blockcache.Hints) error {
	var took time.Duration
	for range cancelTries {
		waiting, cancel := context.WithCancel(ctx)
		err := listening(waiting, p, func(s *subscription) error {
			const later = 20 * time.Millisecond // usually it waits by then; the law holds in any case
			canceled := make(chan time.Time, 1)
			time.AfterFunc(later, func() {
				canceled <- time.Now()
				cancel()
			})
			ended, fault := s.ends()
			if fault == nil && !errors.Is(ended, context.Canceled) {
				fault = fmt.Errorf("Subscribe got %s at its end, want context.Canceled", errorText(ended))
			}
			if fault == nil {
				took = time.Since(<-canceled)
			}

			return fault
		})
		cancel()
		if err != nil || took <= cancelLimit {
			return err
		}
	}

	return fmt.Errorf("Subscribe got its end %s after that of its context, in the last of %d tries, want %s", took, cancelTries, cancelLimit)
}

// everySort returns changes of all kinds of series and ranges.
func everySort() []blockcache.Hint {
	var list []blockcache.Hint
	add := func(store domain.StoreName, k domain.SeriesKey, r domain.Range) {
		list = append(list, blockcache.Hint{Store: store, Key: k, Range: r})
	}
	for _, symbol := range hostile {
		add("postgres", minuteKey(symbol), span(0, 1))
	}
	for _, kind := range []domain.PriceType{
		domain.PriceTrade, domain.PriceBid, domain.PriceAsk, domain.PriceMid, domain.PriceMark, domain.PriceIndex,
	} {
		add("influx", domain.SeriesKey{Symbol: "BTC/USD", Grid: must(domain.NewGrid(domain.Day1, "America/New_York")), PriceType: kind}, always)
	}

	add("postgres", minuteKey("BTC/USD"), domain.Range{}) // without a changed bar
	micro := domain.Range{Start: start.Add(time.Microsecond), End: start.Add(2 * time.Microsecond)}
	far := domain.Range{Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)}
	for _, store := range []domain.StoreName{"", "a \"store\"", `'; NOTIFY x; --`, "lager für $1 %s\n"} {
		add(store, key, micro)
		add(store, key, far)
	}

	return list
}
