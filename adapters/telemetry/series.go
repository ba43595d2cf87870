package telemetry

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// The counters of a series: the buckets of durations, the rows, the cached requests, and the errors of each kind.
const (
	rowsAt = bucketCount + iota
	cachedAt
	kindsAt
)

// kinds are the kinds of errors, in the order of their counters.
var kinds = ports.Kinds()

// counts are the counters at one time. They only grow.
type counts []uint64

// series has the measurements of one operation. Its counters run since the start; their values at the beginning of
// recent intervals give those of a window by subtraction. So a measurement is counted once, whatever the windows.
type series struct {
	live []atomic.Uint64
	next atomic.Int64 // end of the interval of minute, since the start of the Histograms

	mu               sync.Mutex
	minute, quarters window
}

// window is the recent past of a series, in intervals of equal length.
type window struct {
	interval time.Duration
	current  int64    // number of the interval that is not over, since the start of the Histograms
	began    []counts // at the beginning of interval i: [i % len]; the window and the current interval. nil is all 0
}

func newSeries() *series {
	s := &series{
		live:     make([]atomic.Uint64, kindsAt+len(kinds)),
		minute:   window{interval: minuteInterval, began: make([]counts, time.Minute/minuteInterval+1)},
		quarters: window{interval: quarterInterval, began: make([]counts, 15*time.Minute/quarterInterval+1)},
	}
	s.next.Store(int64(minuteInterval))

	return s
}

// The intervals by which windows move. The longer one is a multiple of the shorter one.
const (
	minuteInterval  = 10 * time.Second
	quarterInterval = time.Minute
)

// add adds a measurement that ended at a time since the start.
func (s *series) add(at time.Duration, m ports.Measurement) {
	s.advance(at)
	s.live[bucketOf(m.Duration)].Add(1)
	if m.Rows > 0 {
		s.live[rowsAt].Add(uint64(m.Rows))
	}
	if m.Cached {
		s.live[cachedAt].Add(1)
	}
	if m.Kind != nil {
		s.live[kindsAt+kindOf(m.Kind)].Add(1)
	}
}

// kindOf returns the number of a kind; of an error that is none, that of ports.ErrInternal, which is the last.
func kindOf(kind error) int {
	if i := slices.Index(kinds, kind); i >= 0 {
		return i
	}

	return len(kinds) - 1
}

// advance moves the windows to the interval of a time since the start, unless they are there.
func (s *series) advance(at time.Duration) {
	if int64(at) >= s.next.Load() {
		s.beginInterval(at)
	}
}

func (s *series) beginInterval(at time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(at) < s.next.Load() {
		return
	}

	counted := s.counts()
	s.minute.advance(at, counted)
	s.quarters.advance(at, counted)
	s.next.Store((s.minute.current + 1) * int64(minuteInterval))
}

// counts returns the counters.
func (s *series) counts() counts {
	counted := make(counts, len(s.live))
	for i := range s.live {
		counted[i] = s.live[i].Load()
	}

	return counted
}

// advance begins the intervals up to that of a time. Nothing was counted since the first of them began, so all begin
// with the same counters.
func (w *window) advance(at time.Duration, counted counts) {
	n := int64(len(w.began))
	last := int64(at / w.interval)
	for i := max(w.current+1, last-n+1); i <= last; i++ {
		w.began[i%n] = counted
	}
	w.current = max(w.current, last)
}

// newCounts returns the part of the counters that was counted in the window.
func (w *window) newCounts(counted counts) counts {
	before := w.began[(w.current+1)%int64(len(w.began))]
	if before == nil {
		return counted
	}

	within := make(counts, len(counted))
	for i := range counted {
		within[i] = counted[i] - before[i]
	}

	return within
}

// windows returns the statistics of the three windows that end at a time since the start.
func (s *series) windows(now time.Duration) (minute, quarter, all ports.WindowStats) {
	s.advance(now)

	s.mu.Lock()
	defer s.mu.Unlock()
	counted := s.counts()

	return s.minute.newCounts(counted).stats(), s.quarters.newCounts(counted).stats(), counted.stats()
}

// stats returns the statistics of the counters.
func (c counts) stats() ports.WindowStats {
	var total uint64
	for _, n := range c[:bucketCount] {
		total += n
	}

	stats := ports.WindowStats{
		Count: int64(total), Rows: int64(c[rowsAt]), Cached: int64(c[cachedAt]),
		P50: c.quantile(total, 0.5), P95: c.quantile(total, 0.95), P99: c.quantile(total, 0.99),
		P999: c.quantile(total, 0.999),
	}
	for i, n := range c[kindsAt:] {
		if n > 0 && stats.Errors == nil {
			stats.Errors = map[string]int64{}
		}
		if n > 0 {
			stats.Errors[kinds[i].Error()] = int64(n)
		}
	}

	return stats
}

// quantile returns the duration that a share of the total did not exceed; 0 of none.
func (c counts) quantile(total uint64, share float64) domain.Seconds {
	rank, counted := uint64(math.Ceil(share*float64(total))), uint64(0)
	for i, n := range c[:bucketCount] {
		if counted += n; n > 0 && counted >= rank {
			return domain.Seconds(middleOf(i))
		}
	}

	return 0
}
