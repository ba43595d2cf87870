package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

func openEmpty(t *testing.T, dsn string) *Store {
	t.Helper()
	s, closeStore, err := Open(t.Context(), Config{
		DSN: dsn, MinConns: 1, MaxConns: 4, AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(closeStore)
	return s
}

func openMigrated(t *testing.T, dsn string) *Store {
	t.Helper()
	s := openEmpty(t, dsn)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}

	return s
}

func appliedMigrations(t *testing.T, s *Store) (names []string) {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), "SELECT name FROM marketdata.migrations ORDER BY name")
	if err == nil {
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatal(err)
	}

	return names
}

func TestMigrationsByManyAtOnceAndAgain(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	const processes = 4
	errs := make(chan error)
	for range processes {
		s := openEmpty(t, dsn)
		go func() { errs <- errors.Join(s.Migrate(t.Context()), s.Migrate(t.Context())) }()
	}

	for range processes {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}

	files, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		t.Fatal(err)
	}
	if names := appliedMigrations(t, openEmpty(t, dsn)); len(names) != len(files) {
		t.Fatalf("%d files, applied %v", len(files), names)
	}
}

// A migration that fails leaves nothing of itself, keeps those before it, and is tried again.
func TestMigrationThatFails(t *testing.T) {
	t.Parallel()
	s := openEmpty(t, servers.Postgres(t))
	file := func(sql string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(sql)} }
	files := fstest.MapFS{
		"1_first.tx.up.sql":  file("CREATE TABLE marketdata.first ()"),
		"2_second.tx.up.sql": file("CREATE TABLE marketdata.second ();\n--bun:split\nSELECT 1 / 0"),
	}
	if err := s.migrate(t.Context(), files); err == nil {
		t.Fatal("no error")
	}
	if names := appliedMigrations(t, s); fmt.Sprint(names) != "[1]" {
		t.Fatalf("applied %v", names)
	}

	files["2_second.tx.up.sql"] = file("CREATE TABLE marketdata.second ()") // refused if the first try had left one
	if err := s.migrate(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	if names := appliedMigrations(t, s); fmt.Sprint(names) != "[1 2]" {
		t.Fatalf("applied %v", names)
	}
}

// A process that dies while it migrates leaves no lock.
func TestMigrationAfterACrash(t *testing.T) {
	t.Parallel()
	s := openEmpty(t, servers.Postgres(t))
	crashed, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	defer crashed.Release()
	if _, err := crashed.Exec(t.Context(), lockMigrations); err != nil {
		t.Fatal(err)
	}

	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Migrate(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("while another migrates: %v", err)
	}
	if err := crashed.Conn().PgConn().Conn().Close(); err != nil { // the server sees a client that is gone
		t.Fatal(err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
}

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

// A new partition neither waits for a reader that goes on for long nor holds one up, nor a writer.
func TestPartitionsStopNobody(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	s := openMigrated(t, dsn)
	first := hourlyBars(t, "BTC/USD", time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 1_000)
	if _, err := s.WriteBars(t.Context(), first, first.Range()); err != nil {
		t.Fatal(err)
	}

	// A reader and a writer in transactions that stay open: they hold their locks on the table.
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

	short, cancel := context.WithTimeout(t.Context(), time.Minute) // a lock would be waited for to the end of the test
	defer cancel()
	// Partition and row are made in a transaction that stays open too.
	making, err := pgx.Connect(short, dsn)
	if err != nil {
		t.Fatal(err)
	}

	defer making.Close(context.WithoutCancel(t.Context()))
	if _, err := making.Exec(short, "BEGIN; SELECT marketdata.ensure_partitions('bars', '{2021-01-01Z}')"); err != nil {
		t.Fatal(err)
	}
	if n := countBars(t, short, s, first); n != first.Len() {
		t.Fatalf("%d bars", n)
	}
	if _, err := s.WriteBars(short, first.Slice(500, 600), first.Range()); err != nil {
		t.Fatal(err)
	}
	if _, err := making.Exec(short, "COMMIT"); err != nil {
		t.Fatal(err)
	}

	next := hourlyBars(t, "BTC/USD", time.Date(2021, 12, 31, 0, 0, 0, 0, time.UTC), 48) // 2021 is there, 2022 is not
	if _, err := s.WriteBars(short, next, next.Range()); err != nil {
		t.Fatal(err)
	}
	if n := countBars(t, short, s, next); n != next.Len() {
		t.Fatalf("%d bars", n)
	}
}

func countBars(t *testing.T, ctx context.Context, s *Store, bars domain.Series) (n int) {
	t.Helper()
	for piece, err := range s.ReadBars(ctx, ports.BarQuery{Key: bars.Key(), Range: bars.Range()}) {
		if err != nil {
			t.Fatal(err)
		}
		n += piece.Len()
	}

	return n
}

func TestPartitionsMadeByManyAtOnce(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	errs := make(chan error)
	const writers = 4
	for i := range writers {
		bars := hourlyBars(t, domain.Symbol(fmt.Sprintf("COIN%d/USD", i)), time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC), 50_000) // six years
		go func() {
			_, err := s.WriteBars(t.Context(), bars, bars.Range())
			errs <- err
		}()
	}

	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// plan is what EXPLAIN (ANALYZE, FORMAT JSON) says of a node.
type analyzedPlan struct {
	Node    string  `json:"Node Type"`
	Table   string  `json:"Relation Name"`
	Index   string  `json:"Index Name"`
	Rows    float64 `json:"Actual Rows"`
	Loops   float64 `json:"Actual Loops"`
	Removed float64 `json:"Rows Removed by Filter"`
	Plans   []analyzedPlan
}

func (p analyzedPlan) walk(visit func(analyzedPlan)) {
	visit(p)
	for _, child := range p.Plans {
		child.walk(visit)
	}
}

// On ten years of data, a read touches the partitions of its range and, by the key's index, the rows that it returns.
func TestReadsNeverScanHistory(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	start := time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, symbol := range []domain.Symbol{"BTC/USD", "ETH/USD"} {
		bars := hourlyBars(t, symbol, start, 10*365*24)
		if _, err := s.WriteBars(t.Context(), bars, bars.Range()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.pool.Exec(t.Context(), "ANALYZE marketdata.bars"); err != nil {
		t.Fatal(err)
	}

	june := func(year, days int) [2]time.Time {
		from := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		return [2]time.Time{from, from.AddDate(0, 0, days)}
	}
	ever := [2]time.Time{time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	one := func(bounds [2]time.Time, limit int) string {
		args := fmt.Sprintf("'BTC/USD', 'trade', '1h', '%s', '%s'", bounds[0].Format(time.RFC3339), bounds[1].Format(time.RFC3339))
		if limit > 0 {
			args += fmt.Sprintf(", %d", limit)
		}
		return args
	}
	each := func(bounds [2]time.Time, first, last int) string { // of both symbols
		array := func(v any) string { return fmt.Sprintf("array_fill('%v'::text, ARRAY[2])", v) }
		return fmt.Sprintf("ARRAY['BTC/USD', 'ETH/USD'], %s, %s, %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[]",
			array("trade"), array("1h"), array(bounds[0].Format(time.RFC3339)), array(bounds[1].Format(time.RFC3339)), array(first), array(last))
	}
	for _, c := range []struct {
		name   string
		sql    string
		args   string
		rows   float64 // returned
		tables int     // at most so many partitions are read
	}{
		{"a week", barSQL.selectAll, one(june(2019, 7), 0), 7 * 24, 1},
		{"across the year's end", barSQL.selectAll, one(june(2019, 365), 0), 365 * 24, 2},
		{"the first of all", barSQL.selectFirst, one(ever, 500), 500, 1},
		{"the last of all", barSQL.selectLast, one(ever, 500), 500, 1},
		{"the last of a week", barSQL.selectLast, one(june(2020, 7), 10), 10, 1},
		{"nothing there", barSQL.selectAll, one(june(2035, 7), 0), 0, 0},
		{"weeks of many", selectBatch, each(june(2019, 7), 0, 0), 2 * 7 * 24, 1},
		{"the first of many", selectBatch, each(ever, 500, 0), 2 * 500, 1},
		{"the last of many", selectBatch, each(ever, 0, 500), 2 * 500, 1},
		{"nothing there of many", selectBatch, each(june(2035, 7), 0, 5), 0, 0},
	} {
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				conn, err := s.pool.Acquire(t.Context())
				if err != nil {
					t.Fatal(err)
				}

				defer conn.Release()
				if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = "+mode); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Exec(t.Context(), "PREPARE reading AS "+c.sql); err != nil {
					t.Fatal(err)
				}

				defer func() {
					if _, err := conn.Exec(context.WithoutCancel(t.Context()), "DEALLOCATE reading; RESET plan_cache_mode"); err != nil {
						t.Error(err)
					}
				}()
				var text []byte
				if err := conn.QueryRow(t.Context(), "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE reading ("+c.args+")").Scan(&text); err != nil {
					t.Fatal(err)
				}

				var explained []struct{ Plan analyzedPlan }
				if err := json.Unmarshal(text, &explained); err != nil {
					t.Fatal(err)
				}

				read, touched := 0.0, map[string]bool{}
				explained[0].Plan.walk(func(p analyzedPlan) {
					if !strings.HasPrefix(p.Table, "bars_") || p.Loops == 0 {
						return
					}

					touched[p.Table] = true
					read += (p.Rows + p.Removed) * p.Loops
					if p.Index == "" && p.Node != "Bitmap Heap Scan" {
						t.Errorf("%s of %s without an index", p.Node, p.Table)
					}
				})
				if read > c.rows || len(touched) > c.tables || explained[0].Plan.Rows != c.rows {
					t.Errorf("read %v rows of %v for %v of %v\n%s", read, touched, explained[0].Plan.Rows, c.rows, text)
				}
			})
		}
	}
}
