package breaker_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gal-friday/marketdata/adapters/breaker"
)

var errDown = errors.New("connection refused")

// acquire returns the permit of a call that must be allowed.
func acquire(t *testing.T, b *breaker.Breaker) breaker.Permit {
	t.Helper()
	p, refusal := b.Acquire()
	if refusal != nil {
		t.Fatalf("refused: %v", refusal)
	}

	return p
}

// wantRefused checks that a call is refused, and for how long.
func wantRefused(t *testing.T, b *breaker.Breaker, retryAfter time.Duration) {
	t.Helper()
	if _, refusal := b.Acquire(); refusal == nil || refusal.RetryAfter != retryAfter {
		t.Fatalf("got the refusal %+v, want a retry after %s", refusal, retryAfter)
	}
}

// open opens the breaker by failures.
func open(t *testing.T, b *breaker.Breaker, failures int) {
	t.Helper()
	for range failures {
		acquire(t, b).Fail(errDown)
	}
}

func TestConsecutive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker.Consecutive(3)
		open(t, b, 2)
		acquire(t, b).Succeed()
		open(t, b, 2) // not in a row with the first two
		acquire(t, b).Fail(errDown)
		wantRefused(t, b, breaker.FirstPause)
	})
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		newBreaker := func() *breaker.Breaker { return breaker.Rate(0.5, 20, 10*time.Second) }

		few := newBreaker()
		open(t, few, 19)
		acquire(t, few).Release() // counts for nothing
		acquire(t, few).Fail(errDown)
		wantRefused(t, few, breaker.FirstPause)

		last := newBreaker()
		open(t, last, 19)
		acquire(t, last).Succeed() // the call that makes the failures count is no failure
		wantRefused(t, last, breaker.FirstPause)
		time.Sleep(breaker.FirstPause)
		acquire(t, last).Succeed()
		acquire(t, last).Succeed()
		if refusal := last.Open(); refusal != nil {
			t.Errorf("after a probe: %v", refusal)
		}

		below := newBreaker()
		for range 11 {
			acquire(t, below).Succeed()
		}
		open(t, below, 10)
		acquire(t, below).Fail(errDown) // 11 of 22
		wantRefused(t, below, breaker.FirstPause)

		slow := newBreaker()
		for range 100 {
			acquire(t, slow).Fail(errDown)
			time.Sleep(time.Second)
		}
		if refusal := slow.Open(); refusal != nil {
			t.Errorf("opened by 10 calls in 10 s: %v", refusal)
		}
	})
}

// The pauses double from 100 ms to 5 s as long as probes fail. One probe that succeeds closes the circuit, and the next
// outage begins with the first pause.
func TestProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker.Consecutive(1)
		since := time.Now()
		open(t, b, 1)
		for _, millis := range []int64{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
			pause := time.Duration(millis) * time.Millisecond
			wantRefused(t, b, pause)
			time.Sleep(pause - time.Nanosecond)
			wantRefused(t, b, time.Nanosecond)
			time.Sleep(time.Nanosecond)

			probe := acquire(t, b)
			wantRefused(t, b, breaker.FirstPause) // one at a time
			probe.Fail(errDown)
			probe.Fail(errDown) // reports nothing new
		}

		refusal := b.Open()
		if refusal == nil || !refusal.Since.Equal(since) || !errors.Is(refusal.Last, errDown) ||
			!strings.Contains(refusal.Error(), "2000-01-01T00:00:00Z; the last error: connection refused") {
			t.Fatalf("got %v", refusal)
		}

		time.Sleep(breaker.MaxPause)
		acquire(t, b).Succeed()
		if refusal := b.Open(); refusal != nil {
			t.Fatalf("still open: %v", refusal)
		}
		acquire(t, b).Fail(errDown)
		wantRefused(t, b, breaker.FirstPause)
	})
}

// A probe that says nothing about the server is followed by another one at once, and one that takes long is replaced.
func TestProbeWithoutOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker.Consecutive(1)
		open(t, b, 1)
		time.Sleep(breaker.FirstPause)
		acquire(t, b).Release()
		slow := acquire(t, b)
		wantRefused(t, b, breaker.FirstPause)

		time.Sleep(breaker.MaxPause)
		next := acquire(t, b)
		wantRefused(t, b, breaker.FirstPause)
		slow.Fail(errDown) // too late to count
		next.EndProbe()
		acquire(t, b).Succeed()
	})
}

// A call that began before the circuit opened says nothing about the server since.
func TestLateOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker.Consecutive(2)
		before := [2]breaker.Permit{acquire(t, b), acquire(t, b)}
		open(t, b, 2)
		before[0].Succeed()
		wantRefused(t, b, breaker.FirstPause)
		time.Sleep(breaker.FirstPause)
		probe := acquire(t, b)
		before[1].Succeed()
		wantRefused(t, b, breaker.FirstPause)
		probe.Fail(errDown)
		wantRefused(t, b, 2*breaker.FirstPause)
	})
}

// Of many callers at once, one is the probe.
func TestHammer(t *testing.T) {
	t.Parallel()
	b := breaker.Consecutive(3)
	var probes, most atomic.Int64
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for range 2_000 {
				isOpen := b.Open() != nil
				p, refusal := b.Acquire()
				if refusal != nil {
					continue
				}
				if isOpen {
					n := probes.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					probes.Add(-1)
				}
				p.Fail(errDown)
			}
		})
	}
	callers.Wait()

	if most.Load() > 1 {
		t.Errorf("%d probes at once", most.Load())
	}
	if b.Open() == nil {
		t.Error("closed after failures only")
	}
}

// TestWaitForProbe has callers beside a probe: they get its outcome, or a refusal when they have waited long enough.
func TestWaitForProbe(t *testing.T) {
	t.Parallel()
	const limit = 250 * time.Millisecond
	for name, test := range map[string]struct {
		end       func(breaker.Permit)
		after     time.Duration // the probe ends
		waited    time.Duration
		isAllowed bool
	}{
		"success": {breaker.Permit.Succeed, 200 * time.Millisecond, 200 * time.Millisecond, true},
		"failure": {func(p breaker.Permit) { p.Fail(errDown) }, 200 * time.Millisecond, 200 * time.Millisecond, false},
		"late":    {breaker.Permit.Succeed, time.Second, limit, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := breaker.Consecutive(1)
				open(t, b, 1)
				if _, refusal := b.AcquireWithin(t.Context(), limit); refusal == nil || refusal.RetryAfter != breaker.FirstPause {
					t.Fatalf("without a probe: %+v", refusal)
				}

				time.Sleep(breaker.FirstPause)
				probe := acquire(t, b)
				time.AfterFunc(test.after, func() { test.end(probe) })
				begin := time.Now()
				permit, refusal := b.AcquireWithin(t.Context(), limit)
				if (refusal == nil) != test.isAllowed || time.Since(begin) != test.waited {
					t.Errorf("after %s: %v", time.Since(begin), refusal)
				}
				if test.isAllowed {
					permit.Succeed()
				}
				time.Sleep(test.after)
			})
		})
	}
}

func TestCanceledWaitForProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := breaker.Consecutive(1)
		open(t, b, 1)
		time.Sleep(breaker.FirstPause)
		acquire(t, b)

		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begin := time.Now()
		if _, refusal := b.AcquireWithin(ctx, time.Hour); refusal == nil || time.Since(begin) != time.Millisecond {
			t.Errorf("after %s: %v", time.Since(begin), refusal)
		}
	})
}
