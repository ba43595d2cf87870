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

// openExisting returns a store over the tables and views of testdata/existing_tables.sql, as a role that may only read,
// after the script inserted rows.
func openExisting(t *testing.T, rows string) *postgres.Store {
	t.Helper()
	tables, err := os.ReadFile("testdata/existing_tables.sql")
	if err != nil {
		t.Fatal(err)
	}

	s, closeStore, err := postgres.Open(t.Context(), postgres.Config{
		DSN:      secret.New(servers.PostgresReader(t, servers.Postgres(t), string(tables)+rows)),
		MinConns: 1, MaxConns: 2,
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)

	return s
}

// TestExistingTablesThroughViews proves that the views of testdata/existing_tables.sql make existing tables readable
// for a role that may only read.
func TestExistingTablesThroughViews(t *testing.T) {
	t.Parallel()
	s := openExisting(t, `
		INSERT INTO public.instruments
			VALUES (7, 'kraken', 'BTC', 'USD'), (8, 'kraken', 'ETH', 'USD'), (9, 'kraken', 'XRP', 'USD');
		INSERT INTO public.candles
			SELECT i, '2024-03-01'::timestamptz + n * interval '1 minute', 0.1 + n, 0.3 + n, 0.1, 0.2, n + 0.001
			FROM generate_series(0, 19999) n, (VALUES (7), (8)) AS v (i)`)
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
	_, err = ports.WriteBars(t.Context(), s, last, last.Range(), ports.ConflictReplace)
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

// TestExistingTablesWithImpossibleTimes proves that rows whose times no bar can have are no part of coverage and reads,
// and that those of one series do not hide the others.
func TestExistingTablesWithImpossibleTimes(t *testing.T) {
	t.Parallel()
	s := openExisting(t, `
		INSERT INTO public.instruments VALUES (1, 'k', 'AFTER', 'USD'), (2, 'k', 'BEFORE', 'USD'), (3, 'k', 'BOTH', 'USD'),
			(4, 'k', 'FAR', 'USD'), (5, 'k', 'GOOD', 'USD'), (6, 'k', 'NONE', 'USD'), (7, 'k', 'OVER', 'USD');
		INSERT INTO public.candles
			SELECT i, '2024-03-01'::timestamptz + n * interval '1 minute', 1, 1, 1, 1, 1
			FROM generate_series(0, 9) n, (VALUES (1), (2), (3), (4), (5)) AS v (i);
		INSERT INTO public.candles
			SELECT i, time::timestamptz, 1, 1, 1, 1, 1 FROM (VALUES (1, 'infinity'), (2, '-infinity'), (3, '-infinity'),
				(3, 'infinity'), (4, '0044-03-15 BC'), (4, '200000-01-01'), (6, 'infinity'), (6, '-infinity')) AS v (i, time)`)

	start := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	whole := domain.Range{Start: start, End: start.Add(10 * time.Minute)}
	all := domain.Range{Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
	var want []domain.Extent
	for _, symbol := range []domain.Symbol{"K:AFTER/USD", "K:BEFORE/USD", "K:BOTH/USD", "K:FAR/USD", "K:GOOD/USD"} {
		key := domain.SeriesKey{Symbol: symbol, Grid: domain.Minute1.UTC()}
		want = append(want, domain.Extent{Key: key, Range: whole, Inferred: true})
		q := ports.BarQuery{Key: key, Range: all}
		if n, err := countBars(t.Context(), s, q); n != 10 || err != nil {
			t.Errorf("%s: %d bars, %v", symbol, n, err)
		}
		q.Last = 2
		if n, err := countBars(t.Context(), s, q); n != 2 || err != nil {
			t.Errorf("%s: the last %d bars, %v", symbol, n, err)
		}
	}

	for _, q := range []ports.ExtentQuery{{}, {Symbols: []domain.Symbol{
		"K:AFTER/USD", "K:BEFORE/USD", "K:BOTH/USD", "K:FAR/USD", "K:GOOD/USD", "K:NONE/USD", "K:OVER/USD",
	}}} {
		if extents, err := ports.Collect(s.Extents(t.Context(), q)); err != nil || !slices.Equal(extents, want) {
			t.Errorf("got %v, %v\nwant %v", extents, err, want)
		}
	}
}

// TestExistingTablesWithRangesOfViews proves that ranges of a view that are none, or without end, do not fail a listing.
func TestExistingTablesWithRangesOfViews(t *testing.T) {
	t.Parallel()
	s := openExisting(t, `
		INSERT INTO public.instruments VALUES (1, 'k', 'A', 'USD'), (2, 'k', 'B', 'USD'), (3, 'k', 'C', 'USD');
		CREATE OR REPLACE VIEW marketdata.coverage (symbol_id, series_id, start_time, end_time, inferred) AS VALUES
			(1, 1, '2024-03-01'::timestamptz, 'infinity'::timestamptz, false), (2, 1, NULL, '2024-03-01', true),
			(3, 1, '2024-03-01', '2023-03-01', true)`)
	extents, err := ports.Collect(s.Extents(t.Context(), ports.ExtentQuery{}))
	if err != nil || len(extents) != 1 || extents[0].Key.Symbol != "K:A/USD" || extents[0].Range.End.Year() != 9999 {
		t.Errorf("got %v, %v", extents, err)
	}
}
