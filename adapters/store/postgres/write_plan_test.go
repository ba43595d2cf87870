package postgres

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/tests/servers"
)

// planned is how many series the statements of TestWritesFindRowsByKey write at once.
const planned = 10_000

// numbersOfAll is an array literal of the numbers of all symbols, which are those of their series, too.
func numbersOfAll() string {
	var numbers strings.Builder
	for n := range planned {
		fmt.Fprintf(&numbers, ",%d", n+1)
	}

	return "'{" + numbers.String()[1:] + "}'"
}

// symbolsOfAll is an array literal of all symbols.
func symbolsOfAll() string {
	var symbols strings.Builder
	for n := range planned {
		fmt.Fprintf(&symbols, ",COIN%d/USD", n+1)
	}

	return "'{" + symbols.String()[1:] + "}'::text[]"
}

// forAll is an array literal with one value for all series.
func forAll(value, sqlType string) string {
	return fmt.Sprintf("array_fill('%s'::%s, ARRAY[%d])", value, sqlType, planned)
}

func sqlArgs(args ...string) string { return strings.Join(args, ", ") }

// writtenMarket fills the tables with the series of a market, each with history: three ranges of coverage, three
// blocks, ten bars, and an intent.
var writtenMarket = []string{
	`SELECT marketdata.ensure_partitions('bars', '{2023-01-01, 2024-01-01}')`,
	fmt.Sprintf(`INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
		SELECT 'COIN' || n || '/USD', '', '', '', 0, 0, 'UTC' FROM generate_series(1, %d) n ORDER BY n`, planned),
	`INSERT INTO marketdata.series (symbol_id, kind, grid, uid)
		SELECT id, 'trade', '1m', id FROM marketdata.symbols ORDER BY id`,
	`INSERT INTO marketdata.coverage (symbol_id, series_id, start_time, end_time)
		SELECT symbol_id, id, day, day + interval '1 day'
		FROM marketdata.series, unnest('{2023-01-01, 2023-06-01, 2024-06-01}'::timestamptz[]) day`,
	`INSERT INTO marketdata.blocks
		SELECT n, NULL, '2024-06-01', 0, 1, 1, symbol_id, id, 4096, '{1}' FROM marketdata.series, generate_series(1, 3) n`,
	`INSERT INTO marketdata.bars (symbol_id, series_id, open_time, open, high, low, close, volume, trades)
		SELECT symbol_id, id, '2024-06-01'::timestamptz + n * interval '1 minute', 1, 1, 1, 1, 1, 1
		FROM marketdata.series, generate_series(0, 9) n`,
	`INSERT INTO marketdata.intents (id, symbol_id, series_id, start_time, end_time, expires, owner)
		SELECT 1, symbol_id, id, '2024-06-02', '2024-06-03', '2024-06-03', '' FROM marketdata.series`,
	"ANALYZE",
}

// stageMinute stages the first minute of each series with another value, in the stage of the next statement.
func stageMinute() []string {
	return []string{barSQL.createStage, `INSERT INTO pg_temp.marketdata_stage_bars
		(symbol_id, series_id, block, open_time, open, high, low, close, volume, trades)
		SELECT symbol_id, id, 3, '2024-06-01', 2, 2, 2, 2, 2, 2 FROM marketdata.series`}
}

// changesTable matches a statement that changes a table and has a plan.
var changesTable = regexp.MustCompile(`(INSERT INTO|UPDATE|DELETE FROM) (marketdata|pg_temp)\.`)

// TestWritesFindRowsByKey proves, on ten thousand series that are written at once and have history, that the statements
// of writes find what they need through the primary keys: none scans a table, and none reads rows of other series,
// blocks or minutes. They plan as in a transaction, and whether or not the server knows the number of series.
func TestWritesFindRowsByKey(t *testing.T) {
	t.Parallel()
	s := openMigrated(t, servers.Postgres(t))
	for _, sql := range writtenMarket {
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}

	ids, names := numbersOfAll(), sqlArgs(symbolsOfAll(), forAll("trade", "text"), forAll("1m", "text"))
	of := sqlArgs(ids+"::integer[]", ids+"::integer[]")
	at := func(time string) string { return forAll(time, "timestamptz") }
	number := func(n string) string { return forAll(n, "bigint") }
	oneSeries := "7, 7, '2024-06-01', '2024-06-02', 86400000000"
	meta := strings.Repeat(", "+forAll("0", "text"), 6)
	writes := []plannedWrite{
		{sql: selectSeries, args: names, reads: rowsByTable{"symbols": planned, "series": planned}},
		{sql: insertSeries, args: sqlArgs(names, number("1")), reads: rowsByTable{"symbols": planned}},
		{sql: insertSymbols, args: symbolsOfAll() + meta},
		{sql: upsertSymbols, args: symbolsOfAll() + meta},
		{sql: lockSeries, args: sqlArgs(of, ids+"::bigint[]"), reads: rowsByTable{"series": planned}},
		{sql: lockFreeSeries, args: sqlArgs(of, ids+"::bigint[]"), reads: rowsByTable{"series": planned}},
		{sql: updateSeries, args: sqlArgs(of, "1"), reads: rowsByTable{"series": 2 * planned}},

		// The ranges before that of the write are read, because the key has no end of a range.
		{sql: selectTouchingRanges, args: sqlArgs(of, at("2024-06-02"), at("2024-06-03")), reads: rowsByTable{"coverage": 3 * planned}},
		{sql: upsertRanges, args: sqlArgs(of, at("2024-06-01"), at("2024-06-03"))},
		{sql: deleteRanges, args: sqlArgs(of, at("2024-06-01")), reads: rowsByTable{"coverage": 2 * planned}},
		{sql: selectBlocks, args: sqlArgs(of, number("3"), number("4")), reads: rowsByTable{"blocks": planned}},
		{sql: deleteBlocks, args: sqlArgs(of, number("3")), reads: rowsByTable{"blocks": 2 * planned}},
		{
			sql: upsertBlocks, args: sqlArgs("1", "64", of, number("1"), number("3"), number("1"), at("2024-06-02"), number("0"),
				forAll("true", "boolean"), number("1")),
		},

		{sql: barSQL.rangesWithRows, args: sqlArgs(of, at("2024-06-01"), at("2024-06-02")), reads: rowsByTable{"bars": planned}},
		{sql: barSQL.unstageConflicts, reads: rowsByTable{"bars": planned}, before: stageMinute()},
		{sql: barSQL.unstageSeries, args: "'{1,2}'", before: stageMinute()},
		{sql: barSQL.merge, reads: rowsByTable{"bars": planned}, before: stageMinute()},
		{sql: barSQL.delete, args: oneSeries, reads: rowsByTable{"bars": 10}},
		{sql: barSQL.deleteOthers, args: oneSeries, reads: rowsByTable{"bars": 10}, before: stageMinute()},
		{
			sql: barSQL.countRows, args: "7, 7, '{3}', '{2024-06-01}', '{2024-06-02}'", reads: rowsByTable{"bars": 10 + 1},
		},

		{sql: selectIntents, args: sqlArgs(of, at("2024-06-02"), at("2024-06-03")), reads: rowsByTable{"intents": planned}},
		{
			sql: insertIntents, args: sqlArgs(of, number("2"), at("2024-06-05"), at("2024-06-06"), at("2024-06-05"), at("2024-06-06"),
				forAll("", "text"), at("2024-06-06")),
		},
		{sql: deleteIntents, args: sqlArgs(of, at("2024-06-02")), reads: rowsByTable{"intents": 2 * planned}},
		{
			sql: endIntents, args: sqlArgs(of, at("2024-06-02"), at("2024-06-03"), number("1")),
			reads: rowsByTable{"intents": planned},
		},
		{
			sql: renewIntents, args: sqlArgs(names, number("1"), at("2024-06-02"), at("2024-06-03")),
			reads: rowsByTable{"symbols": planned, "series": planned, "intents": 2 * planned},
		},
		{
			sql: abandonIntents, args: sqlArgs(names, number("1"), at("2024-06-02"), at("2024-06-03")),
			reads: rowsByTable{"symbols": planned, "series": planned, "intents": 2 * planned},
		},
		{
			sql: selectLedger, args: sqlArgs(names, number("0"), number("0"), number("3"), number("4")),
			reads: rowsByTable{"symbols": planned, "series": planned, "coverage": 3 * planned, "blocks": 2 * planned, "intents": planned},
		},
	}
	golden := goldenSQL(t)
	for _, file := range []string{"bars", "extents", "series", "intents", "symbols"} {
		for _, statement := range golden[file] {
			i := slices.IndexFunc(writes, func(w plannedWrite) bool { return w.sql == statement.text })
			if i < 0 && changesTable.MatchString(statement.text) {
				t.Errorf("the plan of %s is not checked", statement.name)
			}
			for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
				if i >= 0 {
					t.Run(statement.name+"/"+mode, func(t *testing.T) { writes[i].check(t, s, mode) })
				}
			}
		}
	}
}

// rowsByTable counts rows of tables, without those of their partitions' names.
type rowsByTable map[string]float64

// plannedWrite is a statement of a write.
type plannedWrite struct {
	sql, args string
	reads     rowsByTable // at most
	before    []string    // statements of the same transaction
}

// check fails the test if the statement scans a table or reads more rows.
func (w plannedWrite) check(t *testing.T, s *Store, mode string) {
	t.Helper()
	root, text := explainAnalyze(t, s, mode, w.sql, w.args, append([]string{planByKeys}, w.before...)...)
	read := rowsByTable{}
	root.walk(func(p analyzedPlan) {
		if p.Table == "" || p.Node == "ModifyTable" || strings.HasPrefix(p.Table, "marketdata_stage") {
			return
		}

		name, _, _ := strings.Cut(p.Table, "_") // of a partition
		if read[name] += (p.Rows + p.Removed) * p.Loops; p.Node == "Seq Scan" && p.Loops > 0 {
			t.Errorf("%s of %s", p.Node, p.Table)
		}
	})
	for table, rows := range read {
		if rows > w.reads[table] {
			t.Errorf("read %v rows of %s, want at most %v\n%s", rows, table, w.reads[table], text)
		}
	}
}
