package differential

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/effort"
	"github.com/gal-friday/marketdata/tests/servers"
)

// shortActs is how many acts each variant plays in the short form: more than one stage serves.
const shortActs = 30

// TestApplicationOnServers compares two processes, each the whole application as wired for production over PostgreSQL
// and InfluxDB, with the model: an application without a cache over memory. When a process has received the
// hint of a write, its results equal those of the model to the digit, with coverage, fills, quality report,
// provenance and next page.
func TestApplicationOnServers(t *testing.T) {
	t.Parallel()
	for name, redis := range map[string]func(testing.TB) string{
		"alone": func(testing.TB) string { return "" }, "with redis": servers.Redis,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := redis(t)
			var s *stage
			var open *scope
			closeStage := func() {
				if s != nil {
					open.close()
				}
				s = nil
			}
			defer closeStage()
			effort.Check(t, shortActs, func(rt *rapid.T) {
				if s != nil && s.acts == actsPerStage {
					s.requireCacheUse(t)
					closeStage()
				}

				if s == nil {
					open = &scope{TB: t}
					s = openStage(open, address)
				}

				a, err := s.newAct(rt.Context())
				if err != nil {
					rt.Fatal(err)
				}
				if err := a.play(rt); err != nil {
					rt.Fatal(err)
				}
			})
		})
	}
}

// requireCacheUse fails the test if a cache was not used, because then no result came through it.
func (s *stage) requireCacheUse(tb testing.TB) {
	tb.Helper()
	for i := range s.processes {
		for _, source := range s.processes[i].sources {
			use := source.Cache.Stats()
			tb.Logf("process %d, %s: %+v", i, source.Name, use)
			if use.Hits == 0 || use.Misses == 0 {
				tb.Errorf("process %d never read %s out of its cache: %+v", i, source.Name, use)
			}
		}
	}
}

// A write that a process does not have is a stale result, and the comparison finds it.
func TestComparisonFindsStaleResult(t *testing.T) {
	t.Parallel()
	s := openStage(t, "")
	a, err := s.newAct(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	key := domain.SeriesKey{Symbol: a.symbol(roles[0]), Grid: domain.Hour1.UTC()}
	opens := a.edges(key.Grid)[0]
	if err := s.clock.Set(a.middle); err != nil {
		t.Fatal(err)
	}

	request := domain.DataRequest{Key: key, Start: opens, End: opens.Add(time.Hour)}
	compared := func() error {
		want, wantErr := a.model.Fetch(t.Context(), request)
		got, err := s.processes[1].Fetch(t.Context(), request)
		return compareResults(ports.BatchResult{Result: got, Err: err}, ports.BatchResult{Result: want, Err: wantErr})
	}
	for price, writers := range [][]ports.BarWriter{{a.store, s.processes[0].stores}, {a.store}} {
		bars, err := domain.NewSeries(key, barAround(opens, int64(1_000+price)))
		if err != nil {
			t.Fatal(err)
		}

		for _, w := range writers {
			if _, err := ports.WriteBars(t.Context(), w, bars, bars.Range(), ports.ConflictReplace); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.barrier(t.Context()); err != nil {
			t.Fatal(err)
		}

		if err := compared(); (err != nil) != (price == 1) {
			t.Errorf("write %d: %v", price, err)
		}
	}
}
