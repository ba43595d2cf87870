package chunks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"

	"github.com/gal-friday/marketdata/ports"
)

const (
	// runChunks is how many neighbouring chunks one read of the store takes at most.
	runChunks = 32

	// readsAtOnce is how many reads of the store one query has under way at most.
	readsAtOnce = 4
)

// flights is the chunks being read, so that each is read once however many ask.
type flights struct {
	mu      sync.Mutex
	running map[flightKey]*flight
}

// flightKey tells reads of one chunk apart by the writes before them: who asks after a write does not wait for a read from before.
type flightKey struct {
	ports.ChunkKey
	version uint64
}

// flight is a chunk being read. chunk and err are set when done is closed.
type flight struct {
	key    flightKey
	job    *job
	done   chan struct{}
	chunk  ports.Chunk
	cached bool
	err    error
}

// job is one read of the store, for some flights. It is cancelled when nobody waits for any of them.
type job struct {
	waiting int // under flights.mu: over all flights of the job
	cancel  context.CancelFunc
	flights []*flight // neighbours in order
}

// lack is a chunk that a query needs and the cache has not.
type lack struct {
	key ports.ChunkKey
	at  int // in the query's pieces
}

// together is how many of the chunks to wait for together: those of readsAtOnce reads.
func together(lacking []lack) int {
	runs, length := 1, 1
	for i := 1; i < len(lacking); i++ {
		if length == runChunks || lacking[i].key.Start != lacking[i-1].key.End {
			if runs++; runs > readsAtOnce {
				return i
			}
			length = 0
		}
		length++
	}

	return len(lacking)
}

// load waits for the chunks, by reads of its own and by others' that are under way, and puts them into their places.
func (r *reading) load(ctx context.Context, v *view, lacking []lack, pieces []ports.CachedBars) error {
	joined := r.join(ctx, v, lacking)
	defer r.leave(joined)
	for i, f := range joined {
		select {
		case <-f.done:
		case <-ctx.Done():
			return r.interrupted(r.query.Key, ctx.Err())
		}
		if f.err != nil {
			// The chunk holds more than was asked for: what is wrong may lie outside.
			if errors.Is(f.err, ports.ErrCorruptData) || errors.Is(f.err, ports.ErrTooLarge) {
				return errAside
			}
			return f.err
		}
		pieces[lacking[i].at] = ports.CachedBars{Bars: f.chunk.Bars, Validated: f.chunk.Validated, Cached: f.cached}
	}
	r.goOn(v, lacking[0].key, lacking[len(lacking)-1].key) //nolint:contextcheck // what is read ahead outlives the caller

	return nil
}

// join finds or begins the flights of the chunks.
func (r *reading) join(ctx context.Context, v *view, lacking []lack) []*flight {
	return r.joinBy(v, lacking, func(j *job) {
		var detached context.Context
		detached, j.cancel = context.WithTimeout(context.WithoutCancel(ctx), r.cfg.ReadTimeout)
		own := v.forJob()
		r.background(func() { r.fly(detached, own, j) })
	})
}

// joinBy finds the flights of the chunks, and of those that are not found it makes jobs, for begin to begin and give a cancel: under the
// lock, so that whoever leaves finds one.
func (r *reading) joinBy(v *view, lacking []lack, begin func(*job)) []*flight {
	joined := make([]*flight, len(lacking))
	var begun []*job
	r.flights.mu.Lock()
	defer r.flights.mu.Unlock()
	for i, l := range lacking {
		key := flightKey{l.key, v.version}
		f := r.flights.running[key]
		if f == nil {
			f = &flight{key: key, done: make(chan struct{})}
			r.flights.running[key] = f
			if n := len(begun); n > 0 && begun[n-1].goesOn(f) {
				f.job = begun[n-1]
			} else {
				f.job = &job{}
				begun = append(begun, f.job)
			}
			f.job.flights = append(f.job.flights, f)
		} else {
			r.stats.joined.Add(1)
		}
		f.job.waiting++
		joined[i] = f
	}
	for _, j := range begun {
		begin(j)
	}

	return joined
}

func (j *job) goesOn(f *flight) bool {
	n := len(j.flights)
	return n < runChunks && j.flights[n-1].key.End == f.key.Start
}

// leave ends the waiting for the flights. A job that nobody waits for any more is cancelled, and its flights are no longer found.
func (r *reading) leave(joined []*flight) {
	r.flights.mu.Lock()
	defer r.flights.mu.Unlock()
	for _, f := range joined {
		if f.job.waiting--; f.job.waiting == 0 {
			f.job.cancel()
			r.flights.forget(f.job)
		}
	}
}

// land ends the flights of a job.
func (fs *flights) land(j *job, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.forget(j)
	for _, f := range j.flights {
		f.err = err
		close(f.done)
	}
}

func (fs *flights) forget(j *job) {
	for _, f := range j.flights {
		if fs.running[f.key] == f {
			delete(fs.running, f.key)
		}
	}
}

// fly does the job. Whatever happens, every flight ends.
func (r *reading) fly(ctx context.Context, v *view, j *job) {
	defer j.cancel()
	defer context.AfterFunc(r.closed, j.cancel)() //nolint:contextcheck // Close ends it too
	var err error
	defer func() {
		if value := recover(); value != nil {
			err = r.panicked("read bars", r.query.Key.String(), value)
		}
		r.flights.land(j, err)
	}()
	err = r.fill(ctx, v, j.flights)
}

// panicked reports a panic of the store, with its stack in the log.
func (s *Store) panicked(op, subject string, value any) error {
	s.cfg.Logger.Error("store panicked", slog.String("op", op), slog.String("store", string(s.cfg.Name)), slog.String("subject", subject),
		slog.Any("panic", value), slog.String("stack", string(debug.Stack())))
	return &ports.Error{Kind: ports.ErrInternal, Op: op, Store: s.cfg.Name, Subject: subject, Err: fmt.Errorf("panic: %v", value)}
}
