package telemetry_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/adapters/telemetry"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/contract"
)

var fetch = ports.Operation{Name: "fetch", Frequencies: ports.FrequencyMinutes}

func TestContract(t *testing.T) {
	t.Parallel()
	contract.Telemetry(t, func(testing.TB) ports.Telemetry { return telemetry.New() })
}

// measured returns the statistics of the only operation.
func measured(t rapid.TB, h *telemetry.Histograms) ports.OperationStats {
	t.Helper()
	all := h.Operations()
	if len(all) != 1 {
		t.Fatalf("%d operations, want 1: %v", len(all), all)
	}

	return all[0]
}

// A percentile differs from the exact one by at most MaxError of it.
func TestPercentiles(t *testing.T) {
	t.Parallel()
	longest := 2 * time.Minute
	rapid.Check(t, func(t *rapid.T) {
		// As many short ones as long ones: the logarithm is uniform.
		exponents := rapid.SliceOfN(rapid.Float64Range(0, math.Log(float64(longest))), 1, 2_000).Draw(t, "log")
		h, durations := telemetry.New(), make([]time.Duration, len(exponents))
		for i, e := range exponents {
			durations[i] = time.Duration(math.Exp(e))
			h.End(context.Background(), fetch, ports.Measurement{Start: time.Now(), Duration: durations[i]})
		}
		slices.Sort(durations)

		got := measured(t, h).SinceStart
		for _, p := range []struct {
			share float64
			got   domain.Seconds
		}{{0.5, got.P50}, {0.95, got.P95}, {0.99, got.P99}, {0.999, got.P999}} {
			want := durations[int(math.Ceil(p.share*float64(len(durations))))-1]
			if diff := (time.Duration(p.got) - want).Abs(); float64(diff) > telemetry.MaxError*float64(want) {
				t.Fatalf("the %v quantile is %s, want %s", p.share, time.Duration(p.got), want)
			}
		}
	})
}

// A window has each measurement that is younger than its length, and none that is older by an interval.
func TestWindows(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		pauses := rapid.SliceOfN(rapid.Custom(drawPause), 2, 60).Draw(r, "pauses")
		var err error
		synctest.Test(t, func(*testing.T) {
			h := telemetry.New()
			var ends []time.Time
			for i, pause := range pauses {
				time.Sleep(pause) // of the synctest bubble; returns at once
				if i < len(pauses)-1 {
					ends = append(ends, time.Now())
					h.End(context.Background(), fetch, ports.Measurement{Start: time.Now(), Rows: 1})
				}
			}
			err = checkWindows(h.Operations()[0], ends)
		})
		if err != nil {
			r.Fatal(err)
		}
	})
}

func drawPause(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{
		0, 1, 3 * time.Second, 10 * time.Second, 52 * time.Second, time.Minute, 5 * time.Minute, 14 * time.Minute,
	}).Draw(t, "pause")
}

// checkWindows compares the windows, now, with the ends of the measurements, of one row each.
func checkWindows(got ports.OperationStats, ends []time.Time) error {
	for _, w := range []struct {
		name             string
		got              ports.WindowStats
		length, interval time.Duration
	}{
		{"the last minute", got.LastMinute, time.Minute, 10 * time.Second},
		{"the last 15 minutes", got.Last15, 15 * time.Minute, time.Minute},
		{"all", got.SinceStart, 1 << 60, 0},
	} {
		least, most := int64(0), int64(0)
		for _, end := range ends {
			if age := time.Since(end); age < w.length {
				least, most = least+1, most+1
			} else if age <= w.length+w.interval {
				most++
			}
		}
		if w.got.Count < least || w.got.Count > most || w.got.Rows != w.got.Count {
			return fmt.Errorf("%s: %d measurements with %d rows, want %d to %d", w.name, w.got.Count, w.got.Rows, least, most)
		}
	}

	return nil
}

// A window that is over has no error, no cached request and no percentile either.
func TestWindowsForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := telemetry.New()
		m := ports.Measurement{Start: time.Now(), Duration: time.Second, Kind: ports.ErrTimeout, Cached: true, Rows: 9}
		h.End(t.Context(), fetch, m)
		time.Sleep(16 * time.Minute)

		got := measured(t, h)
		for _, w := range []ports.WindowStats{got.LastMinute, got.Last15} {
			if w.Count != 0 || w.Errors != nil || w.Cached != 0 || w.Rows != 0 || w.P50 != 0 || w.P999 != 0 {
				t.Errorf("after 16 minutes a window has %+v", w)
			}
		}
		if w := got.SinceStart; w.Count != 1 || w.Errors["timeout"] != 1 || w.Cached != 1 || w.Rows != 9 || w.P50 == 0 {
			t.Errorf("since the start: %+v", w)
		}
	})
}

// No measurement allocates, once its operation is known.
func TestNoAllocation(t *testing.T) {
	h := telemetry.New()
	m := ports.Measurement{Start: time.Now(), Duration: time.Microsecond, Rows: 4_000, Cached: true}
	run := func() { h.End(h.Begin(t.Context(), fetch), fetch, m) }
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
