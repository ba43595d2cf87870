package chunks

import (
	"sync"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	aheadAtOnce  = 2   // reads ahead under way at once, over all series; more are not begun
	aheadWaiting = 256 // chunks read ahead whose first use is waited for; with more, all are forgotten
)

// ahead is what was read before anybody asked.
type ahead struct {
	running atomic.Int32
	count   atomic.Int32 // of waiting, to look at without the lock
	mu      sync.Mutex
	waiting map[ports.ChunkKey]struct{}
}

// used reports whether the chunk was read ahead and nobody had asked for it so far.
func (a *ahead) used(key ports.ChunkKey) bool {
	if a.count.Load() == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.waiting[key]
	if ok {
		delete(a.waiting, key)
		a.count.Add(-1)
	}

	return ok
}

// await notes chunks that are read ahead.
func (a *ahead) await(keys []ports.ChunkKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting)+len(keys) > aheadWaiting {
		clear(a.waiting) // whoever they were read for went another way
	}
	for _, key := range keys {
		a.waiting[key] = struct{}{}
	}
	a.count.Store(int32(len(a.waiting)))
}

// hit counts a chunk found in the cache. The first use of one that was read ahead shows that its reader goes on.
func (r *reading) hit(v *view, key ports.ChunkKey) {
	r.stats.hits.Add(1)
	if r.ahead.used(key) {
		r.stats.aheadHits.Add(1)
		r.readAhead(v, key)
	}
}

// goOn looks whether a reader who just read the chunks from first to last came from the one before: then it reads ahead.
func (r *reading) goOn(v *view, first, last ports.ChunkKey) {
	if *r.cfg.ReadAhead == 0 || r.query.Last > 0 {
		return
	}
	before := r.key(r.query.Key, r.cut, r.cut.Index(first.Start)-1)
	if _, found := r.lookupNear(v, before, before.End); found == all {
		r.readAhead(v, last)
	}
}

// readAhead reads the chunks after last in the background, up to now, unless enough is under way.
func (r *reading) readAhead(v *view, last ports.ChunkKey) {
	now := domain.MicrosFloor(r.clock.Now())
	var lacking []lack
	var keys []ports.ChunkKey
	at := r.cut.Index(last.Start)
	for i := range int64(*r.cfg.ReadAhead) {
		key := r.key(r.query.Key, r.cut, at+1+i)
		if key.Start >= now || key.Start >= key.End {
			break
		}
		if _, found := r.lookupNear(v, key, key.End); found != all {
			lacking = append(lacking, lack{key: key, at: len(keys)})
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 || r.closed.Err() != nil {
		return
	}
	if r.ahead.running.Add(1) > aheadAtOnce {
		r.ahead.running.Add(-1)
		return
	}
	r.ahead.await(keys)
	r.stats.ahead.Add(int64(len(keys)))
	own := reading{Store: r.Store, query: ports.BarQuery{Key: r.query.Key}, cut: r.cut}
	fresh := r.states.of(r.query.Key).view(r.query.Key)
	fresh.held = v.held
	r.background(func() {
		defer r.ahead.running.Add(-1)
		joined := own.join(r.closed, &fresh, lacking)
		defer own.leave(joined)
		for _, f := range joined {
			select {
			case <-f.done: // an error is met again by whoever asks
			case <-r.closed.Done():
				return
			}
		}
	})
}
