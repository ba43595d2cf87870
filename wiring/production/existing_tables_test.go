package production_test

import (
	"os"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/cache/redis"
	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/wiring"
	"github.com/gal-friday/marketdata/wiring/production"
)

// TestExistingTables proves that every driving port works over the views of the example for existing tables, as a role
// that may only read them, and with a shared cache that it cannot use.
func TestExistingTables(t *testing.T) {
	t.Parallel()
	tables, err := os.ReadFile("../../adapters/store/postgres/testdata/existing_tables.sql")
	if err != nil {
		t.Fatal(err)
	}

	reader := servers.PostgresReader(t, servers.Postgres(t), string(tables)+`
		INSERT INTO public.instruments VALUES (1, 'kraken', 'BTC', 'USD'), (2, 'kraken', 'ETH', 'USD');
		INSERT INTO public.candles SELECT i, '2024-03-01'::timestamptz + n * interval '1 minute', 1, 1.5, 1, 1.25, n
			FROM generate_series(0, 9) n, (VALUES (1), (2)) AS v (i)`)
	cfg := wiring.Config{}
	cfg.Postgres.DSN = secret.New(reader)
	cfg.Cache.Redis.URL = secret.New(servers.Redis(t))
	s, closeService, err := production.Open(t.Context(), cfg, production.Options{Redis: redis.OpenShared})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeService)
	key := domain.SeriesKey{Symbol: "KRAKEN:BTC/USD", Grid: domain.Minute1.UTC()}
	start := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	whole := domain.Range{Start: start, End: start.Add(10 * time.Minute)}
	for request, want := range map[domain.DataRequest]int{
		{Key: key}: 10, {Key: key, Last: 3}: 3, {Key: key, First: 4, Fresh: true}: 4,
		{Key: domain.SeriesKey{Symbol: key.Symbol, Grid: domain.Minute5.UTC()}}: 2,
	} {
		result, err := s.Fetch(t.Context(), request)
		if err != nil || result.Series.Len() != want || len(result.Inferred) == 0 {
			t.Errorf("got %d bars of %+v, %v", result.Series.Len(), request, err)
		}
	}

	bars := 0
	pieces, _ := s.Stream(t.Context(), domain.DataRequest{Key: key})
	for piece, err := range pieces {
		if bars += piece.Len(); err != nil {
			t.Error(err)
		}
	}
	if bars != 10 {
		t.Errorf("streamed %d bars", bars)
	}

	other := domain.SeriesKey{Symbol: "KRAKEN:ETH/USD", Grid: key.Grid}
	for i, r := range s.FetchMany(t.Context(), []domain.DataRequest{{Key: key}, {Key: other, Last: 2}}) {
		if want := [...]int{10, 2}[i]; r.Err != nil || r.Result.Series.Len() != want {
			t.Errorf("got %d bars of request %d, %v", r.Result.Series.Len(), i, r.Err)
		}
	}

	coverage, err := ports.Collect(s.Coverage(t.Context()))
	if err != nil || len(coverage) != 2 || !coverage[0].Range.Equal(whole) || !coverage[0].Inferred {
		t.Errorf("got coverage %v, %v", coverage, err)
	}
	if ticks, err := ports.Collect(s.TickCoverage(t.Context())); err != nil || len(ticks) != 0 {
		t.Errorf("got coverage of ticks %v, %v", ticks, err)
	}
	if _, err := s.Describe(t.Context(), key.Symbol); err != nil {
		t.Error(err)
	}
	if metas, err := ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{})); err != nil || len(metas) != 2 {
		t.Errorf("got symbols %v, %v", metas, err)
	}
	d := diagnoseInTime(t, func() (ports.Diagnosis, error) { return s.Diagnose(t.Context()) })
	if d.State() == ports.HealthDown {
		t.Errorf("got diagnosis %+v", d)
	}
	if r, err := s.FetchTrades(t.Context(), domain.TickRequest{Symbol: key.Symbol}); err != nil || r.Ticks.Len() != 0 {
		t.Errorf("got trades %v, %v", r.Ticks, err)
	}
}
