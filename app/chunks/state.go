package chunks

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// stateCount is how many states all series share: memory does not grow with the series asked for. Two series of one state are read
// again now and then where one would not be; no answer is wrong for it.
const stateCount = 1024

// doubt is how long after a write with an unknown end nothing is kept: it may still be done behind our back.
const doubt = time.Minute

// states holds what is known of writes, by series.
type states struct {
	seed maphash.Seed
	all  [stateCount]state
}

// state is what is known of the writes of some series. Times are microseconds since 1970 of the machine's clock.
type state struct {
	mu      sync.RWMutex // held for reading while a chunk is put into the cache
	version uint64       // changes when a write begins and when it has ended
	writing map[domain.SeriesKey]int
	distrust
	stamped  atomic.Int64 // the latest stamp of a view
	doubtful time.Time    // nothing is kept until then
}

// distrust is which chunks of the cache are not believed.
type distrust struct {
	whole ports.WallMicros // those read at or before it
	tails ports.WallMicros // of those read at or before it, the tails
}

// view is a state at the beginning of a read.
type view struct {
	state   *state
	version uint64
	busy    bool // a write of the series is under way
	distrust
	now   ports.WallMicros // by the machine's clock
	stamp ports.WallMicros // when the read began: after everything that is not believed
	held  []domain.Extent  // what the store said it holds of the series, shortly before or since
}

func (s *states) of(key domain.SeriesKey) *state {
	return &s.all[maphash.Comparable(s.seed, key)%stateCount]
}

func (st *state) view(key domain.SeriesKey) view {
	st.mu.RLock()
	defer st.mu.RUnlock()
	now := wallNow()
	stamp := max(now, st.whole+1, st.tails+1)
	for last := st.stamped.Load(); last < int64(stamp) && !st.stamped.CompareAndSwap(last, int64(stamp)); last = st.stamped.Load() {
	}

	return view{state: st, version: st.version, busy: st.writing[key] > 0, distrust: st.distrust, now: now, stamp: stamp}
}

func wallNow() ports.WallMicros { return ports.WallMicros(time.Now().UnixMicro()) }

// holds reports whether no write began or ended since the view was taken.
func (v *view) holds() bool {
	v.state.mu.RLock()
	defer v.state.mu.RUnlock()
	return v.state.version == v.version
}

// keep runs put unless a write began or ended since the view was taken, and no write does as long as put runs.
func (v *view) keep(put func()) bool {
	v.state.mu.RLock()
	defer v.state.mu.RUnlock()
	if v.state.version != v.version || time.Now().Before(v.state.doubtful) {
		return false
	}
	put()

	return true
}

// begin is called before a write of the series.
func (st *state) begin(key domain.SeriesKey) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.version++
	if st.writing == nil {
		st.writing = map[domain.SeriesKey]int{}
	}
	st.writing[key]++
}

// end is called after it, and after the cache was told.
func (st *state) end(key domain.SeriesKey) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.version++
	if st.writing[key]--; st.writing[key] == 0 {
		delete(st.writing, key)
	}
}

// touch makes everything that was read so far not to be kept, and what mark says not to be believed.
func (st *state) touch(mark func(now ports.WallMicros, d *distrust)) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.version++
	mark(max(wallNow(), ports.WallMicros(st.stamped.Load())), &st.distrust) // also where the clock stands still, or was set back
}

func (st *state) suspect() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.doubtful = time.Now().Add(doubt)
}

// forJob is the view for a read that outlives the caller's.
func (v *view) forJob() *view {
	own := *v
	return &own
}
