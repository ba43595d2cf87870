package telemetry_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gal-friday/marketdata/adapters/telemetry"
	"github.com/gal-friday/marketdata/ports"
)

// The wirings do this for the application; Diagnose has the result.
func ExampleNew() {
	measured := telemetry.New()
	fetch := ports.Operation{Name: "fetch", Frequencies: ports.FrequencyMinutes}
	ctx := measured.Begin(context.Background(), fetch)
	measured.End(ctx, fetch, ports.Measurement{Start: time.Now(), Duration: time.Microsecond, Rows: 4000, Cached: true})
	measured.End(ctx, fetch, ports.Measurement{Start: time.Now(), Duration: time.Second, Kind: ports.ErrTimeout})

	for _, o := range measured.Operations() {
		w := o.LastMinute
		fmt.Println(o.Name, o.Frequencies, w.Count, w.Cached, w.Errors, time.Duration(w.P99).Round(100*time.Millisecond))
	}
	// Output:
	// fetch minutes 2 1 map[timeout:1] 1s
}
