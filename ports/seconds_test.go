package ports_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// TestDurationsAreSeconds checks that no duration in JSON is a number of nanoseconds, and that none is lost.
func TestDurationsAreSeconds(t *testing.T) {
	t.Parallel()
	key := domain.SeriesKey{Symbol: "A", Grid: domain.Minute1.UTC()}
	for want, v := range map[string]any{
		`"behind_seconds":90.000000001`: ports.Freshness{Key: key, Behind: 90*time.Second + 1},
		`{"rows":1,"bytes":2,"cost_seconds":0.0005}`: ports.Estimate{
			Rows: 1, Bytes: 2, Cost: 500 * time.Microsecond,
		},
		`"source":"s"`: ports.PlanRead{Source: "s"},
		`"estimate":{"rows":0,"bytes":0,"cost_seconds":3}`: ports.PlanRead{
			Estimate: ports.Estimate{Cost: 3 * time.Second},
		},
		`"latency_seconds":0.002,"average_query_seconds":0,"retention_seconds":7}`: ports.StoreDiagnosis{
			Latency: 2 * time.Millisecond, Retention: 7 * time.Second,
		},
		`"average_query_seconds":0.25}`: ports.StoreDiagnosis{MeanQuery: time.Second / 4},
		`"pool":{"in_use":0,"idle":0,"max":0,"waits":2,"wait_time_seconds":1.5}`: ports.StoreDiagnosis{
			Pool: &ports.PoolStats{Waits: 2, WaitTime: 1500 * time.Millisecond},
		},
	} {
		text, err := json.Marshal(v)
		if err != nil || !strings.Contains(string(text), want) || strings.Contains(string(text), "_ns") {
			t.Errorf("%+v: %s, %v; want %s", v, text, err, want)
		}

		parsed := reflect.New(reflect.TypeOf(v))
		if err := json.Unmarshal(text, parsed.Interface()); err != nil || !reflect.DeepEqual(parsed.Elem().Interface(), v) {
			t.Errorf("%s is parsed as %+v, %v", text, parsed.Elem(), err)
		}
	}
}
