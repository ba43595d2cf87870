package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// analyzedPlan is a node in the output of EXPLAIN (ANALYZE, FORMAT JSON).
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

// explainAnalyze runs the statement with literal arguments in a transaction whose plan_cache_mode is mode, after the
// statements before, and rolls back. It returns the plan, and the plan's JSON for messages.
func explainAnalyze(
	t *testing.T, s *Store, mode, sql, args string, before ...string,
) (root analyzedPlan, text string) {
	t.Helper()
	conn, err := s.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	defer conn.Release()
	defer func() {
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), "ROLLBACK; DEALLOCATE explained"); err != nil {
			t.Error(err)
		}
	}()
	first := []string{"BEGIN", "SET LOCAL plan_cache_mode = " + mode}
	for _, sql := range slices.Concat(first, before, []string{"PREPARE explained AS " + sql}) {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%.200s: %v", sql, err)
		}
	}

	explain := "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained"
	if args != "" {
		explain += " (" + args + ")"
	}
	if err := conn.QueryRow(t.Context(), explain).Scan(&text); err != nil {
		t.Fatal(err)
	}

	var plans []struct{ Plan analyzedPlan }
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}

	return plans[0].Plan, text
}

// testRange is a range as SQL literals.
type testRange struct{ start, end string }

// juneDays returns a range of days from the first of June on.
func juneDays(year, days int) testRange {
	start := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
	return testRange{start.Format(time.RFC3339), start.AddDate(0, 0, days).Format(time.RFC3339)}
}

var allTime = testRange{"0001-01-01T00:00:00Z", "9999-01-01T00:00:00Z"}

// readArgs returns the arguments of a read of barSQL; a limit of 0 is none.
func readArgs(r testRange, limit int) string {
	args := fmt.Sprintf("'BTC/USD', 'trade', '1h', '%s', '%s'", r.start, r.end)
	if limit > 0 {
		args += fmt.Sprintf(", %d", limit)
	}

	return args
}

// batchArgsOfTwo returns the arguments of selectBatch for two symbols with one range.
func batchArgsOfTwo(r testRange, first, last int) string {
	twice := func(v any) string { return fmt.Sprintf("array_fill('%v'::text, ARRAY[2])", v) }
	return "ARRAY['BTC/USD', 'ETH/USD'], " + twice("trade") + ", " + twice("1h") + ", " +
		twice(r.start) + "::timestamptz[], " + twice(r.end) + "::timestamptz[], " +
		twice(first) + "::bigint[], " + twice(last) + "::bigint[]"
}

// TestReadsNeverScanHistory proves on ten years of data that a read touches only the partitions of its range and,
// through the primary key, only the rows that it returns.
func TestReadsNeverScanHistory(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	start := time.Date(2014, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, symbol := range []domain.Symbol{"BTC/USD", "ETH/USD"} {
		bars := hourlyBars(t, symbol, start, 10*365*24)
		if _, err := ports.WriteBars(t.Context(), s, bars, bars.Range(), ports.ConflictReplace); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.pool.Exec(t.Context(), "ANALYZE marketdata.bars"); err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name      string
		sql       string
		args      string
		rows      float64 // returned
		maxTables int     // partitions read
	}{
		{"a week", barSQL.selectAll, readArgs(juneDays(2019, 7), 0), 7 * 24, 1},
		{"across the year's end", barSQL.selectAll, readArgs(juneDays(2019, 365), 0), 365 * 24, 2},
		{"first of all", barSQL.selectFirst, readArgs(allTime, 500), 500, 1},
		{"last of all", barSQL.selectLast, readArgs(allTime, 500), 500, 1},
		{"last of a week", barSQL.selectLast, readArgs(juneDays(2020, 7), 10), 10, 1},
		{"no rows", barSQL.selectAll, readArgs(juneDays(2035, 7), 0), 0, 0},
		{"batch of weeks", selectBatch, batchArgsOfTwo(juneDays(2019, 7), 0, 0), 2 * 7 * 24, 1},
		{"batch of firsts", selectBatch, batchArgsOfTwo(allTime, 500, 0), 2 * 500, 1},
		{"batch of lasts", selectBatch, batchArgsOfTwo(allTime, 0, 500), 2 * 500, 1},
		{"batch without rows", selectBatch, batchArgsOfTwo(juneDays(2035, 7), 0, 5), 0, 0},
	} {
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				root, text := explainAnalyze(t, s, mode, c.sql, c.args)
				read, tables := 0.0, map[string]bool{}
				root.walk(func(p analyzedPlan) {
					if !strings.HasPrefix(p.Table, "bars_") || p.Loops == 0 {
						return
					}

					tables[p.Table] = true
					read += (p.Rows + p.Removed) * p.Loops
					if p.Index == "" && p.Node != "Bitmap Heap Scan" {
						t.Errorf("%s of %s without an index", p.Node, p.Table)
					}
				})
				if read > c.rows || len(tables) > c.maxTables || root.Rows != c.rows {
					t.Errorf("read %v rows of %v, returned %v, want %v\n%s", read, tables, root.Rows, c.rows, text)
				}
			})
		}
	}
}

// stateArgs returns the arguments of a statement on one state, of at most limit rows of the blocks from 1 to 4999.
func stateArgs(limit string) string { return "'COIN7/USD', 'trade', '1m', 1, 5000, " + limit }

// manyStatesArgs returns the arguments of a statement on many states for the blocks 10 and 11 of two series.
func manyStatesArgs(limit string) string {
	twice := func(v string) string { return ", ARRAY[" + v + ", " + v + "]" }
	return "ARRAY['COIN7/USD', 'COIN8/USD']" + twice("'trade'") + twice("'1m'") + twice("10") + twice("12") + twice(limit) +
		twice("0") + twice("0") + twice("10") + twice("12") + twice(limit) + twice("true")
}

// TestStatesReadOnlyTheirBlocks proves on many series of many blocks that a state is found through the primary keys, and
// that a limited read walks only as many blocks as it needs.
func TestStatesReadOnlyTheirBlocks(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	for _, sql := range []string{
		`INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
			SELECT 'COIN' || n || '/USD', '', '', '', 0, 0, 'UTC' FROM generate_series(1, 2000) n`,
		`INSERT INTO marketdata.series (symbol_id, kind, grid, uid) SELECT id, 'trade', '1m', id FROM marketdata.symbols`,
		`INSERT INTO marketdata.coverage (symbol_id, series_id, start_time, end_time)
			SELECT symbol_id, id, '2024-01-01', '2025-01-01' FROM marketdata.series`,
		`INSERT INTO marketdata.blocks
			SELECT n, NULL, '2024-01-01', 0, 1, 1, symbol_id, id, 4096, '{1}'
			FROM marketdata.series, generate_series(1, 100) n`,
		"ANALYZE",
	} {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}

	for _, c := range []struct {
		name, sql, args string
		states, blocks  float64
	}{
		{"all", selectState, stateArgs("NULL"), 1, 101}, // the tail is looked up
		{"first", selectFirstState, stateArgs("500"), 1, 3},
		{"last", selectLastState, stateArgs("500"), 1, 2},
		{"batch", selectManyStates, manyStatesArgs("NULL::bigint"), 2, 6},
		{"batch of lasts", selectManyStates, manyStatesArgs("5000"), 2, 8}, // one from the other end
		{"states", selectChangedStates, manyStatesArgs("NULL::bigint"), 2, 6},
	} {
		for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
			t.Run(c.name+"/"+mode, func(t *testing.T) {
				root, text := explainAnalyze(t, s, mode, c.sql, c.args)
				read := map[string]float64{}
				root.walk(func(p analyzedPlan) {
					if read[p.Table] += (p.Rows + p.Removed) * p.Loops; p.Node == "Seq Scan" && p.Loops > 0 {
						t.Errorf("%s of %s", p.Node, p.Table)
					}
				})
				if root.Rows != c.states || read["blocks"] > c.blocks || read["series"] > c.states || read["coverage"] > c.states {
					t.Errorf("read %v for %v states, want %v blocks\n%s", read, root.Rows, c.blocks, text)
				}
			})
		}
	}
}
