package plan_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/app/internal/plan"
	"github.com/gal-friday/marketdata/domain"
)

// tenYears is sources with a thousand extents of the stored grid over ten years, half of them each, with a day's gap between two.
func tenYears(stored domain.Grid) []plan.Source {
	sources := []plan.Source{{Name: "postgres"}, {Name: "influx", Priority: 1}}
	at := utc("2014-01-01T00:00:00Z")
	for i := range 1000 {
		end := at.AddDate(0, 0, 3)
		if i%2 == 0 {
			end = end.Add(7 * time.Hour) // claims need not end where a day does
		}
		s := &sources[i%2]
		s.Bars = append(s.Bars, domain.Extent{
			Key:   domain.SeriesKey{Symbol: symbol, Grid: stored},
			Range: stored.Align(domain.Range{Start: at, End: end}),
		})
		at = at.AddDate(0, 0, 4)
		if i%3 == 0 {
			at = at.AddDate(0, 0, -1) // two that touch or overlap
		}
	}

	return sources
}

// BenchmarkTenYears plans days over a thousand extents of minutes where all but the last month is stored as days: a plan within
// the default limit of legs. It is to stay under 1 ms.
func BenchmarkTenYears(b *testing.B) {
	sources := tenYears(domain.Minute1.UTC())
	r := plan.Request{
		Key:   domain.SeriesKey{Symbol: symbol, Grid: domain.Day1.UTC()},
		Range: domain.Range{Start: utc("2014-01-01T00:00:00Z"), End: utc("2024-01-01T00:00:00Z")},
	}
	stored := domain.Range{Start: r.Range.Start, End: utc("2023-12-01T00:00:00Z")}
	sources[0].Bars = append(sources[0].Bars, domain.Extent{Key: r.Key, Range: stored})
	b.ReportAllocs()
	for b.Loop() {
		if p, err := plan.New(r, sources, plan.Limits{Reads: 1000}); err != nil || len(p.Legs) < 2 {
			b.Fatal(p, err)
		}
	}
}

// BenchmarkTenYearsOfPieces needs every one of the thousand extents, far more reads than a plan is allowed: the worst case.
func BenchmarkTenYearsOfPieces(b *testing.B) {
	for _, c := range []struct{ stored, target string }{
		{"1m", "1m"}, {"1m", "1h"}, {"1m", "1d"}, {"1m", "1d@America/New_York"}, {"1d@America/New_York", "1d@America/New_York"},
	} {
		b.Run(fmt.Sprintf("%s of %s", c.target, c.stored), func(b *testing.B) {
			sources := tenYears(must(domain.ParseGrid(c.stored)))
			r := plan.Request{
				Key:   domain.SeriesKey{Symbol: symbol, Grid: must(domain.ParseGrid(c.target))},
				Range: domain.Range{Start: utc("2014-01-01T00:00:00Z"), End: utc("2024-01-01T00:00:00Z")},
			}
			b.ReportAllocs()
			for b.Loop() {
				if p, err := plan.New(r, sources, plan.Limits{}); err != nil || p.Reads() < 100 {
					b.Fatal(p, err)
				}
			}
		})
	}
}

// BenchmarkOneExtent plans the common case: one source that claims all of it.
func BenchmarkOneExtent(b *testing.B) {
	key := domain.SeriesKey{Symbol: symbol, Grid: domain.Minute1.UTC()}
	all := domain.Range{Start: utc("2014-01-01T00:00:00Z"), End: utc("2024-01-01T00:00:00Z")}
	sources := []plan.Source{{Name: "memory", Bars: []domain.Extent{{Key: key, Range: all}}}}
	r := plan.Request{Key: key, Range: domain.Range{Start: all.End.Add(-200 * time.Minute), End: all.End}}
	b.ReportAllocs()
	for b.Loop() {
		if p, err := plan.New(r, sources, plan.Limits{Reads: 64, Slots: 1e8, Bars: 1e6}); err != nil || p.Reads() != 1 {
			b.Fatal(p, err)
		}
	}
}
