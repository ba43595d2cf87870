// Package asynclog makes loggers that never block their callers.
package asynclog

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	// capacity is how many messages wait for a slow handler before further ones are discarded.
	capacity = 1024

	// maxFlush is how long closing waits until the handler has the messages that wait.
	maxFlush = 250 * time.Millisecond
)

// New returns a logger that gives its messages to the handler of next on a goroutine of its own, so that a handler that
// blocks delays no caller. At most 1024 messages wait; further ones are discarded, and counted in a later message. A
// panic of the handler is recovered and discards its message. The handler's Enabled runs in the caller's goroutine.
//
// The returned function ends the goroutine once the handler has the messages that wait. It waits for at most 250 ms; a
// handler that blocks for longer keeps the goroutine until it returns. Messages that come later are discarded. A nil
// logger stays nil.
func New(next *slog.Logger) (logger *slog.Logger, closeLogger func()) {
	if next == nil {
		return nil, func() {}
	}

	q := &queue{messages: make(chan message, capacity), closing: make(chan struct{}), done: make(chan struct{})}
	go q.run()

	return slog.New(&handler{next: next.Handler(), queue: q}), q.close
}

// handler is a slog.Handler that puts each record into a queue.
type handler struct {
	next  slog.Handler
	queue *queue
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler. It never fails.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	h.queue.put(message{context.WithoutCancel(ctx), h.next, r.Clone()})
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{next: h.next.WithAttrs(attrs), queue: h.queue}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{next: h.next.WithGroup(name), queue: h.queue}
}

// message is a record for a handler.
type message struct {
	ctx    context.Context //nolint:containedctx // of the call that logged, whose values the handler may read
	to     slog.Handler
	record slog.Record
}

// queue has the messages that wait. It is safe for concurrent use.
type queue struct {
	messages  chan message
	discarded atomic.Int64 // since the last message that said so

	closing, done chan struct{}
}

func (q *queue) put(m message) {
	select {
	case q.messages <- m:
	default:
		q.discarded.Add(1)
	}
}

// run handles the messages until the queue is closed, and then those that still wait.
func (q *queue) run() {
	defer close(q.done)
	for {
		select {
		case m := <-q.messages:
			q.handle(m)
		case <-q.closing:
			for range len(q.messages) {
				q.handle(<-q.messages)
			}

			return
		}
	}
}

// handle gives a message to its handler, after one that tells how many were discarded.
func (q *queue) handle(m message) {
	defer func() {
		if recover() != nil {
			q.discarded.Add(1)
		}
	}()
	if n := q.discarded.Swap(0); n > 0 {
		const text = "log messages were discarded, because the logger was too slow or panicked"
		r := slog.NewRecord(time.Now(), slog.LevelWarn, text, 0)
		r.AddAttrs(slog.Int64("messages", n))
		_ = m.to.Handle(m.ctx, r)
	}

	_ = m.to.Handle(m.ctx, m.record) // nobody is left to get an error
}

func (q *queue) close() {
	close(q.closing)
	timer := time.NewTimer(maxFlush)
	defer timer.Stop()

	select {
	case <-q.done:
	case <-timer.C:
	}
}
