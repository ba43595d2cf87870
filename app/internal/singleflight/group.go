// Package singleflight lets concurrent callers that need the same value share one computation of it. Unlike
// golang.org/x/sync/singleflight, a caller that is interrupted leaves the others alone, and a computation that no
// caller waits for any more is canceled.
package singleflight

import (
	"context"
	"errors"
	"sync"
)

// ErrInterrupted is returned to a caller whose context was done first. The context tells why.
var ErrInterrupted = errors.New("interrupted while waiting for a shared result")

// Group shares computations by key. The zero value is ready to use. It is safe for concurrent use.
type Group[K comparable, T any] struct {
	// Go starts a computation. Nil starts a plain goroutine.
	Go func(func())

	mu      sync.Mutex
	running map[K]*flight[T]
}

// flight is a computation under way. value and err are set before done is closed.
type flight[T any] struct {
	done    chan struct{}
	value   T
	err     error
	waiting int // callers, under Group.mu; the flight is canceled when the last one leaves
	cancel  context.CancelFunc
}

// Do returns the result of compute for the key. Where another caller's computation is under way it waits for that, and
// shared is true. compute runs on its own goroutine, with the values of the first caller's context but not its
// deadline: its context ends when no caller waits any more. compute must not panic.
func (g *Group[K, T]) Do(
	ctx context.Context, key K, compute func(context.Context) (T, error),
) (value T, shared bool, err error) {
	f, shared := g.join(ctx, key, compute)
	select {
	case <-f.done:
		g.leave(key, f)
		return f.value, shared, f.err
	case <-ctx.Done():
		g.leave(key, f)
		return value, shared, ErrInterrupted
	}
}

// join finds the flight of the key, or starts it.
func (g *Group[K, T]) join(
	ctx context.Context, key K, compute func(context.Context) (T, error),
) (f *flight[T], shared bool) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if f = g.running[key]; f != nil {
		f.waiting++
		return f, true
	}

	f = &flight[T]{done: make(chan struct{}), waiting: 1}
	if g.running == nil {
		g.running = map[K]*flight[T]{}
	}
	g.running[key] = f

	var detached context.Context
	detached, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	run := func() {
		defer f.cancel()
		f.value, f.err = compute(detached)

		g.mu.Lock()
		defer g.mu.Unlock()
		g.forget(key, f)
		close(f.done)
	}
	if g.Go != nil {
		g.Go(run)
	} else {
		go run()
	}

	return f, false
}

// leave ends the waiting of one caller. Later callers start anew where nobody waits for the flight.
func (g *Group[K, T]) leave(key K, f *flight[T]) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if f.waiting--; f.waiting == 0 {
		f.cancel()
		g.forget(key, f)
	}
}

func (g *Group[K, T]) forget(key K, f *flight[T]) {
	if g.running[key] == f {
		delete(g.running, key)
	}
}
