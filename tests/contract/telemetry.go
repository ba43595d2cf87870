package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/ports"
)

// Telemetry tests an implementation against every law of ports.Telemetry, and of ports.TelemetryReporter if it is one.
// open must return one without a measurement.
func Telemetry(t *testing.T, open func(tb testing.TB) ports.Telemetry) {
	t.Helper()
	telemetrySuite.run(t, open, Profile{})
}

// The operations of the laws.
var (
	operationFetch = ports.Operation{Name: "fetch", Frequencies: ports.FrequencyMinutes}
	operationRead  = ports.Operation{Name: "read bars", Store: "postgres"}
)

// telemetryLaws are the laws of ports.Telemetry.
var telemetryLaws = []law[ports.Telemetry]{
	{
		name:  "telemetry/begin_derives_the_context",
		text:  "the context of an operation has the values, the deadline and the end of the caller's",
		check: checkBegin,
	},
	{
		name: "telemetry/never_fails",
		text: "no operation and no measurement leads to a panic, also after the context is done",
		check: func(ctx context.Context, t ports.Telemetry) (err error) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			defer func() {
				if v := recover(); v != nil {
					err = fmt.Errorf("End panicked: got %v, want no panic", v)
				}
			}()
			for _, m := range []ports.Measurement{
				{},
				{Start: time.Now(), Duration: -time.Second, Rows: -1},
				{Start: time.Now(), Duration: 1<<63 - 1, Rows: 1 << 62},
				{Start: time.Now(), Kind: errors.New("not a kind")},
			} {
				t.End(t.Begin(ctx, operationFetch), operationFetch, m)
				t.End(ctx, ports.Operation{}, m)
			}

			return nil
		},
	},
	{
		name: "telemetry/does_not_block",
		text: "an operation is measured in a fraction of a millisecond",
		check: func(ctx context.Context, t ports.Telemetry) error {
			const times, limit = 2_000, time.Second
			start := time.Now()
			for range times {
				measure(ctx, t, operationFetch, ports.Measurement{Duration: time.Microsecond})
			}
			if took := time.Since(start); took > limit {
				return fmt.Errorf("Begin and End got %s for %d operations, want at most %s", took, times, limit)
			}

			return nil
		},
	},
	{
		name:  "telemetry/reports_what_was_measured",
		text:  "each operation has its own count, errors by kind, cached requests and rows",
		check: checkReport,
	},
	{
		name: "telemetry/reports_percentiles",
		text: "a percentile is within a tenth of the exact one",
		check: func(ctx context.Context, t ports.Telemetry) error {
			for i := range 1_000 {
				measure(ctx, t, operationRead, ports.Measurement{Duration: time.Duration(i+1) * time.Millisecond})
			}
			got, err := report(t, operationRead)
			if err != nil {
				return err
			}

			for _, p := range []struct {
				name      string
				got, want time.Duration
			}{
				{"P50", time.Duration(got.SinceStart.P50), 500 * time.Millisecond},
				{"P95", time.Duration(got.SinceStart.P95), 950 * time.Millisecond},
				{"P99", time.Duration(got.SinceStart.P99), 990 * time.Millisecond},
				{"P999", time.Duration(got.SinceStart.P999), 999 * time.Millisecond},
			} {
				if (p.got - p.want).Abs() > p.want/10 {
					return fmt.Errorf("Operations after durations of 1 ms to 1 s got a %s of %s, want about %s", p.name, p.got, p.want)
				}
			}

			return nil
		},
	},
	{
		name: "telemetry/reports_what_ended",
		text: "an operation that did not end is not reported, and the report is ordered",
		check: func(ctx context.Context, t ports.Telemetry) error {
			reporter, ok := t.(ports.TelemetryReporter)
			if !ok {
				return errNoReporter
			}

			measure(ctx, t, operationRead, ports.Measurement{})
			measure(ctx, t, operationFetch, ports.Measurement{})
			t.Begin(ctx, ports.Operation{Name: "stream"})
			var names []string
			for _, o := range reporter.Operations() {
				names = append(names, o.Name)
			}
			if want := []string{"fetch", "read bars"}; !slices.Equal(names, want) {
				return fmt.Errorf("Operations got %v, want %v", names, want)
			}

			return nil
		},
	},
	{
		name: "telemetry/is_bounded",
		text: "the report has at most a thousand operations, whatever was measured, and misses no measurement",
		check: func(ctx context.Context, t ports.Telemetry) error {
			reporter, ok := t.(ports.TelemetryReporter)
			if !ok {
				return errNoReporter
			}

			const different, limit = 3_000, 1_000
			for i := range different {
				measure(ctx, t, ports.Operation{Name: fmt.Sprint(i)}, ports.Measurement{})
			}
			reported, count := reporter.Operations(), int64(0)
			for _, o := range reported {
				count += o.SinceStart.Count
			}
			if len(reported) > limit || count != different {
				return fmt.Errorf("Operations got %d operations with %d measurements, want at most %d with %d",
					len(reported), count, limit, different)
			}

			return nil
		},
	},
	{
		name: "telemetry/concurrent",
		text: "many goroutines may use it at once, and no measurement is lost",
		check: func(ctx context.Context, t ports.Telemetry) error {
			const times = 2_000
			use := func(ctx context.Context) error {
				for i := range times {
					measure(ctx, t, ports.Operation{Name: fmt.Sprint(i % 3)}, ports.Measurement{Rows: 1})
					if r, ok := t.(ports.TelemetryReporter); ok && i%500 == 0 {
						r.Operations()
					}
				}

				return nil
			}
			if err := runAll(ctx, use, use, use, use); err != nil {
				return err
			}

			reporter, ok := t.(ports.TelemetryReporter)
			if !ok {
				return nil
			}
			var count, rows int64
			for _, o := range reporter.Operations() {
				count, rows = count+o.SinceStart.Count, rows+o.SinceStart.Rows
			}
			if count != 4*times || rows != 4*times {
				return fmt.Errorf("Operations got %d measurements with %d rows, want %d of each", count, rows, 4*times)
			}

			return nil
		},
	},
}

// measure begins and ends an operation, which started now.
func measure(ctx context.Context, t ports.Telemetry, op ports.Operation, m ports.Measurement) {
	m.Start = time.Now().Add(-m.Duration)
	t.End(t.Begin(ctx, op), op, m)
}

const errNoReporter = notApplicableError("it reports nothing")

// report returns the statistics of one operation.
func report(t ports.Telemetry, op ports.Operation) (ports.OperationStats, error) {
	reporter, ok := t.(ports.TelemetryReporter)
	if !ok {
		return ports.OperationStats{}, errNoReporter
	}
	for _, o := range reporter.Operations() {
		if o.Name == op.Name && o.Store == op.Store && o.Frequencies == op.Frequencies {
			return o, nil
		}
	}

	return ports.OperationStats{}, fmt.Errorf("Operations got no statistics of %+v, want them", op)
}

type contextKey struct{}

func checkBegin(ctx context.Context, t ports.Telemetry) error {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, contextKey{}, "value"), time.Hour)
	defer cancel()
	begun := t.Begin(ctx, operationFetch)
	if got := begun.Value(contextKey{}); got != "value" {
		return fmt.Errorf("Begin got a context with the value %v, want that of the caller's context", got)
	}

	want, _ := ctx.Deadline()
	if got, ok := begun.Deadline(); !ok || !got.Equal(want) {
		return fmt.Errorf("Begin got a context with the deadline %v, want %v", got, want)
	}

	cancel()
	if begun.Err() == nil {
		return errors.New("Begin got a context that did not end with the caller's, want it canceled too")
	}
	t.End(begun, operationFetch, ports.Measurement{Start: time.Now(), Kind: ports.ErrCanceled})

	return nil
}

func checkReport(ctx context.Context, t ports.Telemetry) error {
	for _, m := range []ports.Measurement{
		{Rows: 5}, {Rows: 7, Cached: true}, {Kind: ports.ErrTimeout}, {Kind: ports.ErrTimeout}, {Kind: ports.ErrNotFound},
	} {
		measure(ctx, t, operationFetch, m)
	}
	other := ports.Operation{Name: operationFetch.Name, Frequencies: ports.FrequencyDays}
	measure(ctx, t, other, ports.Measurement{Rows: 100})
	measure(ctx, t, operationRead, ports.Measurement{Rows: 100})

	got, err := report(t, operationFetch)
	if err != nil {
		return err
	}
	for name, w := range map[string]ports.WindowStats{
		"LastMinute": got.LastMinute, "Last15": got.Last15, "SinceStart": got.SinceStart,
	} {
		if w.Count != 5 || w.Rows != 12 || w.Cached != 1 || w.Failed() != 3 || len(w.Errors) != 2 ||
			w.Errors[ports.ErrTimeout.Error()] != 2 {
			return fmt.Errorf("Operations got %+v of the fetch in %s, want 5 with 12 rows, 1 cached, 2 timeouts, 1 not found",
				w, name)
		}
	}

	one, err := report(t, operationRead)
	if err == nil && one.SinceStart.Count != 1 {
		err = fmt.Errorf("Operations got %+v of the call of a store, want 1", one.SinceStart)
	}

	return err
}
