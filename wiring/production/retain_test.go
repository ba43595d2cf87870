package production_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app"
	ingestion "github.com/gal-friday/marketdata/app/ingest"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// TestRetain deletes old hours of PostgreSQL and old minutes of InfluxDB. The process sees it at once, another one that
// has all bars in its cache within a lease: the old range is not covered, and the newer bars are as before. Then the
// partition that became empty is dropped, which changes nothing.
func TestRetain(t *testing.T) {
	t.Parallel()
	for name, cache := range map[string]wiring.Cache{"cached": {Bytes: 4 << 20}, "disabled": {Disabled: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			cfg.Cache = cache
			md, other := open(t, cfg, production.Options{}), open(t, cfg, production.Options{})
			limits := map[*domain.Series]time.Time{}
			hourly, minutes := hours(t, 2021, 2023), bars(t, "BTC/USD", domain.Minute1)
			limits[&hourly], limits[&minutes] = time.Date(2022, 1, 1, 0, 59, 0, 0, time.UTC), minutes.OpenTime(1)
			for s := range limits {
				ingest(t, md, *s)
			}
			for s := range limits {
				for _, p := range []*app.Service{md, other} {
					if got, _ := fetch(t, p, *s); !got.Equal(*s) {
						t.Fatalf("got %s, want %s", got, s)
					}
				}
			}

			for s, before := range limits {
				report, err := ingestion.Retain(t.Context(), ingestion.BarsOf(md, s.Key()), before)
				old := domain.Range{Start: s.Range().Start, End: s.Key().Grid.Floor(before)}
				if err != nil || report.Deleted != s.Clip(old).Len() || !report.Range.Equal(old) {
					t.Fatalf("%s: got %+v, %v; want all of %s", s.Key(), report, err, old)
				}
				if !isRetained(t, md, *s, old) {
					t.Errorf("%s: the process that deleted does not see it", s.Key())
				}
			}
			checkPartitions(t, md)
			for s, before := range limits {
				old := domain.Range{Start: s.Range().Start, End: s.Key().Grid.Floor(before)}
				eventually(t, "the other process sees it", func() bool { return isRetained(t, other, *s, old) })
				if !isRetained(t, open(t, cfg, production.Options{}), *s, old) {
					t.Errorf("%s: a new process does not see it", s.Key())
				}
			}
		})
	}
}

// isRetained reports whether exactly the old range is not covered and empty. The other bars must be as they were.
func isRetained(t *testing.T, md *app.Service, all domain.Series, old domain.Range) bool {
	t.Helper()
	r := all.Range()
	result, err := md.Fetch(t.Context(), domain.DataRequest{Key: all.Key(), Start: r.Start, End: r.End})
	if err != nil {
		t.Fatal(err)
	}

	kept := domain.Range{Start: old.End, End: r.End}
	if !result.Series.Clip(kept).Equal(all.Clip(kept)) {
		t.Fatalf("kept are %s", result.Series.Clip(kept))
	}
	if len(result.Uncovered) == 0 && result.Series.Equal(all) {
		return false // the state before
	}
	if len(result.Uncovered) != 1 || !result.Uncovered[0].Equal(old) || result.Series.Len() != all.Clip(kept).Len() {
		t.Fatalf("%s, not covered are %v; want %s", result.Series, result.Uncovered, old)
	}

	return true
}

// checkPartitions drops the partition of 2021, once no transaction needs it.
func checkPartitions(t *testing.T, md *app.Service) {
	t.Helper()
	var dropped []ports.Partition
	eventually(t, "the partition is dropped", func() bool {
		var err error
		if dropped, err = md.DropPartitions(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}

		return !slices.ContainsFunc(dropped, func(p ports.Partition) bool { return p.Kept != "" })
	})
	if len(dropped) != 1 || dropped[0].Name != "bars_2021" {
		t.Errorf("dropped are %v", dropped)
	}
}
