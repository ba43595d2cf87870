package main

import (
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
)

// Notes tell what the bars do not show; a prefix names the symbol of one among several.
func TestNoteResult(t *testing.T) {
	t.Parallel()
	r := domain.Range{Start: minute(0), End: minute(2)}
	result := domain.Result{
		Uncovered: []domain.Range{r}, Now: minute(9), Next: minute(2),
		Provenance: []domain.Origin{
			{Store: "postgres", Grid: minuteKey.Grid, Range: r, Bars: 2, Cached: true},
			{Store: "influx", Ticks: domain.TickTrades, Range: r, Bars: 1},
		},
	}
	var out strings.Builder
	(&command{err: &out}).noteResult("A/B: ", result, true)
	const want = `note: A/B: no data for 2018-04-04T00:00:00Z to 2018-04-04T00:02:00Z; not covered
note: A/B: postgres served 2 bars from cached 1m, 2018-04-04T00:00:00Z to 2018-04-04T00:02:00Z
note: A/B: influx served 1 bars from stored trades, 2018-04-04T00:00:00Z to 2018-04-04T00:02:00Z
note: A/B: as of 2018-04-04T00:09:00Z; continue with --start 2018-04-04T00:02:00Z
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}

func TestDurationText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 seconds", 119 * time.Second: "119 seconds", 2 * time.Minute: "2 minutes", 47 * time.Hour: "47 hours",
		59 * 24 * time.Hour: "59 days", 729 * 24 * time.Hour: "24 months", 3 * 365 * 24 * time.Hour: "3 years",
	} {
		if got := durationText(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
