package chunks

import (
	"context"
	"fmt"
	"sync"
)

// shared is questions under way, so that each is asked once however many want to know.
type shared[K comparable, T any] struct {
	mu      sync.Mutex
	running map[K]*question[T]
}

// question is one under way. value and err are set when done is closed.
type question[T any] struct {
	done    chan struct{}
	value   T
	err     error
	waiting int // under shared.mu; without any it is cancelled
	cancel  context.CancelFunc
}

// do asks, or waits for who asked before. left says that ctx was done first.
func (q *shared[K, T]) do(ctx context.Context, s *Store, key K, ask func(context.Context) (T, error)) (value T, err error, left bool) {
	q.mu.Lock()
	a := q.running[key]
	if a == nil {
		a = &question[T]{done: make(chan struct{})}
		if q.running == nil {
			q.running = map[K]*question[T]{}
		}
		q.running[key] = a
		var detached context.Context
		detached, a.cancel = context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ReadTimeout)
		s.background(func() {
			defer a.cancel()
			defer context.AfterFunc(s.closed, a.cancel)() //nolint:contextcheck // Close ends it too
			defer func() {
				if v := recover(); v != nil {
					a.err = s.panicked("read extents", fmt.Sprint(key), v)
				}
				q.mu.Lock()
				defer q.mu.Unlock()
				q.forget(key, a)
				close(a.done)
			}()
			a.value, a.err = ask(detached)
		})
	}
	a.waiting++
	q.mu.Unlock()
	select {
	case <-a.done:
	case <-ctx.Done():
		left = true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if a.waiting--; a.waiting == 0 && left {
		a.cancel()
		q.forget(key, a)
	}
	if left {
		return value, nil, true
	}
	return a.value, a.err, false
}

func (q *shared[K, T]) forget(key K, a *question[T]) {
	if q.running[key] == a {
		delete(q.running, key)
	}
}
