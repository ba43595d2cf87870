package e2e_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/memory"
	"github.com/gal-friday/marketdata/ports"
)

// TestHistoryBefore1970 takes a daily file of an index since 1927 through the command: in, out, resampled, paged, copied and described.
func TestHistoryBefore1970(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	text, days := "Date,Open,High,Low,Close,Volume\n", 0
	for day := time.Date(1927, 12, 30, 0, 0, 0, 0, time.UTC); day.Year() < 1973; day = day.AddDate(0, 0, 1) {
		if wd := day.Weekday(); wd != time.Saturday && wd != time.Sunday {
			text += fmt.Sprintf("%s,%d.25,%d.5,%d,%d.125,%d\n", day.Format(time.DateOnly), 17+days%9, 18+days%9, 16+days%9, 17+days%9, 1000+days)
			days++
		}
	}
	writeFile(t, path("spx.csv"), text)

	db, copied := path("market.db"), path("copy.db")
	on := func(db string, args ...string) string { return command(t, append([]string{"--db", db}, args...)...) }
	lines := func(out string) int { return strings.Count(out, "\n") }
	for _, frequency := range []string{"1d", "1d@America/New_York"} {
		on(db, "import", "--symbol", "SPX", "--frequency", frequency, path("spx.csv"))
		if out := on(db, "fetch", "SPX", frequency, "--output", "csv"); lines(out) != days+1 || !strings.Contains(out, "\n1927-12-30T") {
			t.Errorf("%s: %d lines, want %d", frequency, lines(out), days+1)
		}
	}

	if out := on(db, "fetch", "SPX", "1d", "--start", "1969-12-29", "--end", "1970-01-08", "--output", "csv"); lines(out) != 9 {
		t.Errorf("the weeks around 1970:\n%s", out)
	}
	if out := on(db, "fetch", "SPX", "1d", "--end", "1935-01-01", "--last", "1", "--output", "csv"); !strings.Contains(out, "\n1934-12-31T") {
		t.Errorf("the last day of 1934:\n%s", out)
	}
	if out := on(db, "fetch", "SPX", "1M", "--end", "1970-02-01", "--output", "csv"); !strings.Contains(out, "\n1928-01-01T") || lines(out) != 506 {
		t.Errorf("%d lines of months", lines(out))
	}
	if out := on(db, "fetch", "SPX", "1w@America/New_York", "--start", "1929-10-21", "--end", "1929-11-11", "--output", "csv"); lines(out) != 4 {
		t.Errorf("weeks of 1929:\n%s", out)
	}
	if out := on(db, "fetch", "SPX", "1d", "--start", "1929-10-21", "--end", "1929-10-29", "--fill", "previous", "--output", "csv"); lines(out) != 9 {
		t.Errorf("filled days of 1929:\n%s", out)
	}

	if out := on(db, "coverage", "SPX", "--output", "csv"); !strings.Contains(out, "1927-12-30T00:00:00Z") {
		t.Errorf("coverage:\n%s", out)
	}
	on(db, "describe", "SPX")
	for _, format := range []string{"csv", "ndjson", "bars", "parquet"} {
		on(db, "export", "SPX", "1d", path("out."+format))
	}
	for i, format := range []string{"csv", "parquet"} {
		target := path(fmt.Sprintf("from%d.db", i))
		on(target, "import", "--symbol", "SPX", "--frequency", "1d", path("out."+format))
		if got, want := on(target, "fetch", "SPX", "1d", "--output", "csv"), on(db, "fetch", "SPX", "1d", "--output", "csv"); got != want {
			t.Errorf("%s: %d lines came back, want %d", format, lines(got), lines(want))
		}
	}

	store, err := memory.Open(t.Context(), path("out.bars"))
	if err != nil {
		t.Fatal(err)
	}
	extents, err := ports.Collect(store.Extents(t.Context(), ports.ExtentQuery{}))
	if err != nil || len(extents) != 1 || extents[0].Range.Start.Year() != 1927 {
		t.Errorf(".bars covers %v: %v", extents, err)
	}

	on(db, "copy", "SPX", "--to-db", copied)
	on(db, "delete", "SPX", "1d", "--start", "1939-09-01", "--end", "1945-09-02", "--yes")
	if out := on(db, "fetch", "SPX", "1d", "--start", "1938-01-01", "--end", "1946-01-01", "--output", "csv"); strings.Contains(out, "\n1941-") {
		t.Error("deleted years are still there")
	}
}
