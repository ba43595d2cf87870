package chunks_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/app/chunks"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A thousand callers on one cold chunk are one read, whichever moment they come at, and the first may leave.
func TestStampede(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const callers = 1_000
		s := setup(t, chunks.Config{})
		s.put(t, makeBars(t, 0, 4_096, 1))
		s.under.before = func(context.Context, ports.BarQuery) error {
			time.Sleep(time.Second)
			return nil
		}
		first, cancel := context.WithCancel(t.Context())
		var left error
		var asking sync.WaitGroup
		asking.Go(func() { _, left = collect(first, s, query(minutes(0, 100))) })
		synctest.Wait()
		failed := make([]error, callers)
		for i := range callers {
			asking.Go(func() {
				time.Sleep(time.Duration(i) * 2 * time.Millisecond) // half of them come after the answer
				got, err := collect(t.Context(), s, query(minutes(i, i+100)))
				if err == nil && got.Len() != 100 {
					err = errors.New(got.String())
				}
				failed[i] = err
			})
		}
		time.Sleep(500 * time.Millisecond)
		cancel()
		asking.Wait()
		if !errors.Is(left, context.Canceled) {
			t.Errorf("who left got %v", left)
		}
		if err := errors.Join(failed...); err != nil {
			t.Error(err)
		}
		s.reads(t, 1)
	})
}

// Callers whose ranges overlap share what is under way: each chunk is read once.
func TestOverlappingCallersShareReads(t *testing.T) {
	t.Parallel()
	s := setup(t, chunks.Config{ReadAhead: none()})
	const total = 40
	all := makeBars(t, 0, total*4_096, 1)
	s.put(t, all)
	for round := range 4 {
		s.Invalidate(t.Context(), key, all.Range())
		before := s.under.bars.Load()
		var asking sync.WaitGroup
		for i := range 32 {
			asking.Go(func() {
				from := (i * 7) % 30
				got := 0
				for p, err := range s.ReadBars(t.Context(), query(chunkOf(from, 10))).Rows() {
					if err != nil {
						t.Error(err)
					}
					got += p.Len()
				}
				if got != 10*4_096 {
					t.Errorf("got %d bars", got)
				}
			})
		}
		asking.Wait()
		if got := s.under.bars.Load() - before; got > total*4_096 {
			t.Fatalf("round %d: %d bars were read, there are %d", round, got, total*4_096)
		}
	}
}

// A read that nobody waits for any more is cancelled, and leaves nothing behind.
func TestAllCallersLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{})
		s.put(t, makeBars(t, 0, 4_096, 1))
		ended := make(chan error, 1)
		s.under.before = func(ctx context.Context, _ ports.BarQuery) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return ctx.Err()
		}
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		for range 3 {
			asking.Go(func() { _, _ = collect(ctx, s, query(minutes(0, 100))) })
		}
		synctest.Wait()
		cancel()
		asking.Wait()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("the store's read ended with %v", err)
		}
		synctest.Wait()
		s.under.mu.Lock()
		s.under.before = nil
		s.under.mu.Unlock()
		s.same(t, query(minutes(0, 100)))
	})
}

// The store's own limit ends a read that hangs, for all who wait.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := setup(t, chunks.Config{ReadTimeout: 5 * time.Second})
		s.under.before = func(ctx context.Context, _ ports.BarQuery) error {
			<-ctx.Done()
			return &ports.Error{Kind: ports.ErrTimeout, Op: "read bars", Err: ctx.Err()}
		}
		began := time.Now()
		_, err := collect(t.Context(), s, query(minutes(0, 100)))
		if took := time.Since(began); !errors.Is(err, ports.ErrTimeout) || took != 5*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

// Close may come while somebody reads: what was begun ends, and what begins later is read from the store.
func TestCloseBesideReads(t *testing.T) {
	t.Parallel()
	level := near(t)
	for i := range 50 {
		s := setupWith(t, chunks.Config{Name: domain.StoreName(strconv.Itoa(i))}, level, nil)
		s.put(t, makeBars(t, 0, 100, 1))
		var reading sync.WaitGroup
		for i := range 4 {
			reading.Go(func() { _, _ = collect(t.Context(), s, query(chunkOf(i, 1))) })
		}
		s.Close()
		reading.Wait()
		s.same(t, query(minutes(0, 100)))
	}
}
