package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/embedded"
)

var minuteKey = domain.SeriesKey{Symbol: "A/B", Grid: domain.Minute1.UTC()}

// minute returns the open time of the nth minute of a day.
func minute(n int) time.Time { return time.Date(2018, 4, 4, 0, n, 0, 0, time.UTC) }

// openFile opens the application on a new SQLite file.
func openFile(t *testing.T, name string) *app.Service {
	t.Helper()
	cfg := wiring.Config{SQLite: wiring.SQLite{Path: filepath.Join(t.TempDir(), name)}}
	md, done, err := embedded.Open(t.Context(), cfg, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(done)

	return md
}
