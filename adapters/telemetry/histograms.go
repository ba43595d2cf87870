package telemetry

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// MaxOperations is how many operations are measured each by itself. Others are measured together, under the name Other.
const MaxOperations = 256

// Other is the name of the operations beyond MaxOperations.
const Other = "other"

// Histograms is a ports.Telemetry that keeps the measurements of each operation: those of the last minute, of the last
// fifteen minutes and since it was made. It needs at most 60 KiB for an operation in steady use. It is safe for
// concurrent use; a measurement is a few atomic additions, and takes a lock once in ten seconds.
type Histograms struct {
	start time.Time

	mu     sync.Mutex // of changes of series
	series atomic.Pointer[map[ports.Operation]*series]
}

var (
	_ ports.Telemetry         = (*Histograms)(nil)
	_ ports.TelemetryReporter = (*Histograms)(nil)
)

// New returns Histograms without a measurement.
func New() *Histograms {
	h := &Histograms{start: time.Now()}
	h.series.Store(&map[ports.Operation]*series{})

	return h
}

// Begin implements ports.Telemetry. It returns ctx.
func (h *Histograms) Begin(ctx context.Context, _ ports.Operation) context.Context { return ctx }

// End implements ports.Telemetry.
func (h *Histograms) End(_ context.Context, op ports.Operation, m ports.Measurement) {
	s, ok := (*h.series.Load())[op]
	if !ok {
		s = h.add(op)
	}

	s.add(m.Start.Sub(h.start)+m.Duration, m)
}

// add returns the series of an operation that may be new.
func (h *Histograms) add(op ports.Operation) *series {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := *h.series.Load()
	if _, isKnown := known[op]; !isKnown && len(known) >= MaxOperations {
		op = ports.Operation{Name: Other}
	}
	if s, isKnown := known[op]; isKnown {
		return s
	}

	s, grown := newSeries(), maps.Clone(known)
	grown[op] = s
	h.series.Store(&grown)

	return s
}

// Operations implements ports.TelemetryReporter.
func (h *Histograms) Operations() []ports.OperationStats {
	now := time.Since(h.start)
	all := *h.series.Load()
	stats := make([]ports.OperationStats, 0, len(all))
	for op, s := range all {
		one := ports.OperationStats{Name: op.Name, Store: op.Store, Frequencies: op.Frequencies}
		one.LastMinute, one.Last15, one.SinceStart = s.windows(now)
		stats = append(stats, one)
	}

	slices.SortFunc(stats, func(a, b ports.OperationStats) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Store, b.Store),
			cmp.Compare(a.Frequencies, b.Frequencies))
	})

	return stats
}
