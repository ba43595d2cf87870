package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
)

// roundTrips counts how often a client waits for the server: writes that follow a read.
type roundTrips struct {
	count   atomic.Int64
	hasRead atomic.Bool
}

type countedConn struct {
	net.Conn
	trips *roundTrips
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.trips.hasRead.Store(true)
	}

	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	if c.trips.hasRead.Swap(false) {
		c.trips.count.Add(1)
	}
	return c.Conn.Write(b)
}

// openCounted opens a store of one connection whose round trips are counted.
func openCounted(t *testing.T) (*Store, *roundTrips) {
	t.Helper()
	dsn := servers.Postgres(t)
	openMigrated(t, dsn)
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}

	trips := &roundTrips{}
	var dialer net.Dialer
	cfg.MaxConns = 1
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		return &countedConn{conn, trips}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(pool.Close)
	s, closeStore, err := New(pool, Config{})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)

	return s, trips
}

// minuteWrites returns a write of one minute for each of n series.
func minuteWrites(n, minute, seed int) []ports.BarWrite {
	walk := gen.Walk("BTC/USD", minute+seed+1)
	columns := walk.Slice(minute+seed, minute+seed+1).Columns()
	columns.OpenMicros = walk.Slice(minute, minute+1).Columns().OpenMicros
	writes := make([]ports.BarWrite, n)
	for i := range writes {
		s, err := domain.NewSeriesFromColumns(gen.MinuteKey(domain.Symbol(fmt.Sprintf("COIN%05d/USD", i))), columns)
		if err != nil {
			panic(err)
		}
		writes[i] = ports.BarWrite{Bars: s, Coverage: s.Range()}
	}

	return writes
}

// wantReports fails the test unless every result is the report.
func wantReports(t *testing.T, results []ports.WriteResult, want ports.WriteReport) {
	t.Helper()
	for i, r := range results {
		if r.Err != nil || r.Report != want {
			t.Fatalf("write %d: %+v, %v, want %+v", i, r.Report, r.Err, want)
		}
	}
}

// TestWriteBatchOfTenThousandSeries proves that the number of round trips does not grow with the number of series,
// whether the bars are new, equal or different.
func TestWriteBatchOfTenThousandSeries(t *testing.T) {
	t.Parallel()
	s, trips := openCounted(t)
	policy := func(writes []ports.BarWrite, p ports.ConflictPolicy) []ports.BarWrite {
		for i := range writes {
			writes[i].OnConflict = p
		}
		return writes
	}
	run := func(n, minute int) (counts []int64) {
		for _, c := range []struct {
			writes []ports.BarWrite
			want   ports.WriteReport
		}{
			{minuteWrites(n, minute, 0), ports.WriteReport{Inserted: 1}},
			{minuteWrites(n, minute+1, 0), ports.WriteReport{Inserted: 1}},
			{minuteWrites(n, minute+1, 0), ports.WriteReport{Unchanged: 1}},
			{policy(minuteWrites(n, minute+1, 7), ports.ConflictKeep), ports.WriteReport{Kept: 1}},
			{policy(minuteWrites(n, minute+1, 7), ports.ConflictReplace), ports.WriteReport{Changed: 1}},
		} {
			before := trips.count.Load()
			wantReports(t, s.WriteBatch(t.Context(), c.writes), c.want)
			counts = append(counts, trips.count.Load()-before)
		}

		return counts
	}
	run(1, 0) // prepares the statements
	few, many := run(10, 2), run(10_000, 4)
	for i := range few {
		const streaming = 4 // a long request is answered in part before it is sent
		if many[i] > few[i]+streaming {
			t.Errorf("%d round trips for 10,000 series, %d for 10", many, few)
		}
	}
}

// lockOneSeries locks the series of a symbol in a session of its own, until the returned function ends it.
func lockOneSeries(t *testing.T, dsn string, symbol domain.Symbol) (release func()) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}

	release = sync.OnceFunc(func() { conn.Close(ctx) })
	t.Cleanup(release)
	const lock = `SELECT FROM marketdata.series WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1)
		FOR UPDATE`
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, lock, string(symbol)); err != nil {
		t.Fatal(err)
	}

	return release
}

// TestBatchBesideALockedSeries proves that a batch writes the series that are free at once, and the locked one after the
// lock is free.
func TestBatchBesideALockedSeries(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	s := openMigrated(t, dsn)
	wantReports(t, s.WriteBatch(t.Context(), minuteWrites(20, 0, 0)), ports.WriteReport{Inserted: 1})
	writes := minuteWrites(20, 1, 0)
	locked := writes[7].Bars
	release := lockOneSeries(t, dsn, locked.Key().Symbol)

	results := make(chan []ports.WriteResult)
	go func() { results <- s.WriteBatch(context.WithoutCancel(t.Context()), writes) }()
	for i, w := range writes {
		for i != 7 && countBars(t.Context(), t, s, w.Bars) == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	if n := countBars(t.Context(), t, s, locked); n != 0 {
		t.Errorf("%d bars of a series that is locked", n)
	}

	release()
	wantReports(t, <-results, ports.WriteReport{Inserted: 1})
	if n := countBars(t.Context(), t, s, locked); n != 1 {
		t.Errorf("%d bars after the lock was released", n)
	}
}

// TestBatchBesideALockNeverReleased proves that only the locked series fails when the wait ends.
func TestBatchBesideALockNeverReleased(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	s := openMigrated(t, dsn)
	s.lockTimeout = 200 * time.Millisecond
	wantReports(t, s.WriteBatch(t.Context(), minuteWrites(20, 0, 0)), ports.WriteReport{Inserted: 1})
	writes := minuteWrites(20, 1, 0)
	lockOneSeries(t, dsn, writes[7].Bars.Key().Symbol)
	results := s.WriteBatch(t.Context(), writes)
	if r := results[7]; !errors.Is(r.Err, ports.ErrOverloaded) || r.Report != (ports.WriteReport{}) {
		t.Errorf("the locked series: %+v, %v", r.Report, r.Err)
	}

	wantReports(t, slices.Delete(results, 7, 8), ports.WriteReport{Inserted: 1})
}

// TestBatchesInOppositeOrders proves that batches over the same series in opposite orders never deadlock and lose
// nothing.
func TestBatchesInOppositeOrders(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	const series, minutes = 100, 10
	var running sync.WaitGroup
	for writer := range 2 {
		running.Go(func() {
			for m := range minutes {
				writes := minuteWrites(series, 2*m+writer, 0)
				if writer == 1 {
					slices.Reverse(writes)
				}
				for _, r := range s.WriteBatch(t.Context(), writes) {
					if r.Err != nil || r.Report.Inserted != 1 {
						t.Errorf("%+v, %v", r.Report, r.Err)
					}
				}
			}
		})
	}

	running.Wait()
	for _, w := range minuteWrites(series, 0, 0) {
		all := ports.BarQuery{Key: w.Bars.Key(), Range: gen.Walk("BTC/USD", 2*minutes).Range()}
		n := 0
		for piece, err := range s.ReadBars(t.Context(), all) {
			if err != nil {
				t.Fatal(err)
			}
			if n += piece.Rows.Len(); piece.State != nil && piece.State.Version.Revision != 2*minutes {
				t.Errorf("%s has revision %d", all.Key, piece.State.Version.Revision)
			}
		}
		if n != 2*minutes {
			t.Errorf("%s has %d bars", all.Key, n)
		}
	}
}

// TestBatchOfPoliciesAndGrids writes minutes and months, some of which are refused, equal or kept. A series that is not
// changed keeps its version.
func TestBatchOfPoliciesAndGrids(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	first := minuteWrites(4, 0, 0)
	wantReports(t, s.WriteBatch(t.Context(), first), ports.WriteReport{Inserted: 1})
	batch, months := minuteWrites(4, 0, 5), first[0]
	grid, err := domain.ParseGrid("1M@America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	columns := months.Bars.Columns()
	columns.OpenMicros = []int64{grid.Ceil(months.Bars.OpenTime(0)).UnixMicro()}
	key := domain.SeriesKey{Symbol: "MONTHS/USD", Grid: grid}
	if months.Bars, err = domain.NewSeriesFromColumns(key, columns); err != nil {
		t.Fatal(err)
	}
	months.Coverage = months.Bars.Range()
	batch[1].OnConflict, batch[2].OnConflict, batch[3] = ports.ConflictReplace, ports.ConflictKeep, first[3]

	results := s.WriteBatch(t.Context(), append(batch, months, months))
	for i, want := range []ports.WriteReport{{}, {Changed: 1}, {Kept: 1}, {Unchanged: 1}, {Inserted: 1}, {}} {
		if results[i].Report != want {
			t.Errorf("write %d: %+v, want %+v", i, results[i], want)
		}
	}
	if !errors.Is(results[0].Err, ports.ErrConflict) || !errors.Is(results[5].Err, ports.ErrInvalid) {
		t.Errorf("a conflict and a repetition are %v and %v", results[0].Err, results[5].Err)
	}

	for i, revision := range []int64{1, 2, 1, 1, 1} {
		w := append(batch[:4:4], months)[i]
		for piece, err := range s.ReadBars(t.Context(), ports.BarQuery{Key: w.Bars.Key(), Range: w.Coverage}) {
			if err != nil || piece.State != nil && piece.State.Version.Revision != revision {
				t.Errorf("series %d: %+v, %v, want revision %d", i, piece.State, err, revision)
			}
		}
	}
}
