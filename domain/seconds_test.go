package domain

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestSecondsAreExact(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0": 0, "0.000000001": 1, "-1.5": -1500 * time.Millisecond, "90": 90 * time.Second,
		"3153600000.000000001":  100*365*24*time.Hour + 1,
		"9223372036.854775807":  math.MaxInt64,
		"-9223372036.854775808": math.MinInt64,
	} {
		text, err := json.Marshal(Seconds(d))
		var back Seconds
		if err != nil || string(text) != want || json.Unmarshal(text, &back) != nil || time.Duration(back) != d {
			t.Errorf("%s: %s, %v, and back %s; want %s", d, text, err, time.Duration(back), want)
		}
	}

	for _, text := range []string{"9223372036.854775808", "-9223372036.854775809", "0.0000000001", `"1"`, "true", "null"} {
		if err := json.Unmarshal([]byte(text), new(Seconds)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestStalenessIsSeconds checks that a request and a result have their durations in seconds, and come back unchanged.
func TestStalenessIsSeconds(t *testing.T) {
	t.Parallel()
	key := SeriesKey{Symbol: "A", Grid: Minute1.UTC()}
	requests := map[string]DataRequest{
		`"max_stale_seconds":90.5`: {Key: key, First: 3, MaxStale: 90500 * time.Millisecond},
		`"first":3`:                {Key: key, First: 3},
	}
	for want, request := range requests {
		text, err := json.Marshal(request)
		var back DataRequest
		if err != nil || json.Unmarshal(text, &back) != nil || back != request {
			t.Errorf("%s, %v, and back %+v; want %+v", text, err, back, request)
		}
		if !strings.Contains(string(text), want) || request.MaxStale == 0 && strings.Contains(string(text), "stale") {
			t.Errorf("%s; want %s", text, want)
		}
	}

	for _, staleFor := range []time.Duration{0, 1500 * time.Millisecond} {
		text, err := json.Marshal(Result{Series: EmptySeries(key), StaleFor: staleFor, Restated: true})
		var back Result
		if err != nil || json.Unmarshal(text, &back) != nil || back.StaleFor != staleFor || !back.Restated {
			t.Errorf("%s, %v, and back %+v", text, err, back)
		}
		if strings.Contains(string(text), `"stale_for_seconds":1.5`) != (staleFor > 0) {
			t.Errorf("%s; want %s", text, staleFor)
		}
	}
}
