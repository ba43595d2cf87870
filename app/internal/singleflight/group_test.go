package singleflight_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/app/internal/singleflight"
)

func TestConcurrentCallersShareOneComputation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g singleflight.Group[string, int]
		var computed, shared atomic.Int64
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				value, joined, err := g.Do(t.Context(), "a", func(context.Context) (int, error) {
					time.Sleep(time.Second)
					return int(computed.Add(1)), nil
				})
				if value != 1 || err != nil {
					t.Errorf("got %d, %v", value, err)
				}
				if joined {
					shared.Add(1)
				}
			})
		}
		callers.Wait()
		if computed.Load() != 1 || shared.Load() != 99 {
			t.Errorf("computed %d times, shared %d times", computed.Load(), shared.Load())
		}
	})
}

func TestAnInterruptedCallerLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g singleflight.Group[string, int]
		compute := func(ctx context.Context) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Minute):
				return 7, nil
			}
		}

		var callers sync.WaitGroup
		callers.Go(func() { // the first caller, whose context ends first
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, _, err := g.Do(ctx, "a", compute); !errors.Is(err, singleflight.ErrInterrupted) {
				t.Errorf("interrupted: got %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			if value, shared, err := g.Do(t.Context(), "a", compute); value != 7 || !shared || err != nil {
				t.Errorf("patient: got %d, %t, %v", value, shared, err)
			}
		})
		callers.Wait()
	})
}

func TestAComputationThatNobodyWaitsForIsCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g singleflight.Group[string, int]
		canceled := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _, err := g.Do(ctx, "a", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			close(canceled)
			return 0, ctx.Err()
		})
		if !errors.Is(err, singleflight.ErrInterrupted) {
			t.Errorf("got %v", err)
		}
		<-canceled

		value, shared, err := g.Do(t.Context(), "a", func(context.Context) (int, error) { return 3, nil })
		if value != 3 || shared || err != nil {
			t.Errorf("the next caller: got %d, %t, %v", value, shared, err)
		}
	})
}
