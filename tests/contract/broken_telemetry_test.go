package contract

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// telemetryList keeps every measurement in a list, and keeps every law of ports.Telemetry, but for its faults.
type telemetryList struct {
	telemetryFault
	mu    sync.Mutex
	begun []ports.Operation
	ops   []ports.Operation
	all   []ports.Measurement
}

// telemetryFault is a set of faults.
type telemetryFault struct {
	begin func(ctx context.Context) context.Context
	end   func(m *ports.Measurement) // before a measurement is kept
	op    func(op *ports.Operation)
	stats func(s []ports.OperationStats) []ports.OperationStats

	isUnbounded, reportsBegun, isRacy bool
}

func (l *telemetryList) Begin(ctx context.Context, op ports.Operation) context.Context {
	if l.reportsBegun {
		l.begun = append(l.begun, op)
	}
	if l.begin != nil {
		return l.begin(ctx)
	}

	return ctx
}

func (l *telemetryList) End(_ context.Context, op ports.Operation, m ports.Measurement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil {
		l.end(&m)
	}
	if l.op != nil {
		l.op(&op)
	}
	if l.isRacy && len(l.ops) == 100 { // as if two had the same place
		return
	}
	if len(op.Name) > 2 && op.Name[0] <= '9' && !l.isUnbounded {
		op.Name = "other"
	}
	l.ops, l.all = append(l.ops, op), append(l.all, m)
}

func (l *telemetryList) Operations() []ports.OperationStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	byOp := map[ports.Operation][]ports.Measurement{}
	for i, op := range l.ops {
		byOp[op] = append(byOp[op], l.all[i])
	}
	for _, op := range l.begun {
		byOp[op] = append(byOp[op], ports.Measurement{})
	}

	var stats []ports.OperationStats
	for op, all := range byOp {
		w := windowOf(all)
		stats = append(stats, ports.OperationStats{
			Name: op.Name, Store: op.Store, Frequencies: op.Frequencies, LastMinute: w, Last15: w, SinceStart: w,
		})
	}
	slices.SortFunc(stats, func(a, b ports.OperationStats) int { return strings.Compare(a.Name, b.Name) })
	if l.stats != nil {
		stats = l.stats(stats)
	}

	return stats
}

func windowOf(all []ports.Measurement) ports.WindowStats {
	w := ports.WindowStats{Count: int64(len(all)), Errors: map[string]int64{}}
	var durations []time.Duration
	for _, m := range all {
		durations = append(durations, m.Duration)
		w.Rows += int64(m.Rows)
		if m.Cached {
			w.Cached++
		}
		if m.Kind != nil {
			w.Errors[m.Kind.Error()]++
		}
	}
	slices.Sort(durations)
	at := func(share float64) domain.Seconds { return domain.Seconds(durations[int(share*float64(len(all)-1))]) }
	w.P50, w.P95, w.P99, w.P999 = at(0.5), at(0.95), at(0.99), at(0.999)

	return w
}

// silentTelemetry is a Telemetry that reports nothing.
type silentTelemetry struct{}

func (silentTelemetry) Begin(ctx context.Context, _ ports.Operation) context.Context { return ctx }

func (silentTelemetry) End(context.Context, ports.Operation, ports.Measurement) {}

func TestTelemetryLawsNotice(t *testing.T) {
	t.Parallel()
	type faults []telemetryFault
	last := func(s []ports.OperationStats) *ports.OperationStats { return &s[len(s)-1] }
	planted := map[string]faults{
		"telemetry/begin_derives_the_context": {
			{begin: func(context.Context) context.Context { return context.Background() }},
			{begin: context.WithoutCancel},
			{begin: func(ctx context.Context) context.Context {
				deadline, _ := ctx.Deadline()
				detached, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
				t.Cleanup(cancel)

				return detached
			}},
		},
		"telemetry/never_fails": {{end: func(m *ports.Measurement) {
			if m.Rows < 0 {
				panic("no rows")
			}
		}}},
		"telemetry/does_not_block": {{end: func(*ports.Measurement) { time.Sleep(time.Millisecond) }}},
		"telemetry/reports_what_was_measured": {
			{end: func(m *ports.Measurement) { m.Rows = 1 }},
			{end: func(m *ports.Measurement) { m.Cached = false }},
			{end: func(m *ports.Measurement) { m.Kind = nil }},
			{end: func(m *ports.Measurement) {
				if m.Kind != nil {
					m.Kind = ports.ErrTimeout
				}
			}},
			{op: func(op *ports.Operation) { op.Frequencies = "" }},
			{op: func(op *ports.Operation) { op.Store = "" }},
			{stats: func(s []ports.OperationStats) []ports.OperationStats {
				for i := range s {
					s[i].LastMinute = ports.WindowStats{}
				}
				return s
			}},
		},
		"telemetry/reports_percentiles": {
			{stats: func(s []ports.OperationStats) []ports.OperationStats {
				last(s).SinceStart.P999 = last(s).SinceStart.P95 / 2
				return s
			}},
			{end: func(m *ports.Measurement) { m.Duration = m.Duration.Round(time.Second) }},
		},
		"telemetry/reports_what_ended": {
			{reportsBegun: true},
			{stats: func(s []ports.OperationStats) []ports.OperationStats { slices.Reverse(s); return s }},
		},
		"telemetry/is_bounded": {
			{isUnbounded: true},
			{stats: func(s []ports.OperationStats) []ports.OperationStats { return s[1:] }},
		},
		"telemetry/concurrent": {{isRacy: true}},
	}
	for _, l := range telemetryLaws {
		if len(planted[l.name]) == 0 {
			t.Errorf("%s has no fault", l.name)
		}
		for i, f := range planted[l.name] {
			if !isNoticed(t, l.run(t.Context(), &telemetryList{telemetryFault: f})) {
				t.Errorf("%s does not notice fault %d", l.name, i)
			}
		}
		for _, sound := range []ports.Telemetry{&telemetryList{}, silentTelemetry{}} {
			failure, _ := verdict(l.text, nil, l.run(t.Context(), sound))
			if failure != "" {
				t.Errorf("%s refuses %T, which keeps it: %s", l.name, sound, failure)
			}
		}
	}
}
