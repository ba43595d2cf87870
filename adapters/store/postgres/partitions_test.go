package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// hourlyBars returns n hourly bars from a time on.
func hourlyBars(t *testing.T, symbol domain.Symbol, from time.Time, n int) domain.Series {
	t.Helper()
	b := domain.NewSeriesBuilder(domain.SeriesKey{Symbol: symbol, Grid: domain.Hour1.UTC()}, n)
	for i := range n {
		price, err := domain.NewDecimal(int64(10_000+i), 2)
		if err != nil {
			t.Fatal(err)
		}

		bar := domain.Bar{OpenTime: from.Add(time.Duration(i) * time.Hour),
			Open: price, High: price, Low: price, Close: price, Volume: price, Trades: 1}
		if err := b.Append(bar); err != nil {
			t.Fatal(err)
		}
	}

	s, err := b.Series()
	if err != nil {
		t.Fatal(err)
	}

	return s
}

// TestNewPartitionsBlockNothing proves that creating a partition neither waits for open transactions of readers and
// writers nor blocks new ones.
func TestNewPartitionsBlockNothing(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	s := openMigrated(t, dsn)
	first := hourlyBars(t, "BTC/USD", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 1_000)
	if _, err := ports.WriteBars(t.Context(), s, first, first.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}

	// A reader and a writer whose transactions stay open and keep their locks on the table.
	for _, sql := range []string{
		"SELECT count(*) FROM marketdata.bars",
		"UPDATE marketdata.bars SET trades = 7 WHERE open_time < '2020-01-02'",
	} {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}

		defer conn.Close(context.WithoutCancel(t.Context()))
		if _, err := conn.Exec(t.Context(), "BEGIN; "+sql); err != nil {
			t.Fatal(err)
		}
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // ends a wait for a lock
	defer cancel()

	// A partition is created in a transaction that stays open too.
	creator, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer creator.Close(context.WithoutCancel(t.Context()))
	if _, err := creator.Exec(ctx, "BEGIN; SELECT marketdata.ensure_partitions('bars', '{2021-01-01Z}')"); err != nil {
		t.Fatal(err)
	}
	if n := countBars(ctx, t, s, first); n != first.Len() {
		t.Fatalf("%d bars", n)
	}
	if _, err := ports.WriteBars(ctx, s, first.Slice(500, 600), first.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if _, err := creator.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}

	next := hourlyBars(t, "BTC/USD", time.Date(2021, 12, 31, 0, 0, 0, 0, time.UTC), 48) // 2021 exists, 2022 does not
	if _, err := ports.WriteBars(ctx, s, next, next.Range(), ports.ConflictReplace); err != nil {
		t.Fatal(err)
	}
	if n := countBars(ctx, t, s, next); n != next.Len() {
		t.Fatalf("%d bars", n)
	}
}

func countBars(ctx context.Context, t *testing.T, s *Store, bars domain.Series) (n int) {
	t.Helper()
	for piece, err := range s.ReadBars(ctx, ports.BarQuery{Key: bars.Key(), Range: bars.Range()}).Rows() {
		if err != nil {
			t.Fatal(err)
		}
		n += piece.Len()
	}

	return n
}

func TestConcurrentWritersCreatePartitions(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	errs := make(chan error)
	const writers = 4
	for i := range writers {
		symbol := domain.Symbol(fmt.Sprintf("COIN%d/USD", i))
		bars := hourlyBars(t, symbol, time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC), 50_000) // almost six years
		go func() {
			_, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace)
			errs <- err
		}()
	}

	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
