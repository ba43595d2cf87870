package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// openAnalyzed returns a store with bars of several symbols in analyzed partitions that autovacuum does not maintain.
func openAnalyzed(t *testing.T) (s *postgres.Store, dsn string, bars domain.Series) {
	t.Helper()
	dsn = migrated.Postgres(t)
	var all []domain.Series
	for _, symbol := range []domain.Symbol{"ETH/USD", "XRP/USD", "BTC/USD"} {
		bars = gen.Walk(symbol, 10_000)
		all = append(all, bars)
	}

	for year := 2021; year < 2024; year++ {
		later := bars.At(0)
		later.OpenTime = time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		one, err := domain.NewSeries(bars.Key(), later)
		if err != nil {
			t.Fatal(err)
		}

		all = append(all, one)
	}

	writeAndDisconnect(t, dsn, all...)
	for _, p := range partitions(t, dsn) {
		mustExec(t, dsn, "ALTER TABLE "+p+" SET (autovacuum_enabled = off)")
	}
	waitForCount(t, dsn, "n_tup_ins", 30_003)
	mustExec(t, dsn, "VACUUM ANALYZE marketdata.bars")

	return open(t, postgres.Config{DSN: secret.New(dsn)}), dsn, bars
}

// writeAndDisconnect writes the bars through connections that end afterwards, because the server counts the changes of an
// open connection up to ten seconds late.
func writeAndDisconnect(t *testing.T, dsn string, all ...domain.Series) {
	t.Helper()
	s, closeStore, err := postgres.Open(t.Context(), postgres.Config{
		DSN: secret.New(dsn), MaxConns: 1, AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}

	defer closeStore()
	for _, bars := range all {
		writeBars(t, s, bars)
	}
}

// waitForCount waits until a statistics counter of the bars has reached a value. The server updates its counters late,
// and would otherwise count changes before an ANALYZE as changes after it.
func waitForCount(t *testing.T, dsn, column string, want int) {
	t.Helper()
	conn := connect(t, dsn)
	eventually(t, 30*time.Second, func() error {
		var n int
		err := conn.QueryRow(t.Context(),
			"SELECT sum("+column+") FROM pg_stat_user_tables WHERE relname ~ '^bars_|candles'").Scan(&n)
		if err == nil && n < want {
			err = fmt.Errorf("%s is %d, want %d", column, n, want)
		}

		return err
	})
}

func mustExec(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	if err := exec(t.Context(), dsn, statements...); err != nil {
		t.Fatal(err)
	}
}

func partitions(t *testing.T, dsn string) []string {
	t.Helper()
	rows, err := connect(t, dsn).Query(t.Context(),
		`SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'marketdata.bars'::regclass`)
	if err != nil {
		t.Fatal(err)
	}

	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}

	return names
}

func mustExplain(t *testing.T, s *postgres.Store, q ports.BarQuery) ports.ReadPlan {
	t.Helper()
	plan, err := s.ExplainRead(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}

	return plan
}

// wantAdvice waits until the advice for q contains every part; without parts, until there is no advice.
func wantAdvice(t *testing.T, s *postgres.Store, q ports.BarQuery, parts ...string) {
	t.Helper()
	eventually(t, 20*time.Second, func() error {
		plan, err := s.ExplainRead(t.Context(), q)
		if err != nil {
			return err
		}

		for _, part := range parts {
			if !slices.ContainsFunc(plan.Advice, func(advice string) bool { return strings.Contains(advice, part) }) {
				return fmt.Errorf("want %q in the advice %q for %q", part, plan.Advice, plan.Lines)
			}
		}
		if len(parts) == 0 && len(plan.Advice) > 0 {
			return fmt.Errorf("want none, got the advice %q for %q", plan.Advice, plan.Lines)
		}

		return nil
	})
}

func TestExplainHealthyReads(t *testing.T) {
	t.Parallel()
	s, _, bars := openAnalyzed(t)
	whole := queryAll(bars)
	unknown := whole
	unknown.Key.Symbol = "NO/SUCH"
	elsewhere := whole
	elsewhere.Range = domain.Range{
		Start: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(1900, 1, 1, 0, 0, 0, 1000, time.UTC),
	}
	empty := whole
	empty.Range.End = empty.Range.Start
	first, last := whole, whole
	first.First, last.Last = 500, 500
	for name, q := range map[string]ports.BarQuery{
		"whole": whole, "first": first, "last": last,
		"unknown symbol": unknown, "no partition": elsewhere, "empty range": empty,
	} {
		plan := mustExplain(t, s, q)
		if len(plan.Lines) == 0 || len(plan.Advice) > 0 {
			t.Errorf("%s: %q, advice %q", name, plan.Lines, plan.Advice)
		}
		text := strings.Join(plan.Lines, "\n")
		if q.Range.Covers(whole.Range) && !strings.Contains(text, "bars_") {
			t.Errorf("%s: the plan does not name the partition\n%s", name, text)
		}
		if q.Range == whole.Range && !strings.Contains(text, "Subplans Removed: 3") { // a generic plan
			t.Errorf("%s: the plan does not prune the partitions of three other years\n%s", name, text)
		}
		if limits := strings.Contains(text, "Limit"); limits != (q.First+q.Last > 0) {
			t.Errorf("%s: the plan is not of the statement that a read runs\n%s", name, text)
		}
	}

	// The session is as before, and reads work.
	if n, err := countBars(t.Context(), s, whole); n != bars.Len() || err != nil {
		t.Error(n, err)
	}
	if stats := s.PoolStats(); stats.InUse != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestExplainFindsMissingIndex(t *testing.T) {
	t.Parallel()
	s, dsn, bars := openAnalyzed(t)
	wantAdvice(t, s, queryAll(bars))
	mustExec(t, dsn, "ALTER TABLE marketdata.bars DROP CONSTRAINT bars_pkey")
	const restore = "ALTER TABLE marketdata.bars " +
		"ADD CONSTRAINT bars_pkey PRIMARY KEY (symbol_id, series_id, open_time)"
	wantAdvice(t, s, queryAll(bars), restore)
	wantAdvice(t, s, queryAll(bars), "the index bars_pkey", partitions(t, dsn)[0])
	mustExec(t, dsn, restore) // exactly as advised
	wantAdvice(t, s, queryAll(bars))
}

func TestExplainFindsInvalidIndex(t *testing.T) {
	t.Parallel()
	s, dsn, bars := openAnalyzed(t)
	partition := partitions(t, dsn)[0]
	mustExec(t, dsn, "UPDATE pg_index SET indisvalid = false WHERE indrelid = '"+partition+"'::regclass")
	mustExec(t, dsn, "ALTER TABLE "+partition+" SET (fillfactor = 100)") // invalidates cached plans
	restore := "REINDEX INDEX CONCURRENTLY " + partition + "_pkey"
	wantAdvice(t, s, queryAll(bars), restore)
	mustExec(t, dsn, restore)
	wantAdvice(t, s, queryAll(bars))
}

func TestExplainFindsOldStatistics(t *testing.T) {
	t.Parallel()
	s, dsn, bars := openAnalyzed(t)
	more := gen.Walk("SOL/USD", 20_000)
	writeAndDisconnect(t, dsn, more)
	partition := partitions(t, dsn)[0]
	wantAdvice(t, s, queryAll(bars), "ANALYZE "+partition)
	waitForCount(t, dsn, "n_tup_ins", 50_003)
	mustExec(t, dsn, "ANALYZE "+partition)
	wantAdvice(t, s, queryAll(bars))

	mustExec(t, dsn, "UPDATE marketdata.bars SET volume = volume + 1")
	waitForCount(t, dsn, "n_tup_upd", 50_003)
	mustExec(t, dsn, "ANALYZE "+partition)
	wantAdvice(t, s, queryAll(bars), "VACUUM "+partition)
	mustExec(t, dsn, "VACUUM "+partition)
	wantAdvice(t, s, queryAll(bars))
}

func TestExplainFindsNeverAnalyzed(t *testing.T) {
	t.Parallel()
	dsn := migrated.Postgres(t)
	s := open(t, postgres.Config{DSN: secret.New(dsn)})
	bars := gen.Walk("BTC/USD", 2)
	writeAndDisconnect(t, dsn, bars)
	wantAdvice(t, s, queryAll(bars)) // two rows need no statistics
	partition := partitions(t, dsn)[0]
	mustExec(t, dsn, "ALTER TABLE "+partition+" SET (autovacuum_enabled = off)")
	bars = gen.Walk("BTC/USD", 30_000)
	writeAndDisconnect(t, dsn, bars)
	wantAdvice(t, s, queryAll(bars), "ANALYZE "+partition)
	waitForCount(t, dsn, "n_tup_ins", 30_000)
	mustExec(t, dsn, "SELECT pg_stat_reset()") // as after a crash
	wantAdvice(t, s, queryAll(bars), "ANALYZE "+partition)
	mustExec(t, dsn, "ANALYZE "+partition)
	wantAdvice(t, s, queryAll(bars))
}

// TestExplainFindsBadSettings covers settings of a caller's pool; those of a role act alike.
func TestExplainFindsBadSettings(t *testing.T) {
	t.Parallel()
	_, dsn, bars := openAnalyzed(t)
	for name, c := range map[string]struct{ setting, value, advice string }{
		"no pruning": {"enable_partition_pruning", "off", "enable_partition_pruning = on"},
		"no index":   {"enable_indexscan", "off", "enable_indexscan"},
		"simple":     {"default_query_exec_mode", "simple_protocol", ""},
		"new york":   {"TimeZone", "America/New_York", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, err := pgxpool.New(t.Context(), changeDSN(t, dsn, func(_ *url.URL, q url.Values) {
				q.Set(c.setting, c.value)
				if name == "no index" {
					q.Set("enable_bitmapscan", "off")
				}
			}))
			if err != nil {
				t.Fatal(err)
			}

			defer pool.Close()
			s, closeStore, err := postgres.New(pool, postgres.Config{
				AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}

			defer closeStore()
			q := queryAll(bars)
			q.Range.End = q.Range.Start.Add(time.Hour)
			if c.advice == "" {
				wantAdvice(t, s, q)
			} else {
				wantAdvice(t, s, q, c.advice)
			}
		})
	}
}

// TestExplainThroughViews proves that a read through views has a plan, and advice about the tables behind the views.
func TestExplainThroughViews(t *testing.T) {
	t.Parallel()
	dsn := servers.Postgres(t)
	mustExec(t, dsn, "CREATE SCHEMA marketdata",
		`CREATE TABLE public."odd %I candles" (symbol_id integer, series_id integer, open_time timestamptz,
			open numeric, high numeric, low numeric, close numeric, volume numeric, trades bigint)`,
		`CREATE VIEW marketdata.symbols AS SELECT 7 AS id, 'BTC/USD'::text AS symbol`,
		`CREATE VIEW marketdata.series AS SELECT 7 AS symbol_id, 1 AS id, 'trade'::text AS kind, '1m'::text AS grid`,
		`CREATE VIEW marketdata.bars AS TABLE public."odd %I candles"`,
		`INSERT INTO public."odd %I candles"
			SELECT n % 100, 1, '2024-03-01'::timestamptz + n * interval '1 minute', 1, 1, 1, 1, 1, 1
			FROM generate_series(1, 50000) n`)
	waitForCount(t, dsn, "n_tup_ins", 50_000)
	mustExec(t, dsn, `ANALYZE public."odd %I candles"`)
	s := openUnmigrated(t, dsn)
	q := ports.BarQuery{Key: gen.MinuteKey("BTC/USD"), Range: domain.Range{
		Start: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2024, 3, 2, 0, 0, 0, 0, time.UTC),
	}}
	wantAdvice(t, s, q, `the whole of public."odd %I candles" is read`, "create an index")
	mustExec(t, dsn, `CREATE INDEX ON public."odd %I candles" (symbol_id, open_time)`,
		`CREATE INDEX ON public."odd %I candles" ((series_id + 1))`)
	wantAdvice(t, s, q)
}

func TestExplainErrors(t *testing.T) {
	t.Parallel()
	s, dsn, bars := openAnalyzed(t)
	q := queryAll(bars)
	wrong := q
	wrong.Key.Symbol = "BTC,USD"
	_, err := s.ExplainRead(t.Context(), wrong)
	wantKind(t, err, ports.ErrInvalid)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.ExplainRead(canceled, q)
	wantKind(t, err, ports.ErrCanceled)

	// A call that is canceled while the server waits for a lock leaves no statement behind.
	other, watch := connect(t, dsn), connect(t, dsn)
	if _, err := other.Exec(t.Context(), "BEGIN; LOCK TABLE marketdata.bars"); err != nil {
		t.Fatal(err)
	}

	waiting, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := s.ExplainRead(waiting, q)
		failed <- err
	}()
	eventually(t, 10*time.Second, func() error {
		n, err := activeStatements(t.Context(), watch)
		if err == nil && n < 2 { // one is the transaction with the lock
			err = errors.New("no statement waits for the lock")
		}

		return err
	})
	cancel()
	wantKind(t, <-failed, ports.ErrCanceled)
	eventually(t, 10*time.Second, func() error {
		n, err := activeStatements(t.Context(), watch)
		if err == nil && n > 1 {
			err = errors.New("the statement still waits for the lock")
		}

		return err
	})
	if _, err := other.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}

	for range 3 {
		mustExplain(t, s, q)
	}
	mustExec(t, dsn, "ALTER TABLE marketdata.bars RENAME volume TO amount")
	_, err = s.ExplainRead(t.Context(), q)
	if e := wantKind(t, err, ports.ErrSchema); e.Op == "" || e.Subject != q.Key.String() {
		t.Errorf("%+v", e)
	}
}
