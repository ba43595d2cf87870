package postgres

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// This file has all SQL text of the package, except the migrations, the bookkeeping of bun's migrator and the grants,
// which this package does not run. testdata/sql
// has every statement as the server receives it.
//
// INVARIANT: names of tables and columns are constants of this file. Values of callers are bound, never written into
// the text; the one exception is the limit of a catalog search, an integer. Each statement is therefore a constant
// text, prepared once per connection.

// label returns a statement as the server receives it: behind a comment with the operation that runs it, as errors and
// the log of slow calls name it. An operation is a constant, so that the text of the statement remains one.
func label(op, sql string) string { return "/* marketdata: " + op + " */ " + sql }

// tableSQL has the statements on one table of rows: bars, trades or quotes.
type tableSQL struct {
	// Reads bind the texts that identify the series, the range and, except selectAll, the number of rows. They resolve
	// the symbol and the series to numbers themselves, because a read must be one round trip.
	selectAll, selectFirst, selectLast string

	// Writes. copyTable and copyStage bind nothing; their rows follow in the binary format of COPY.
	copyTable, createStage, truncateStage, copyStage string

	// Writes of many series. unstageSeries binds the numbers of series, those of symbols where series have none.
	// rangesWithRows binds one array each of the numbers that identify the series, of the starts and of
	// the ends, and returns the positions, from 1, of the ranges that have stored rows.
	unstageConflicts, unstageSeries, merge, rangesWithRows string

	// Writes of one series. They bind the numbers that identify it, the range and the length of a block in microseconds.
	delete, deleteOthers string

	// countRows returns blocks that have rows, as scanBlock reads them. It binds the series, and arrays of the numbers,
	// the starts and the ends of the blocks.
	countRows string
}

var (
	barSQL = newTableSQL(tableLayout{
		name:     "bars",
		series:   "series_id",
		lookup:   "SELECT symbol_id, id FROM marketdata.series WHERE symbol_id = {symbol} AND kind = $2 AND grid = $3",
		readArgs: 3,
		row:      "open_time timestamptz",
		values:   "open numeric, high numeric, low numeric, close numeric, volume numeric, trades bigint",
	})
	tradeSQL = newTableSQL(tableLayout{
		name:     "trades",
		lookup:   "{symbol}",
		readArgs: 1,
		row:      "time timestamptz, seq bigint",
		values:   "price numeric, size numeric, side smallint",
	})
	quoteSQL = newTableSQL(tableLayout{
		name:     "quotes",
		lookup:   "{symbol}",
		readArgs: 1,
		row:      "time timestamptz, seq bigint",
		values:   "bid numeric, ask numeric, bid_size numeric, ask_size numeric",
	})
)

// symbolLookup resolves the symbol that a statement binds first to its number.
const symbolLookup = "(SELECT id FROM marketdata.symbols WHERE symbol = $1)"

// tableLayout describes a table whose primary key is symbol_id, series and the columns of row.
type tableLayout struct {
	name     string
	series   string // the column that identifies the series beside the symbol, if there is one
	lookup   string // a query for the columns that identify a series, given the first readArgs arguments of a read
	readArgs int
	row      string // names and types of the columns that identify a row of the series: time and sequence number
	values   string // names and types of the other columns
}

// newTableSQL returns the statements for a table.
//
// The staging table belongs to the session and is emptied at the end of every transaction. A table that each write
// created and dropped would bloat the system catalogs. The number of the block comes with each staged row, because
// series have blocks of different lengths.
//
// OFFSET 0 makes the server look each staged row up by the primary key, because it does not know how many rows are
// staged and might read the whole table. merge inserts and updates by ON CONFLICT for the same reason; it leaves equal
// rows out, because ON CONFLICT would lock them.
//
// The statements that change stored rows return, for each series and block with a changed row, what scanChangedRows
// reads.
func newTableSQL(l tableLayout) tableSQL {
	expand := l.placeholders().Replace
	changes := l.placeholders().Replace(`
SELECT {id}, block, count(*), sum(added)::bigint, min(ARRAY[m, n]), max(ARRAY[m, n]) FROM changes GROUP BY {id}, block`)
	deleted := l.placeholders().Replace(`
	RETURNING t.{id}, {stored micros} AS m, {stored seq} AS n
), changes AS (
	SELECT {id}, m / {length} - (m % {length} < 0)::integer AS block, m, n, -1 AS added FROM deleted
)`) + changes

	return tableSQL{
		selectAll: expand(`SELECT {columns} FROM {table} WHERE ({key}) = ({lookup}) AND {in range} ORDER BY {row}`),
		selectFirst: expand(
			`SELECT {columns} FROM {table} WHERE ({key}) = ({lookup}) AND {in range} ORDER BY {row} LIMIT {limit}`),
		selectLast: expand(`SELECT {columns} FROM (` +
			`SELECT {columns} FROM {table} WHERE ({key}) = ({lookup}) AND {in range} ` +
			`ORDER BY {row descending} LIMIT {limit}) last ORDER BY {row}`),

		copyTable: expand(`COPY {table} ({key}, {columns}) FROM STDIN (FORMAT binary)`),
		createStage: expand(`CREATE TEMP TABLE IF NOT EXISTS {stage} (` +
			`{key types}, block bigint, {types}, PRIMARY KEY ({key}, {row})) ON COMMIT DELETE ROWS`),
		truncateStage: expand(`TRUNCATE pg_temp.{stage}`),
		copyStage:     expand(`COPY pg_temp.{stage} ({key}, block, {columns}) FROM STDIN (FORMAT binary)`),
		unstageConflicts: expand(`WITH conflicts AS (
	DELETE FROM pg_temp.{stage} s WHERE EXISTS (
		SELECT FROM {table} t WHERE ({stored key}) = ({staged key}) AND ({stored row}) = ({staged row})
			AND ({stored values}) IS DISTINCT FROM ({staged values}) OFFSET 0
	) RETURNING {id}, {time} AS time
) SELECT {id}, count(*), min(time) FROM conflicts GROUP BY {id}`),
		unstageSeries: expand(
			`DELETE FROM pg_temp.{stage} WHERE ({id} IN (SELECT unnest($1::integer[]))) IS TRUE`), // hashes the numbers
		merge: expand(`WITH changes AS MATERIALIZED (
	SELECT {staged key}, block, {staged columns}, {staged micros} AS m, {staged seq} AS n,
		coalesce(added, 1) AS added
	FROM pg_temp.{stage} s LEFT JOIN LATERAL (
		SELECT 0 AS added, ({stored values}) IS NOT DISTINCT FROM ({staged values}) AS is_equal FROM {table} t
		WHERE ({stored key}) = ({staged key}) AND ({stored row}) = ({staged row}) OFFSET 0
	) stored ON true
	WHERE is_equal IS NOT TRUE
), written AS (
	INSERT INTO {table} ({key}, {columns}) SELECT {key}, {columns} FROM changes
	ON CONFLICT ({key}, {row}) DO UPDATE SET {assignments}
)` + changes),
		rangesWithRows: expand(`
SELECT n FROM unnest({key arrays}, {starts array}, {ends array}) WITH ORDINALITY AS u ({key}, start_time, end_time, n)
WHERE EXISTS (
	SELECT FROM {table} t
	WHERE ({stored key}) = ({ranged key}) AND {stored time} >= start_time AND {stored time} < end_time
	OFFSET 0
)`),
		delete: expand(`WITH deleted AS (
	DELETE FROM {table} t WHERE ({key}) = ({bound}) AND {in written range}`) + deleted,
		deleteOthers: expand(`WITH deleted AS (
	DELETE FROM {table} t WHERE ({key}) = ({bound}) AND {in written range}
		AND NOT EXISTS (
			SELECT FROM pg_temp.{stage} s WHERE ({staged key}, {staged row}) = ({stored key}, {stored row}) OFFSET 0
		)`) +
			deleted,
		countRows: expand(`
SELECT block, (
	SELECT count(*) FROM {table} WHERE ({key}) = ({bound}) AND {time} >= start_time AND {time} < end_time
), last.time, last.seq
FROM unnest({blocks}::bigint[], {starts}::timestamptz[], {ends}::timestamptz[]) AS r (block, start_time, end_time)
CROSS JOIN LATERAL (
	SELECT {time} AS time, {seq} AS seq FROM {table}
	WHERE ({key}) = ({bound}) AND {time} >= start_time AND {time} < end_time ORDER BY {row descending} LIMIT 1
) last`),
	}
}

// placeholders returns the replacer of the names in braces that newTableSQL uses.
func (l tableLayout) placeholders() *strings.Replacer {
	row, values := columnNames(l.row), columnNames(l.values)
	key := append([]string{"symbol_id"}, columnNames(l.series)...)
	bound := make([]string, len(key))
	for i := range key {
		bound[i] = fmt.Sprintf("$%d", i+1)
	}
	parameter := func(before, n int) string { return fmt.Sprintf("$%d", before+n) }
	inRange := func(column string, before int) string {
		return fmt.Sprintf("%s >= %s AND %[1]s < %[3]s", column, parameter(before, 1), parameter(before, 2))
	}
	seq, storedSeq, stagedSeq := "0::bigint", "0::bigint", "0::bigint" // of bars, which have one row a time
	if len(row) > 1 {
		seq, storedSeq, stagedSeq = row[1], "t."+row[1], "s."+row[1]
	}
	micros := func(table string) string { return "(extract(epoch FROM " + table + row[0] + ") * 1000000)::bigint" }

	return strings.NewReplacer(
		"{table}", "marketdata."+l.name,
		"{stage}", "marketdata_stage_"+l.name,
		"{key types}", formatEach("$ integer", key),
		"{types}", l.row+", "+l.values,
		"{id}", key[len(key)-1],
		"{key arrays}", formatEach("$::integer[]", bound),
		"{starts array}", parameter(len(key), 1)+"::timestamptz[]",
		"{ends array}", parameter(len(key), 2)+"::timestamptz[]",
		"{columns}", formatEach("$", slices.Concat(row, values)),
		"{key}", formatEach("$", key),
		"{bound}", formatEach("$", bound),
		"{lookup}", strings.ReplaceAll(l.lookup, "{symbol}", symbolLookup),
		"{in range}", inRange(row[0], l.readArgs),
		"{limit}", parameter(l.readArgs, 3),
		"{in written range}", inRange("t."+row[0], len(key)),
		"{blocks}", parameter(len(key), 1),
		"{starts}", parameter(len(key), 2),
		"{ends}", parameter(len(key), 3),
		"{length}", parameter(len(key), 3)+"::bigint",
		"{row}", formatEach("$", row),
		"{row descending}", formatEach("$ DESC", row),
		"{time}", row[0],
		"{seq}", seq,
		"{stored seq}", storedSeq,
		"{staged seq}", stagedSeq,
		"{stored time}", "t."+row[0],
		"{stored micros}", micros("t."),
		"{staged micros}", micros("s."),
		"{stored key}", formatEach("t.$", key),
		"{staged columns}", formatEach("s.$", slices.Concat(row, values)),
		"{staged key}", formatEach("s.$", key),
		"{ranged key}", formatEach("u.$", key),
		"{staged row}", formatEach("s.$", row),
		"{stored row}", formatEach("t.$", row),
		"{assignments}", formatEach("$ = excluded.$", values),
		"{stored values}", formatEach("t.$", values),
		"{staged values}", formatEach("s.$", values),
	)
}

// columnNames returns the names of columns that are given as "name, name" or "name type, name type".
func columnNames(columns string) (names []string) {
	for definition := range strings.SplitSeq(columns, ", ") {
		name, _, _ := strings.Cut(definition, " ")
		if name != "" {
			names = append(names, name)
		}
	}

	return names
}

// formatEach puts each name in the place of every $ of the format and joins the results with commas.
func formatEach(format string, names []string) string {
	formatted := make([]string, len(names))
	for i, name := range names {
		formatted[i] = strings.ReplaceAll(format, "$", name)
	}

	return strings.Join(formatted, ", ")
}

// selectBatch reads bars of many queries at once, in the order of the queries. It binds one array for each value that
// the reads of barSQL bind; a limit of 0 means none. The last column is the number of the query, from 1.
//
// The lateral join takes the queries in order and reads the bars of each by the primary key, so that the server neither
// sorts the rows nor keeps the whole result. OFFSET 0 keeps the lookups out of the join, because they would be repeated
// there for each partition. The branch of UNION ALL that a query does not use has a limit of 0 and reads nothing.
const selectBatch = `
SELECT open_time, open, high, low, close, volume, trades, n
FROM (
	SELECT symbol_id, start_time, end_time, first, last, n, (
		SELECT id FROM marketdata.series s WHERE (s.symbol_id, s.kind, s.grid) = (i.symbol_id, i.kind, i.grid)
	) AS series_id
	FROM (
		SELECT (SELECT id FROM marketdata.symbols WHERE symbol = u.symbol) AS symbol_id,
			kind, grid, start_time, end_time, first, last, n
		FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[])
			WITH ORDINALITY AS u (symbol, kind, grid, start_time, end_time, first, last, n)
		ORDER BY n OFFSET 0
	) i OFFSET 0
) q CROSS JOIN LATERAL (
	(
		SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
		WHERE (symbol_id, series_id) = (q.symbol_id, q.series_id) AND open_time >= start_time AND open_time < end_time
		ORDER BY open_time LIMIT CASE WHEN last = 0 THEN NULLIF(first, 0) ELSE 0 END
	) UNION ALL (
		SELECT open_time, open, high, low, close, volume, trades FROM (
			SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
			WHERE (symbol_id, series_id) = (q.symbol_id, q.series_id) AND open_time >= start_time AND open_time < end_time
			ORDER BY open_time DESC LIMIT last
		) descending ORDER BY open_time
	)
) bars ORDER BY n`

// The series whose states a statement reads. Each row has the number n of its query, the numbers and the version of the
// series, the blocks from and to that the rows of a read may be in, and how many rows the read returns at most, NULL
// without a limit.
const (
	oneSeries = `(
	SELECT 1::bigint AS n, symbol_id, id AS series_id, revision, nonce,
		$4::bigint AS from_block, $5::bigint AS to_block, $6::bigint AS max_rows
	FROM marketdata.series WHERE symbol_id = ` + symbolLookup + ` AND kind = $2 AND grid = $3
)`

	// manySeries selects other blocks where the series does not have the version that is known. OFFSET 0 makes the
	// server look each series up, because a join would read all of them.
	manySeries = `(
	SELECT q.n, q.is_last, s.symbol_id, s.series_id, s.revision, s.nonce, s.is_known,
		CASE WHEN s.is_known THEN q.from_block ELSE q.other_from END AS from_block,
		CASE WHEN s.is_known THEN q.to_block ELSE q.other_to END AS to_block,
		CASE WHEN s.is_known THEN q.max_rows ELSE q.other_rows END AS max_rows
	FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
		$7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[])
		WITH ORDINALITY AS q (symbol, kind, grid, from_block, to_block, max_rows,
		known_revision, known_nonce, other_from, other_to, other_rows, is_last, n)
	CROSS JOIN LATERAL (
		SELECT symbol_id, id AS series_id, revision, nonce, (revision, nonce) = (q.known_revision, q.known_nonce) AS is_known
		FROM marketdata.series
		WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = q.symbol) AND kind = q.kind AND grid = q.grid
		OFFSET 0
	) s
)`

	blocksOfSeries = `SELECT block, rows, revision, nonce FROM marketdata.blocks
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id)`

	allBlocks = blocksOfSeries + ` AND block >= h.from_block AND block < h.to_block`
)

// limitedBlocks returns the query for the blocks from one end of a range on until they have as many rows as are read.
// The rows of a block that the range cuts do not count. The query walks from block to block while the condition holds,
// because a sum over all blocks would read them all.
func limitedBlocks(start, compare, order, condition string) string {
	return strings.NewReplacer(
		"{blocks}", blocksOfSeries, "{start}", start, "{compare}", compare, "{order}", order, "{condition}", condition,
	).Replace(`WITH RECURSIVE walk AS (
	SELECT {start} AS block, 0 AS rows, 0::bigint AS revision, 0::bigint AS nonce, h.max_rows AS missing
	UNION ALL
	SELECT b.block, b.rows, b.revision, b.nonce,
		missing - CASE WHEN b.block IN (h.from_block, h.to_block - 1) THEN 0 ELSE b.rows END
	FROM walk CROSS JOIN LATERAL ({blocks} AND block {compare} walk.block
		AND block >= h.from_block AND block < h.to_block ORDER BY block {order} LIMIT 1) b
	WHERE {condition}
) SELECT block, rows, revision, nonce FROM walk WHERE rows > 0`)
}

func firstBlocks(condition string) string {
	return limitedBlocks("h.from_block - 1", ">", "ASC", condition)
}

func lastBlocks(condition string) string { return limitedBlocks("h.to_block", "<", "DESC", condition) }

// Statements on states return the columns of stateTypes, for each query whose series exists.
var (
	// They bind the symbol, the kind and the grid, then the last three columns of oneSeries.
	selectState      = stateSQL(oneSeries, allBlocks, "")
	selectFirstState = stateSQL(oneSeries, firstBlocks("missing > 0"), "")
	selectLastState  = stateSQL(oneSeries, lastBlocks("missing > 0"), "")

	// selectManyStates reads the blocks of a series by one of three ways.
	selectManyStates = stateSQL(manySeries, strings.Join([]string{
		"(" + allBlocks + " AND h.max_rows IS NULL)",
		"(" + firstBlocks("missing > 0 AND NOT h.is_last") + ")",
		"(" + lastBlocks("missing > 0 AND h.is_last") + ")",
	}, "\nUNION ALL "), "")

	// selectChangedStates has neither coverage nor blocks where the series has the known version.
	selectChangedStates = stateSQL(manySeries, allBlocks+" AND NOT h.is_known", " AND NOT h.is_known")
)

// stateSQL returns the statement on the states of series. blocks is the query for blocks; it and the condition on
// coverage may use the columns of the series, h.
func stateSQL(series, blocks, condition string) string {
	return strings.NewReplacer("{series}", series, "{blocks}", blocks, "{condition}", condition).Replace(`
SELECT h.n, h.revision, h.nonce, (
	SELECT array_agg(ARRAY[start_time, end_time]) FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id){condition} ORDER BY start_time
	) ranges
), b.blocks, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.blocks[array_upper(b.blocks, 1)][1]
)
FROM {series} h CROSS JOIN LATERAL (
	SELECT array_agg(ARRAY[block, rows, revision, nonce]) AS blocks
	FROM (SELECT block, rows, revision, nonce FROM ({blocks}) found ORDER BY block) ascending
) b`)
}

// selectLedger returns the records of series for ledger.Ledger. It binds one array each of symbols, kinds and grids, of
// the revisions and nonces of known versions, and of the first blocks and the ends of the blocks. A series with its
// known version has neither coverage nor blocks. OFFSET 0 makes the server look each series up, because a join would
// read all of them.
const selectLedger = `
SELECT q.n, h.revision, h.nonce, c.starts, c.ends, b.numbers, b.rows, b.revisions, b.nonces, b.hashes, (
	SELECT tail FROM marketdata.blocks t WHERE (t.symbol_id, t.series_id) = (h.symbol_id, h.series_id)
		AND t.block = b.numbers[cardinality(b.numbers)]
), i.starts, i.ends
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) WITH ORDINALITY
	AS q (symbol, kind, grid, known_revision, known_nonce, from_block, to_block, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id AS series_id, revision, nonce, (revision, nonce) = (q.known_revision, q.known_nonce) AS is_known
	FROM marketdata.series s WHERE s.symbol_id = (SELECT id FROM marketdata.symbols y WHERE y.symbol = q.symbol)
		AND s.kind = q.kind AND s.grid = q.grid OFFSET 0
) h
CROSS JOIN LATERAL (
	SELECT array_agg(start_time) AS starts, array_agg(end_time) AS ends FROM (
		SELECT start_time, end_time FROM marketdata.coverage
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id) AND NOT h.is_known ORDER BY start_time
	) ranges
) c
CROSS JOIN LATERAL (
	SELECT array_agg(block) AS numbers, array_agg(rows) AS rows, array_agg(revision) AS revisions,
		array_agg(nonce) AS nonces, array_agg(hash) AS hashes
	FROM (
		SELECT block, rows, revision, nonce, hash FROM marketdata.blocks
		WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id)
			AND block >= q.from_block AND block < q.to_block AND NOT h.is_known ORDER BY block
	) ascending
) b
CROSS JOIN LATERAL (
	SELECT array_agg(took_start) AS starts, array_agg(took_end) AS ends FROM marketdata.intents
	WHERE (symbol_id, series_id) = (h.symbol_id, h.series_id)
		AND took_start IS NOT NULL AND expires > clock_timestamp()
) i`

// aggregateSQL returns the statement that aggregates the trades of symbol $1 in the range from $2 to $3 into bars;
// bucket is the SQL expression for the open time of a trade's bar. The last column counts the trades of a bar that no
// domain.Trade can represent.
//
// The opening and closing trade of a bar are looked up by the primary key, because two lookups per bar cost less than
// sorting all trades.
func aggregateSQL(bucket string) string {
	return strings.NewReplacer(
		"{bucket}", bucket,
		"{symbol}", symbolLookup,
		"{is valid}", "size >= 0 AND seq >= 0 AND side BETWEEN 0 AND 2"+
			" AND min_scale(price) <= 18 AND min_scale(size) <= 18",
	).Replace(`
SELECT bar, first.price, high, low, last.price, volume, trades, broken
FROM (
	SELECT {bucket} AS bar, max(price) AS high, min(price) AS low, sum(size) AS volume, count(*) AS trades,
		min(time) AS first_time, max(time) AS last_time, count(*) FILTER (WHERE ({is valid}) IS NOT TRUE) AS broken
	FROM marketdata.trades WHERE symbol_id = {symbol} AND time >= $2 AND time < $3
	GROUP BY bar
) bars
CROSS JOIN LATERAL (
	SELECT price FROM marketdata.trades WHERE symbol_id = {symbol} AND time = first_time ORDER BY seq LIMIT 1
) first
CROSS JOIN LATERAL (
	SELECT price FROM marketdata.trades WHERE symbol_id = {symbol} AND time = last_time ORDER BY seq DESC LIMIT 1
) last
ORDER BY bar`)
}

var (
	// aggregateFixed binds the length of a bar as $4 and an edge at or before every trade of the range as $5.
	aggregateFixed = aggregateSQL("date_bin($4::interval, time, $5::timestamptz)")

	// aggregateCalendar binds the ascending edges of the range's bars as $4, because domain.Grid owns the calendar.
	aggregateCalendar = aggregateSQL("($4::timestamptz[])[width_bucket(time, $4::timestamptz[])]")
)

// selectTradeBounds reads the first and the last time of a symbol's trades in a range; both are NULL where there is
// none.
const selectTradeBounds = `
SELECT min(time), max(time) FROM marketdata.trades
WHERE symbol_id = ` + symbolLookup + ` AND time >= $2 AND time < $3`

// Transactions.
const (
	// begin names the isolation: after its wait for the lock of the series, every statement of a write must see what
	// the writer before committed.
	begin    = `BEGIN ISOLATION LEVEL READ COMMITTED`
	commit   = `COMMIT`
	rollback = `ROLLBACK`

	// beginSnapshot begins a read whose statements all see the tables as they were at its first one.
	beginSnapshot = `BEGIN READ ONLY, ISOLATION LEVEL REPEATABLE READ`

	// planByKeys makes the server plan the next statements of the transaction without reading whole tables. A plan is kept
	// for the life of the connection, and one that was made when a table had a page would read all rows for each series
	// of a batch after the table has grown.
	planByKeys = `SELECT set_config('enable_seqscan', 'off', true)`

	// limitStatements limits each of the next statements of the transaction.
	limitStatements   = `SELECT set_config('statement_timeout', $1, true)`
	unlimitStatements = `SET LOCAL statement_timeout TO DEFAULT`

	// setApplicationName names the connection until the transaction ends, however it ends, so that the next user of the
	// connection does not have the name.
	setApplicationName = `SELECT set_config('application_name', $1, true)`

	ensurePartitions = `SELECT marketdata.ensure_partitions($1, $2)`
	dropPartition    = `SELECT marketdata.drop_empty_partition($1)`

	// selectPartitions returns the names of those that ensure_partitions created, and that end at or before $1.
	selectPartitions = `
SELECT c.relname::text
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE p.relnamespace = to_regnamespace('marketdata') AND c.relnamespace = p.relnamespace
	AND p.relname IN ('bars', 'trades', 'quotes') AND c.relname ~ ('^' || p.relname || '_[0-9_]+$')
	AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz <= $1
ORDER BY c.relname`
)

// Series and blocks. Statements on many series look each one up by its key: OFFSET 0 keeps the lookup out of a join,
// which might read all series, because the server does not know how few a bound array has. Those that update or delete
// find the rows by ctid, which is safe because the series are locked.
const (
	// selectRelations returns the names of those that exist, and whether marketdata.series is not a table.
	selectRelations = `
SELECT coalesce(array_agg(relname::text), '{}'),
	coalesce(bool_or(relkind NOT IN ('r', 'p')) FILTER (WHERE relname = 'series'), false)
FROM pg_class WHERE relnamespace = to_regnamespace('marketdata') AND relname IN ('series', 'trades', 'quotes')`

	// selectSeries binds one array each of symbols, kinds and grids. The first column is the position of the series, from
	// 1.
	selectSeries = `
SELECT n, symbol_id, id, uid
FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS u (symbol, kind, grid, n)
CROSS JOIN LATERAL (
	SELECT symbol_id, id, uid FROM marketdata.series s WHERE s.symbol_id = (
		SELECT id FROM marketdata.symbols y WHERE y.symbol = u.symbol
	) AND s.kind = u.kind AND s.grid = u.grid OFFSET 0
) s`

	// insertSeries sorts its rows, so that concurrent writers lock series in one order and never deadlock.
	insertSeries = `
INSERT INTO marketdata.series (symbol_id, kind, grid, uid)
SELECT (SELECT id FROM marketdata.symbols y WHERE y.symbol = u.symbol) AS symbol_id, kind, grid, uid
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) AS u (symbol, kind, grid, uid)
ORDER BY symbol_id, kind, grid
ON CONFLICT (symbol_id, kind, grid) DO NOTHING`

	// lockSeries serializes the writers of series until the transaction ends. It binds one array each of the numbers of
	// the symbols, of the series and of their uids, in the order in which it locks: every writer locks in the order of
	// symbol and series, so that none waits for a writer that waits for it. It returns the position of each series that
	// still exists, from 1, and its revision. lockFreeSeries skips a series that another transaction has locked.
	lockSeries     = lockSeriesStart + `) s`
	lockFreeSeries = lockSeriesStart + ` SKIP LOCKED) s`

	lockSeriesStart = `
SELECT n, revision
FROM (
	SELECT symbol_id, id, uid, n
	FROM unnest($1::integer[], $2::integer[], $3::bigint[]) WITH ORDINALITY AS u (symbol_id, id, uid, n)
	ORDER BY n OFFSET 0
) u CROSS JOIN LATERAL (
	SELECT revision FROM marketdata.series s
	WHERE (s.symbol_id, s.id, s.uid) = (u.symbol_id, u.id, u.uid) FOR NO KEY UPDATE`

	// updateSeries gives locked series their next revision, and the nonce $3.
	updateSeries = `
UPDATE marketdata.series SET revision = revision + 1, nonce = $3 WHERE ctid = ANY(ARRAY(
	SELECT s.ctid FROM unnest($1::integer[], $2::integer[]) AS u (symbol_id, id)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.series s WHERE (s.symbol_id, s.id) = (u.symbol_id, u.id) OFFSET 0
	) s
))`

	// selectBlocks binds one array each of the numbers that identify the series, and of their first blocks and the ends
	// of their blocks. The first column is the position of the series, from 1.
	selectBlocks = `
SELECT n, block, rows, last_time, last_seq, revision, nonce, hash
FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
	AS u (symbol_id, series_id, from_block, to_block, n)
CROSS JOIN LATERAL (
	SELECT block, rows, last_time, last_seq, revision, nonce, hash FROM marketdata.blocks b
	WHERE (b.symbol_id, b.series_id) = (u.symbol_id, u.series_id) AND block >= from_block AND block < to_block OFFSET 0
) b`

	deleteBlocks = `
DELETE FROM marketdata.blocks WHERE ctid = ANY(ARRAY(
	SELECT b.ctid FROM unnest($1::integer[], $2::integer[], $3::bigint[]) AS u (symbol_id, series_id, block)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.blocks b
		WHERE (b.symbol_id, b.series_id, b.block) = (u.symbol_id, u.series_id, u.block) OFFSET 0
	) b
))`

	// upsertBlocks gives blocks the version of the write: its nonce is $1. The tail of a block keeps at most $2 nonces if
	// rows were only added behind its last one, which is an empty tail in excluded, and the nonce of the write alone
	// otherwise.
	upsertBlocks = `
INSERT INTO marketdata.blocks (
	symbol_id, series_id, revision, nonce, block, rows, last_time, last_seq, hash, tail
)
SELECT symbol_id, series_id, revision, $1::bigint, block, rows, last_time, last_seq, hash,
	CASE WHEN appended THEN '{}' ELSE ARRAY[$1::bigint] END
FROM unnest($3::integer[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::bigint[],
	$10::boolean[], $11::bigint[])
	AS u (symbol_id, series_id, revision, block, rows, last_time, last_seq, appended, hash)
ON CONFLICT (symbol_id, series_id, block) DO UPDATE
SET revision = excluded.revision, nonce = excluded.nonce, rows = excluded.rows, last_time = excluded.last_time,
	last_seq = excluded.last_seq, hash = excluded.hash, tail = CASE
		WHEN excluded.tail = '{}' THEN (array_prepend(excluded.nonce, blocks.tail))[1:$2::integer] ELSE excluded.tail
	END`
)

// Intents.
const (
	// selectIntents locks the intents, so that none is renewed before the transaction ends. It binds one array each of
	// the numbers that identify the series, of the starts and of the ends of their ranges. The first column is the
	// position of the series, from 1.
	selectIntents = `
SELECT n, id, start_time, end_time, expires, owner, expires > clock_timestamp()
FROM (
	SELECT symbol_id, series_id, range_start, range_end, n
	FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY
		AS u (symbol_id, series_id, range_start, range_end, n) ORDER BY n OFFSET 0
) u CROSS JOIN LATERAL (
	SELECT id, start_time, end_time, expires, owner FROM marketdata.intents i
	WHERE (i.symbol_id, i.series_id) = (u.symbol_id, u.series_id) AND start_time < range_end AND end_time > range_start
	FOR UPDATE
) i`

	// endIntents deletes the intents that have their whole range. It binds one array each of the numbers that identify
	// the series, of the starts and ends of the ranges, and of the intents, and returns the positions of the intents that
	// it deleted, from 1.
	endIntents = `
DELETE FROM marketdata.intents i
USING unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::bigint[]) WITH ORDINALITY
	AS u (symbol_id, series_id, start_time, end_time, id, n)
WHERE (i.symbol_id, i.series_id, i.start_time, i.end_time, i.id) =
	(u.symbol_id, u.series_id, u.start_time, u.end_time, u.id)
RETURNING n`

	deleteIntents = `
DELETE FROM marketdata.intents WHERE ctid = ANY(ARRAY(
	SELECT i.ctid FROM unnest($1::integer[], $2::integer[], $3::timestamptz[]) AS u (symbol_id, series_id, start_time)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.intents i
		WHERE (i.symbol_id, i.series_id, i.start_time) = (u.symbol_id, u.series_id, u.start_time) OFFSET 0
	) i
))`

	// insertIntents gives a new life to an intent that has no time of expiry.
	insertIntents = `
INSERT INTO marketdata.intents (symbol_id, series_id, id, start_time, end_time, took_start, took_end, owner, expires)
SELECT symbol_id, series_id, id, start_time, end_time, took_start, took_end, owner,
	coalesce(expires, clock_timestamp() + ` + intentLife + `)
FROM unnest($1::integer[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[],
	$7::timestamptz[], $8::text[], $9::timestamptz[])
	AS u (symbol_id, series_id, id, start_time, end_time, took_start, took_end, owner, expires)`

	// selectExpiredIntents binds the number of rows.
	selectExpiredIntents = `
SELECT symbol, grid, kind, start_time, end_time, owner, expires
FROM (SELECT symbol_id, series_id, start_time, end_time, owner, expires FROM marketdata.intents
	WHERE expires <= clock_timestamp() ORDER BY expires, start_time LIMIT $1) i
JOIN marketdata.series s ON s.symbol_id = i.symbol_id AND s.id = i.series_id
JOIN marketdata.symbols y ON y.id = i.symbol_id ORDER BY expires, start_time`

	intentLife = `interval '30 s'`

	// renewIntents and abandonIntents change the intents that still have their whole range. They bind one array each of
	// the texts that identify the series, of the intents, and of the starts and ends of their ranges. They lock the
	// intents in the order of the series, as transactions do.
	renewIntents   = wholeIntents + `clock_timestamp() + ` + intentLife + whereWhole
	abandonIntents = wholeIntents + `clock_timestamp()` + whereWhole
	wholeIntents   = `
WITH whole AS (
	SELECT i.symbol_id, i.series_id, i.start_time
	FROM (
		SELECT s.symbol_id, s.series_id, u.id, u.start_time, u.end_time
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
			AS u (symbol, kind, grid, id, start_time, end_time)
		CROSS JOIN LATERAL (
			SELECT symbol_id, id AS series_id FROM marketdata.series s WHERE s.symbol_id = (
				SELECT id FROM marketdata.symbols y WHERE y.symbol = u.symbol
			) AND s.kind = u.kind AND s.grid = u.grid OFFSET 0
		) s ORDER BY s.symbol_id, s.series_id OFFSET 0
	) u CROSS JOIN LATERAL (
		SELECT symbol_id, series_id, start_time FROM marketdata.intents i
		WHERE (i.symbol_id, i.series_id, i.start_time, i.id, i.end_time) =
			(u.symbol_id, u.series_id, u.start_time, u.id, u.end_time) FOR UPDATE
	) i
)
UPDATE marketdata.intents i SET expires = `
	whereWhole = `
FROM whole w WHERE (i.symbol_id, i.series_id, i.start_time) = (w.symbol_id, w.series_id, w.start_time)
RETURNING i.id`
)

// The catalog.
const (
	// removeSymbol returns the series of a symbol with data, which keep it from being removed.
	removeSymbol = `SELECT marketdata.remove_symbol($1)`

	// lockNewSeries keeps remove_symbol away until the end of a transaction that adds series.
	lockNewSeries = `SELECT pg_advisory_xact_lock_shared(hashtextextended('marketdata new series', 0))`

	// insertSymbols adds the symbols that do not exist. Both statements sort their rows, so that concurrent calls lock
	// symbols in one order and never deadlock.
	insertSymbols = symbolsFromArrays + `
ON CONFLICT (symbol) DO NOTHING`

	upsertSymbols = symbolsFromArrays + `
ON CONFLICT (symbol) DO UPDATE
SET venue = excluded.venue, base = excluded.base, quote = excluded.quote, tick = excluded.tick, lot = excluded.lot,
	zone = excluded.zone`

	symbolsFromArrays = `
INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
SELECT symbol, venue, base, quote, tick::numeric, lot::numeric, zone
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
	AS u (symbol, venue, base, quote, tick, lot, zone)
ORDER BY symbol COLLATE "C"`
)

// symbolRow describes the catalog's table to bun.
type symbolRow struct {
	bun.BaseModel `bun:"table:marketdata.symbols,alias:s"`

	Symbol, Venue, Base, Quote string
	Tick, Lot                  string
	Zone                       string
}

// symbolColumns reads decimals as text, because domain.Decimal parses text and the driver has decimals of its own.
const symbolColumns = "symbol, venue, base, quote, tick::text, lot::text, zone"

// symbolSearch returns the statement and the arguments for a search of the catalog. bun builds the text.
func symbolSearch(db *bun.DB, q ports.SymbolQuery) (sql string, args []any, err error) {
	var b binder
	search := db.NewSelect().Model((*symbolRow)(nil)).ColumnExpr(symbolColumns).
		Where(`symbol COLLATE "C" > ?`, b.bind(string(q.After))).OrderExpr(`symbol COLLATE "C"`).Limit(int64(q.Limit))
	if len(q.Symbols) > 0 {
		search.Where("symbol = ANY(?)", b.bind(symbolTexts(q.Symbols)))
	}
	if q.Pattern != "" {
		search.Where("symbol LIKE ?", b.bind(likePattern.Replace(q.Pattern)))
	}

	text, err := search.AppendQuery(db.QueryGen(), nil)

	return string(text), b.values, err
}

// likePattern converts a pattern of ports.SymbolQuery to one of LIKE.
var likePattern = strings.NewReplacer("*", "%", "?", "_", "%", `\%`, "_", `\_`, `\`, `\\`)

// binder makes bun write $1, $2, ... into a statement where it would write the values themselves, and collects the
// values.
type binder struct{ values []any }

// bind adds a value and returns its placeholder.
func (b *binder) bind(v any) schema.QueryAppender {
	b.values = append(b.values, v)
	return placeholder(len(b.values))
}

// placeholder is the number of a bound value, from 1.
type placeholder int

// AppendQuery implements schema.QueryAppender.
func (p placeholder) AppendQuery(_ schema.QueryGen, b []byte) ([]byte, error) {
	return fmt.Appendf(b, "$%d", int(p)), nil
}

// Coverage. A change of a range concerns the stored ranges that overlap or touch it, because a range merges with those
// that it touches.
const (
	joinSeries = ` FROM marketdata.coverage c
JOIN marketdata.series s ON s.symbol_id = c.symbol_id AND s.id = c.series_id
JOIN marketdata.symbols y ON y.id = c.symbol_id`

	// selectPageEnd reads the last symbol of a page of $2 + 1 symbols behind $1; there is none on the last page.
	selectPageEnd = `
SELECT symbol FROM marketdata.symbols WHERE symbol COLLATE "C" > $1 ORDER BY symbol COLLATE "C" LIMIT 1 OFFSET $2`

	// Extents are those of the symbols behind $1, up to $2 unless that is empty.
	ofPage    = ` AND symbol COLLATE "C" > $1 AND ($2 = '' OR symbol COLLATE "C" <= $2)`
	ofSymbols = ofPage + ` AND symbol = ANY($3)`

	selectExtents = `SELECT symbol, grid, kind, start_time, end_time, inferred` + joinSeries + `
WHERE grid <> '' AND kind NOT LIKE 'ledger %'`
	selectExtentsOfPage    = selectExtents + ofPage
	selectExtentsOfSymbols = selectExtents + ofSymbols

	selectLedgerSeries = `
SELECT symbol, grid, kind, start_time, end_time
FROM marketdata.series s JOIN marketdata.symbols y ON y.id = s.symbol_id
LEFT JOIN marketdata.coverage c ON c.symbol_id = s.symbol_id AND c.series_id = s.id
WHERE kind LIKE 'ledger %' AND revision > 0`
	selectLedgerSeriesOfSymbols = selectLedgerSeries + ` AND symbol = ANY($1)`

	selectTickExtents          = `SELECT symbol, kind, start_time, end_time` + joinSeries + ` WHERE grid = ''`
	selectTickExtentsOfPage    = selectTickExtents + ofPage
	selectTickExtentsOfSymbols = selectTickExtents + ofSymbols

	// selectTouchingRanges binds one array each of the numbers that identify the series, of the starts and of the ends.
	// The first column is the position of the series, from 1.
	selectTouchingRanges = `
SELECT n, start_time, end_time
FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[]) WITH ORDINALITY
	AS u (symbol_id, series_id, range_start, range_end, n)
CROSS JOIN LATERAL (
	SELECT start_time, end_time FROM marketdata.coverage c
	WHERE (c.symbol_id, c.series_id) = (u.symbol_id, u.series_id) AND end_time >= range_start AND start_time <= range_end
	OFFSET 0
) c ORDER BY n, start_time`

	deleteRanges = `
DELETE FROM marketdata.coverage WHERE ctid = ANY(ARRAY(
	SELECT c.ctid FROM unnest($1::integer[], $2::integer[], $3::timestamptz[]) AS u (symbol_id, series_id, start_time)
	CROSS JOIN LATERAL (
		SELECT ctid FROM marketdata.coverage c
		WHERE (c.symbol_id, c.series_id, c.start_time) = (u.symbol_id, u.series_id, u.start_time) OFFSET 0
	) c
))`

	// upsertRanges changes the end of a range in its place, because an append does only that.
	upsertRanges = `
INSERT INTO marketdata.coverage (symbol_id, series_id, start_time, end_time)
SELECT symbol_id, series_id, start_time, end_time
FROM unnest($1::integer[], $2::integer[], $3::timestamptz[], $4::timestamptz[])
	AS u (symbol_id, series_id, start_time, end_time)
ON CONFLICT (symbol_id, series_id, start_time) DO UPDATE SET end_time = excluded.end_time`
)

// Sessions and the database.
const (
	// selectSessionSettings reads sessionSettings.
	selectSessionSettings = `
SELECT current_setting('standard_conforming_strings'), current_setting('client_encoding'),
	current_setting('TimeZone'), current_setting('row_security')`

	// selectHidesRows tells whether a row-level security policy applies to the role in one of our tables.
	selectHidesRows = `
SELECT EXISTS (
	SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('marketdata') AND relkind IN ('r', 'p')
		AND row_security_active(oid)
)`

	selectRole = `SELECT current_user`

	// selectServer returns the role, the database, the version of the server, and whether selectVersion is permitted.
	selectServer = `
SELECT current_user, current_database(), current_setting('server_version'), EXISTS (
	SELECT FROM pg_class WHERE relnamespace = to_regnamespace('marketdata') AND relname = 'migrations'
		AND has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT')
)`

	// selectMissingPrivileges returns what privileges the role of the session lacks, and on what: as messages of the
	// server name it. It binds arrays of tables and of a privilege on each, and whether the role is to write.
	selectMissingPrivileges = `
SELECT 'schema', 'marketdata', 'USAGE' WHERE NOT has_schema_privilege(to_regnamespace('marketdata'), 'USAGE')
UNION ALL
SELECT 'table', name, privilege FROM unnest($1::text[], $2::text[]) AS u (name, privilege)
JOIN pg_class ON relnamespace = to_regnamespace('marketdata') AND relname = name
WHERE NOT has_table_privilege(oid, privilege)
UNION ALL
SELECT 'in database', format('"%s"', current_database()), 'TEMPORARY'
WHERE $3 AND NOT has_database_privilege(current_database(), 'TEMPORARY')
UNION ALL
SELECT 'function', proname, 'EXECUTE' FROM pg_proc
WHERE $3 AND pronamespace = to_regnamespace('marketdata')
	AND proname IN ('ensure_partitions', 'drop_empty_partition', 'remove_symbol')
	AND NOT has_function_privilege(oid, 'EXECUTE')`

	// selectIdentity includes the timeline, because a server that was restored from a backup or promoted starts a new
	// one and may lack rows that the old one had.
	selectIdentity = `
SELECT system_identifier || '-' || timeline_id || '-' ||
	(SELECT oid FROM pg_database WHERE datname = current_database())
FROM pg_control_system(), pg_control_checkpoint()`

	selectCacheKey = `SELECT secret FROM marketdata.identity`

	selectInfluxIdentity = `SELECT coalesce(identity, ''), is_bound FROM marketdata.influx_identity`

	updateInfluxIdentity = `
UPDATE marketdata.influx_identity SET identity = $1, is_bound = $2
WHERE NOT is_bound AND ($2 OR identity IS NULL) RETURNING identity`

	// checkSchema names every column that reads of bars need without versions, and returns no row.
	checkSchema = `
SELECT b.open_time, b.open, b.high, b.low, b.close, b.volume, b.trades, b.symbol_id, b.series_id,
	y.id, y.symbol, s.symbol_id, s.id, s.kind, s.grid, c.symbol_id, c.series_id, c.start_time, c.end_time, c.inferred
FROM marketdata.bars b, marketdata.symbols y, marketdata.series s, marketdata.coverage c LIMIT 0`

	// checkVersions names every other column that reads of versions and of a ledger need, and returns no row.
	checkVersions = `
SELECT s.revision, s.nonce, b.symbol_id, b.series_id, b.block, b.rows, b.revision, b.nonce, b.tail, b.hash,
	i.symbol_id, i.series_id, i.start_time, i.end_time, i.expires, f.identity, f.is_bound
FROM marketdata.series s, marketdata.blocks b, marketdata.intents i, marketdata.influx_identity f LIMIT 0`
)

// Migrations. The lock lasts until the session ends, so that a process that dies leaves nothing locked.
const (
	createSchema     = `CREATE SCHEMA IF NOT EXISTS marketdata`
	selectVersion    = `SELECT coalesce(max(name), '') FROM marketdata.migrations`
	lockMigrations   = `SELECT pg_advisory_lock(hashtextextended('marketdata migrations', 0))`
	unlockMigrations = `SELECT pg_advisory_unlock(hashtextextended('marketdata migrations', 0))`
)

// The channel of hints. listenHints turns idle_session_timeout off, because a listening session is idle
// between notifications and the server would end it.
const (
	listenHints = `SET idle_session_timeout = 0; LISTEN marketdata_hints`
	notifyHints = `
SELECT count(pg_notify('marketdata_hints', payload)) FROM unnest($1::text[]) AS payload`
)

// Arguments of an explained read. EXPLAIN EXECUTE cannot bind values, and values written into the statement would let
// the server plan for them, while a prepared read is planned for any values. The values therefore travel in settings of
// the transaction.
const (
	setArguments = `
SELECT count(set_config('marketdata.argument_' || n, value, true))
FROM unnest($1::text[]) WITH ORDINALITY AS u (value, n)`

	rangeArguments = `current_setting('marketdata.argument_1'), current_setting('marketdata.argument_2'), ` +
		`current_setting('marketdata.argument_3'), ` +
		`current_setting('marketdata.argument_4')::timestamptz, current_setting('marketdata.argument_5')::timestamptz`
	limitArgument = `, current_setting('marketdata.argument_6')::bigint`
)

// findBar returns a statement for people, which shows the rows of a symbol at a time.
func findBar(symbol domain.Symbol, at time.Time) string {
	return fmt.Sprintf("SELECT b.open, b.high, b.low, b.close, b.volume, b.trades FROM marketdata.bars b "+
		"JOIN marketdata.symbols s ON s.id = b.symbol_id WHERE s.symbol = '%s' AND b.open_time = '%s'",
		symbol, at.Format(time.RFC3339Nano))
}

// explainRead returns the EXPLAIN of a prepared read of bars, with the options as EXPLAIN writes them. The arguments
// must have been set with setArguments.
func explainRead(options, statement string, hasLimit bool) string {
	arguments := rangeArguments
	if hasLimit {
		arguments += limitArgument
	}

	return "EXPLAIN (" + options + ") EXECUTE " + statement + "(" + arguments + ")"
}

// selectTableStats reads the system catalogs' facts about tables, given an array of their schemas and one of their
// names. scanTableStats reads the columns: the position in the arrays; the name, and the name of the table that it is a
// partition of, or its own; the size; the bounds of a partition of marketdata.bars; the numbers of live and dead rows
// and of rows changed since the last ANALYZE; whether it was never analyzed; and the name, columns and usability of
// each index that is not partial.
const selectTableStats = `
SELECT u.place, format('%I.%I', n.nspname, c.relname),
	format('%I.%I', coalesce(pn.nspname, n.nspname), coalesce(p.relname, c.relname)),
	coalesce(pg_relation_size(c.oid), 0),
	CASE WHEN ours THEN substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz END,
	CASE WHEN ours THEN substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz END,
	greatest(coalesce(st.n_live_tup, 0), c.reltuples::bigint, 0), coalesce(st.n_dead_tup, 0),
	coalesce(st.n_mod_since_analyze, 0), c.reltuples < 0, x.names, x.columns, x.usable
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u (schema, name, place)
JOIN pg_namespace n ON n.nspname = u.schema
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = u.name
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class p ON p.oid = i.inhparent
LEFT JOIN pg_namespace pn ON pn.oid = p.relnamespace
LEFT JOIN pg_stat_all_tables st ON st.relid = c.oid
CROSS JOIN LATERAL (SELECT coalesce(pn.nspname = 'marketdata' AND p.relname = 'bars', false) AS ours) o
CROSS JOIN LATERAL (
	SELECT coalesce(array_agg(format('%I.%I', n.nspname, ic.relname)), '{}') AS names,
		coalesce(array_agg(ix.indisvalid AND ix.indisready), '{}') AS usable,
		coalesce(array_agg(coalesce((
			SELECT string_agg(a.attname, ', ' ORDER BY k.place)
			FROM unnest(ix.indkey) WITH ORDINALITY AS k (number, place)
			JOIN pg_attribute a ON a.attrelid = ix.indrelid AND a.attnum = k.number), '')), '{}') AS columns
	FROM pg_index ix JOIN pg_class ic ON ic.oid = ix.indexrelid
	WHERE ix.indrelid = c.oid AND ix.indpred IS NULL
) x
ORDER BY u.place`
