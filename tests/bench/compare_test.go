package bench

import (
	"slices"
	"testing"
	"time"
)

const rounds = 7

// A way is one of the alternatives of a comparison.
type way struct {
	name   string
	before func() // not measured; nil is nothing
	run    func()
}

// compare runs the ways in turns and returns the median time of each.
func compare(b *testing.B, ways ...way) []time.Duration {
	b.Helper()
	times := make([][]time.Duration, len(ways))
	for round := range rounds + 1 {
		for i, w := range ways {
			if w.before != nil {
				w.before()
			}
			start := time.Now()
			w.run()
			if took := time.Since(start); round > 0 {
				times[i] = append(times[i], took)
			}
		}
	}

	medians := make([]time.Duration, len(ways))
	for i, t := range times {
		slices.Sort(t)
		medians[i] = t[len(t)/2]
	}

	return medians
}

// report prints our speed for n bars, that of the baseline, and the ratio; and how many times as fast we are as each
// other way.
func report(b *testing.B, n int, ways ...way) {
	b.Helper()
	medians := compare(b, ways...)
	speed := func(i int) float64 { return float64(n) / medians[i].Seconds() / 1e6 }
	b.ReportMetric(0, "ns/op") // a run of the benchmark is many of each way
	b.ReportMetric(speed(0), "M/s")
	for i, w := range ways[1:] {
		if w.name == "floor" {
			b.ReportMetric(speed(i+1), "floor-M/s")
			b.ReportMetric(speed(0)/speed(i+1), "of-floor")
			continue
		}
		b.ReportMetric(speed(0)/speed(i+1), "times-"+w.name)
	}
}

// latency prints the median and the 99th percentile of a call in microseconds, and its allocations.
func latency(b *testing.B, call func()) {
	b.Helper()
	allocations := testing.AllocsPerRun(100, call) // which also warms up
	latencyAfter(b, func() func() { return func() {} }, call)
	b.ReportMetric(allocations, "allocs")
}

// latencyAfter prints the median and the 99th percentile of a call in microseconds. It prepares and clears each call,
// which is not measured.
func latencyAfter(b *testing.B, prepare func() (done func()), call func()) {
	b.Helper()
	const calls = 1000
	times := make([]time.Duration, 0, calls)
	for range calls {
		done := prepare()
		began := time.Now()
		call()
		times = append(times, time.Since(began))
		done()
	}

	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(percentile(times, 0.5).Nanoseconds())/1e3, "us")
	b.ReportMetric(float64(percentile(times, 0.99).Nanoseconds())/1e3, "p99-us")
}

// asked prints the required maximum of a column.
func asked(b *testing.B, column string, most float64) {
	b.Helper()
	b.ReportMetric(most, "asked-"+column)
}

// percentile returns the duration that the given share of the durations does not exceed.
func percentile(times []time.Duration, share float64) time.Duration {
	slices.Sort(times)
	return times[min(len(times)-1, int(float64(len(times))*share))]
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
