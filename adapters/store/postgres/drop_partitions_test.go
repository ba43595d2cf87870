package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

func year(n int) time.Time { return time.Date(n, 1, 1, 0, 0, 0, 0, time.UTC) }

// tablesLike returns the names of the tables of the schema that match a pattern of LIKE.
func tablesLike(t *testing.T, s *Store, pattern string) []string {
	t.Helper()
	const sql = `SELECT relname::text FROM pg_class WHERE relnamespace = 'marketdata'::regnamespace AND relkind = 'r'
		AND relname LIKE $1 ORDER BY relname`
	names, err := collect(t.Context(), s, "test", statement{sql, []any{pattern}}, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}

	return names
}

// wantDropped drops partitions, and again those that stay against expectation, because the server's own vacuum may use
// one for a moment.
func wantDropped(t *testing.T, s *Store, before time.Time, want ...ports.Partition) {
	t.Helper()
	var got []ports.Partition
	for range 10 {
		more, err := s.DropPartitions(t.Context(), before)
		if err != nil {
			t.Fatal(err)
		}

		got = slices.DeleteFunc(got, func(p ports.Partition) bool { return p.Kept != "" })
		got = append(got, more...)
		slices.SortFunc(got, func(a, b ports.Partition) int { return strings.Compare(a.Name, b.Name) })
		if slices.Equal(got, want) {
			return
		}
		if !slices.ContainsFunc(more, func(p ports.Partition) bool { return p.Kept != "" }) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}

	t.Errorf("got %v; want %v", got, want)
}

func deleteBars(t *testing.T, s *Store, bars domain.Series, r domain.Range) {
	t.Helper()
	if _, err := s.DeleteBars(t.Context(), bars.Key(), r); err != nil {
		t.Fatal(err)
	}
}

func writeBars(t *testing.T, s *Store, bars domain.Series) {
	t.Helper()
	if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}
}

// TestDropPartitions proves that partitions are dropped that are empty and end by the time, and no others, and that
// the same process writes there again.
func TestDropPartitions(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	a := hourlyBars(t, "BTC/USD", year(2018), 3*8760)
	b := hourlyBars(t, "ETH/USD", year(2018), 8760)
	writeBars(t, s, a)
	writeBars(t, s, b)
	one := domain.MustDecimal("1")
	trades, err := domain.NewTicks("BTC/USD", domain.Trade{Time: year(2018), Price: one, Size: one})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteTrades(t.Context(), trades, trades.Range(), ports.ConflictFail); err != nil {
		t.Fatal(err)
	}

	deleteBars(t, s, a, domain.Range{Start: year(2018), End: year(2020)})
	wantDropped(t, s, year(2019).Add(-time.Microsecond))
	wantDropped(t, s, year(2019)) // the other series has bars of 2018
	deleteBars(t, s, b, b.Range())
	wantDropped(t, s, year(2020).Add(-time.Microsecond), ports.Partition{Name: "bars_2018"})
	if names := tablesLike(t, s, "%\\_20%"); !slices.Equal(names, []string{"bars_2019", "bars_2020", "trades_2018_01"}) {
		t.Errorf("left are %v", names)
	}

	writeBars(t, s, b)
	if n := countBars(t.Context(), t, s, b); n != b.Len() {
		t.Errorf("%d bars written again, want %d", n, b.Len())
	}
	if n := countBars(t.Context(), t, s, a); n != 8784-24 { // 2020 is a leap year, and so its last day is missing
		t.Errorf("%d bars left", n)
	}

	if _, err := s.DeleteTrades(t.Context(), "BTC/USD", trades.Range()); err != nil {
		t.Fatal(err)
	}
	wantDropped(t, s, year(2030), ports.Partition{Name: "bars_2019"}, ports.Partition{Name: "trades_2018_01"})
}

// TestDropPartitionsKeepsForeignTables proves that a table of somebody else, and a partition that a view needs, stay.
func TestDropPartitionsKeepsForeignTables(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	for _, sql := range []string{
		"SELECT marketdata.ensure_partitions('bars', '{2018-01-01Z, 2019-01-01Z}')",
		"CREATE VIEW public.year AS SELECT * FROM marketdata.bars_2019",
		"CREATE TABLE marketdata.bars_2017 ()",
		"CREATE TABLE marketdata.archive PARTITION OF marketdata.bars FOR VALUES FROM (MINVALUE) TO ('2010-01-01Z')",
	} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}

	wantDropped(t, s, year(2030), ports.Partition{Name: "bars_2018"},
		ports.Partition{Name: "bars_2019", Kept: "another object depends on it"})
	for _, name := range []string{"bars_2017", "archive", "series", "bars_2018; DROP TABLE marketdata.blocks"} {
		var outcome string
		err := s.pool.QueryRow(t.Context(), dropPartition, name).Scan(&outcome)
		if err != nil || outcome != "gone" {
			t.Errorf("%s: got %q, %v", name, outcome, err)
		}
	}
	if names := tablesLike(t, s, "bars\\_%"); !slices.Equal(names, []string{"bars_2017", "bars_2019"}) {
		t.Errorf("left are %v", names)
	}
}

// TestDropPartitionsWaitsForNoTransaction proves that a partition stays while a transaction reads or writes the table,
// or has a snapshot from before, whose reads would find no row; and that the transaction is not disturbed.
func TestDropPartitionsWaitsForNoTransaction(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, reason string }{
		"reader":   {"BEGIN; SELECT count(*) FROM marketdata.bars", "an older transaction is open"},
		"writer":   {"BEGIN; UPDATE marketdata.bars SET trades = 7", "a transaction uses it"},
		"snapshot": {"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", "an older transaction is open"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := servers.Postgres(t)
			s := openMigrated(t, dsn)
			bars := hourlyBars(t, "BTC/USD", year(2018), 100)
			writeBars(t, s, bars)
			other, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}

			defer other.Close(context.WithoutCancel(t.Context()))
			if name == "writer" { // which would keep the rows from being deleted
				deleteBars(t, s, bars, bars.Range())
			}
			if _, err := other.Exec(t.Context(), c.sql); err != nil {
				t.Fatal(err)
			}
			if name != "writer" {
				deleteBars(t, s, bars, bars.Range())
			}

			start := time.Now()
			wantDropped(t, s, year(2030), ports.Partition{Name: "bars_2018", Kept: c.reason})
			if took := time.Since(start); took > 30*time.Second { // on a busy machine
				t.Errorf("it took %s", took)
			}

			var rows int
			if err := other.QueryRow(t.Context(), "SELECT count(*) FROM marketdata.bars").Scan(&rows); err != nil {
				t.Error(err)
			}
			if name == "snapshot" && rows != bars.Len() {
				t.Errorf("the snapshot has %d bars, want %d", rows, bars.Len())
			}
			if _, err := other.Exec(t.Context(), "COMMIT"); err != nil {
				t.Error(err)
			}
			wantDropped(t, s, year(2030), ports.Partition{Name: "bars_2018"})
		})
	}
}

// TestDropPartitionsBesideWriters drops partitions while others write bars there and delete them again. Every write
// succeeds, and the bars of the last one are there.
func TestDropPartitionsBesideWriters(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	const writers, rounds = 2, 150
	errs := make(chan error)
	for w := range writers {
		bars := hourlyBars(t, domain.Symbol(fmt.Sprintf("COIN%d/USD", w)), year(2018), 5)
		go func() {
			for range rounds {
				if _, err := s.DeleteBars(t.Context(), bars.Key(), bars.Range()); err != nil {
					errs <- err
					return
				}
				if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictFail); err != nil {
					errs <- err
					return
				}
				if n := countBars(t.Context(), t, s, bars); n != bars.Len() {
					errs <- fmt.Errorf("%d bars, want %d", n, bars.Len())
					return
				}
			}
			errs <- nil
		}()
	}

	ctx, stop := context.WithCancel(t.Context())
	var dropping sync.WaitGroup
	dropping.Go(func() {
		for ctx.Err() == nil {
			if _, err := s.DropPartitions(t.Context(), year(2030)); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(200 * time.Millisecond) // a write is tried three times
		}
	})
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	stop()
	dropping.Wait()
}
