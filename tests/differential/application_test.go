package differential

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestApplicationOnServers plays two processes, each the whole application as it is wired for production, planner and chunk cache over
// PostgreSQL and InfluxDB, against the application without a cache over memory. What one writes the other sees once it heard of it, and
// then every answer is that of the model to the digit, with what nobody holds, what was filled, found and read, and where to go on.
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
			leave := func() {
				if s != nil {
					open.close()
				}
				s = nil
			}
			defer leave()
			rapid.Check(t, func(rt *rapid.T) {
				if s != nil && s.acts == actsAStage {
					s.used(t)
					leave()
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

// used fails where a cache was not in use: then nothing was compared through it.
func (s *stage) used(tb testing.TB) {
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

// A write of which no process is told is not seen by who had the bars in its cache, and the comparison says so.
func TestComparisonFindsAnOldAnswer(t *testing.T) {
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
		return same(ports.BatchResult{Result: got, Err: err}, ports.BatchResult{Result: want, Err: wantErr})
	}
	for price, told := range []func(ports.BarWriter) ports.BarWriter{
		func(through ports.BarWriter) ports.BarWriter { return through },
		func(ports.BarWriter) ports.BarWriter { return s.postgres },
	} {
		bars, err := domain.NewSeries(key, priced(opens, int64(1_000+price)))
		if err != nil {
			t.Fatal(err)
		}

		for _, w := range []ports.BarWriter{a.store, told(s.processes[0].stores)} {
			if _, err := w.WriteBars(t.Context(), bars, bars.Range()); err != nil {
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
