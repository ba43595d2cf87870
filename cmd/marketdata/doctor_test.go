package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// An unfinished write is listed with the command that gives its range up.
func TestUnfinishedWritesAreListed(t *testing.T) {
	t.Parallel()
	noon := time.Date(2024, 3, 4, 12, 0, 0, 0, time.UTC)
	var stderr bytes.Buffer
	c := &command{err: &stderr, now: func() time.Time { return noon }}
	c.noteUnfinished([]ports.StoreDiagnosis{{Store: "postgres"}, {Store: "influx", Unfinished: []ports.UnfinishedWrite{{
		Key:   domain.SeriesKey{Symbol: "BTC/USD", Grid: domain.Minute1.UTC()},
		Range: domain.Range{Start: noon.Add(-3 * time.Hour), End: noon.Add(-2 * time.Hour)},
		Owner: "process 7 on host", Expired: noon.Add(-90 * time.Second),
	}}}})
	const want = "note: influx: a write of BTC/USD 1m from 2024-03-04T09:00:00Z to 2024-03-04T10:00:00Z by process 7 on host did " +
		"not finish, 1m30s ago; the range is not covered: run the same import again, or give the range up with " +
		"marketdata doctor --uncover BTC/USD 1m --price trade --start 2024-03-04T09:00:00Z --end 2024-03-04T10:00:00Z\n"
	if got := stderr.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The table of operations has what was measured since the start, with percentiles of three digits.
func TestOperationsAreListed(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	err := operationList.print(&stdout, formatTable, []ports.OperationStats{
		{Name: "diagnose", Store: "postgres", SinceStart: ports.WindowStats{
			Count: 3, Errors: map[string]int64{"timeout": 1, "overloaded": 1},
			P50: domain.Seconds(1234567), P99: domain.Seconds(9999), P999: domain.Seconds(2 * time.Second),
		}},
		{Name: "fetch", Frequencies: ports.FrequencyMinutes, SinceStart: ports.WindowStats{Count: 2, Cached: 1, P50: 789}},
	})
	const want = "OPERATION  OF        COUNT  ERRORS  CACHED     P50   P99  P99.9\n" +
		"diagnose   postgres      3       2       0  1.23ms  10µs     2s\n" +
		"fetch      minutes       2       0       1   789ns    0s     0s\n"
	if got := stdout.String(); err != nil || got != want {
		t.Errorf("%v, got\n%s, want\n%s", err, got, want)
	}
}
