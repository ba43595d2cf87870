package postgres_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// TestExistingTablesThroughViews proves that the views of testdata/existing_tables.sql make existing tables readable
// for a role that may only read.
func TestExistingTablesThroughViews(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	tables, err := os.ReadFile("testdata/existing_tables.sql")
	if err != nil {
		t.Fatal(err)
	}

	reader := servers.PostgresReader(t, dsn, string(tables)+`
		INSERT INTO public.instruments
			VALUES (7, 'kraken', 'BTC', 'USD'), (8, 'kraken', 'ETH', 'USD'), (9, 'kraken', 'XRP', 'USD');
		INSERT INTO public.candles
			SELECT i, '2024-03-01'::timestamptz + n * interval '1 minute', 0.1 + n, 0.3 + n, 0.1, 0.2, n + 0.001
			FROM generate_series(0, 19999) n, (VALUES (7), (8)) AS v (i)`)
	s, closeStore, err := postgres.Open(t.Context(), postgres.Config{
		DSN: secret.New(reader), MinConns: 1, MaxConns: 2,
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}

	start := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	key := domain.SeriesKey{Symbol: "KRAKEN:BTC/USD", Grid: domain.Minute1.UTC()}
	whole := domain.Range{Start: start, End: start.Add(20_000 * time.Minute)}
	n := 0
	for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: key, Range: whole}).Rows() {
		if err != nil {
			t.Fatal(err)
		}
		n += piece.Len()
	}

	if n != 20_000 {
		t.Errorf("%d bars", n)
	}
	var last domain.Series
	for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: key, Range: whole, Last: 1}).Rows() {
		if err != nil {
			t.Fatal(err)
		}
		last = piece
	}

	const want = "2024-03-14T21:19:00Z o=19999.1 h=19999.3 l=0.1 c=0.2 v=19999.001"
	if last.Len() != 1 || !strings.HasPrefix(last.At(0).String(), want) {
		t.Errorf("the last bar is %s", last)
	}
	extents, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{Symbols: []domain.Symbol{key.Symbol, "KRAKEN:XRP/USD"}}))
	if want := []domain.Extent{{Key: key, Range: whole, Inferred: true}}; err != nil || !slices.Equal(extents, want) {
		t.Errorf("%v, %v", extents, err)
	}
	metas, err := ports.Collect(s.Symbols(t.Context(), ports.SymbolQuery{Pattern: "KRAKEN:*"}))
	if err != nil || len(metas) != 3 ||
		metas[0].Symbol != key.Symbol || metas[0].Venue != "KRAKEN" || metas[0].Base != "BTC" {
		t.Errorf("%v, %v", metas, err)
	}
	_, err = ports.WriteBars(t.Context(), s, last, last.Range(), ports.ReplaceOnConflict)
	if !errors.Is(err, ports.ErrSchema) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("a write gave %v", err)
	}
	if err := s.PutSymbols(t.Context(), metas...); !errors.Is(err, ports.ErrForeignSchema) {
		t.Errorf("a write of symbols gave %v", err)
	}
	if isVersioned, err := s.KeepsVersions(t.Context()); isVersioned || err != nil {
		t.Errorf("versioned: %t, %v", isVersioned, err)
	}
	if states, err := s.ReadStates(t.Context(), []ports.SeriesQuery{{Key: key}}); !errors.Is(err, ports.ErrSchema) {
		t.Errorf("got the states %v, %v", states, err)
	}
	for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: key, Range: whole, First: 1}) {
		if err != nil || piece.State != nil || piece.Rows.Len() != 1 {
			t.Errorf("a read gave %d bars with the state %v, %v", piece.Rows.Len(), piece.State, err)
		}
	}
}
