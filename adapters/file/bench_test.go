package file_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/file"
)

// BenchmarkReadBars reports rows read a second: go test -bench ReadBars ./adapters/file
func BenchmarkReadBars(b *testing.B) {
	const rows = 100_000
	var text strings.Builder
	text.WriteString("time,open,high,low,close,volume,trades\n")
	start := time.Date(2018, time.January, 1, 0, 0, 0, 0, time.UTC)
	for i := range rows {
		fmt.Fprintf(&text, "%s,%d.25,7%04d.5,6990.125,7000.75,%d.12345678,%d\n",
			start.Add(time.Duration(i)*time.Minute).Format(time.RFC3339), 7000+i%7, i%10_000, i%1000, i%90)
	}

	cfg := file.Config{Key: key(b, "BTC/USD 1m")}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		for _, err := range file.ReadBars(strings.NewReader(text.String()), cfg) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}

	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
