package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/gal-friday/marketdata/ports"
)

// This file has all SQL text of the package, except the migrations and the bookkeeping of bun's migrator. testdata/sql
// has every statement as the server receives it.
//
// INVARIANT: names of tables and columns are constants of this file. Values of callers are bound, never written into
// the text; the one exception is the limit of a catalog search, an integer. Each statement is therefore a constant
// text, prepared once per connection.

// tableSQL has the statements on one table of rows: bars, trades or quotes.
type tableSQL struct {
	// Reads bind the symbol's text, the other columns that identify the series, the range and, except selectAll, the
	// number of rows. They resolve the symbol to its number themselves, because a read must be one round trip and must
	// not depend on a cache.
	selectAll, selectFirst, selectLast string

	// Writes bind the symbol's number and the other columns that identify the series; countRows, delete and
	// deleteOthers then bind the range. copyTable and copyStage bind nothing; their rows follow in the binary format of
	// COPY.
	copyTable, createStage, truncateStage, copyStage, merge, countRows, delete, deleteOthers string
}

var (
	barSQL = newTableSQL(tableLayout{
		name:   "bars",
		series: "kind, grid",
		row:    "open_time timestamptz",
		values: "open numeric, high numeric, low numeric, close numeric, volume numeric, trades bigint",
	})
	tradeSQL = newTableSQL(tableLayout{
		name:   "trades",
		row:    "time timestamptz, seq bigint",
		values: "price numeric, size numeric, side smallint",
	})
	quoteSQL = newTableSQL(tableLayout{
		name:   "quotes",
		row:    "time timestamptz, seq bigint",
		values: "bid numeric, ask numeric, bid_size numeric, ask_size numeric",
	})
)

// tableLayout describes a table whose primary key is symbol_id, the columns of series and those of row.
type tableLayout struct {
	name   string
	series string // names of the columns that identify a series beside the symbol, as "a, b"
	row    string // names and types of the columns that identify a row of the series; the first is its time
	values string // names and types of the other columns
}

// newTableSQL returns the statements for a table.
//
// The staging table belongs to the session and is emptied at the end of every transaction. A table that each write
// created and dropped would bloat the system catalogs.
func newTableSQL(l tableLayout) tableSQL {
	expand := l.placeholders().Replace
	return tableSQL{
		selectAll: expand(`SELECT {columns} FROM {table} WHERE ({key}) = ({lookup}) AND {in range} ORDER BY {row}`),
		selectFirst: expand(
			`SELECT {columns} FROM {table} WHERE ({key}) = ({lookup}) AND {in range} ORDER BY {row} LIMIT {limit}`),
		selectLast: expand(`SELECT {columns} FROM (` +
			`SELECT {columns} FROM {table} WHERE ({key}) = ({lookup}) AND {in range} ` +
			`ORDER BY {row descending} LIMIT {limit}) last ORDER BY {row}`),

		copyTable:     expand(`COPY {table} ({key}, {columns}) FROM STDIN (FORMAT binary)`),
		createStage:   expand(`CREATE TEMP TABLE IF NOT EXISTS {stage} ({types}) ON COMMIT DELETE ROWS`),
		truncateStage: expand(`TRUNCATE pg_temp.{stage}`),
		copyStage:     expand(`COPY pg_temp.{stage} ({columns}) FROM STDIN (FORMAT binary)`),
		merge: expand(`INSERT INTO {table} AS t ({key}, {columns}) SELECT {bound}, {columns} FROM pg_temp.{stage} ` +
			`ON CONFLICT ({key}, {row}) DO UPDATE SET {assignments} ` +
			`WHERE ({stored values}) IS DISTINCT FROM ({new values})`),
		countRows: expand(`SELECT count(*) FROM {table} t WHERE ({key}) = ({bound}) AND {in range}`),
		delete:    expand(`DELETE FROM {table} t WHERE ({key}) = ({bound}) AND {in range}`),
		deleteOthers: expand(`DELETE FROM {table} t WHERE ({key}) = ({bound}) AND {in range} ` +
			`AND NOT EXISTS (SELECT FROM pg_temp.{stage} s WHERE ({staged row}) = ({stored row}))`),
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
	lookup := append([]string{"(SELECT id FROM marketdata.symbols WHERE symbol = $1)"}, bound[1:]...)
	start, end, limit := len(key)+1, len(key)+2, len(key)+3

	return strings.NewReplacer(
		"{table}", "marketdata."+l.name,
		"{stage}", "marketdata_stage_"+l.name,
		"{types}", l.row+", "+l.values,
		"{columns}", formatEach("$", slices.Concat(row, values)),
		"{key}", formatEach("$", key),
		"{bound}", formatEach("$", bound),
		"{lookup}", formatEach("$", lookup),
		"{in range}", fmt.Sprintf("%s >= $%d AND %s < $%d", row[0], start, row[0], end),
		"{limit}", fmt.Sprintf("$%d", limit),
		"{row}", formatEach("$", row),
		"{row descending}", formatEach("$ DESC", row),
		"{staged row}", formatEach("s.$", row),
		"{stored row}", formatEach("t.$", row),
		"{assignments}", formatEach("$ = excluded.$", values),
		"{stored values}", formatEach("t.$", values),
		"{new values}", formatEach("excluded.$", values),
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
// sorts the rows nor keeps the whole result. OFFSET 0 keeps the lookup of the symbol out of the join, because it would
// be repeated there for each partition. The branch of UNION ALL that a query does not use has a limit of 0 and reads
// nothing.
const selectBatch = `
SELECT open_time, open, high, low, close, volume, trades, n
FROM (
	SELECT (SELECT id FROM marketdata.symbols WHERE symbol = u.symbol) AS symbol_id,
		kind, grid, start_time, end_time, first, last, n
	FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[])
		WITH ORDINALITY AS u (symbol, kind, grid, start_time, end_time, first, last, n)
	ORDER BY n OFFSET 0
) q CROSS JOIN LATERAL (
	(
		SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
		WHERE (symbol_id, kind, grid) = (q.symbol_id, q.kind, q.grid)
			AND open_time >= start_time AND open_time < end_time
		ORDER BY open_time LIMIT CASE WHEN last = 0 THEN NULLIF(first, 0) ELSE 0 END
	) UNION ALL (
		SELECT open_time, open, high, low, close, volume, trades FROM (
			SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
			WHERE (symbol_id, kind, grid) = (q.symbol_id, q.kind, q.grid)
				AND open_time >= start_time AND open_time < end_time
			ORDER BY open_time DESC LIMIT last
		) descending ORDER BY open_time
	)
) bars ORDER BY n`

// aggregateSQL returns the statement that aggregates the trades of symbol $1 in the range from $2 to $3 into bars;
// bucket is the SQL expression for the open time of a trade's bar. The last column counts the trades of a bar that no
// domain.Trade can represent.
//
// The opening and closing trade of a bar are looked up by the primary key, because two lookups per bar cost less than
// sorting all trades.
func aggregateSQL(bucket string) string {
	return strings.NewReplacer(
		"{bucket}", bucket,
		"{symbol}", "(SELECT id FROM marketdata.symbols WHERE symbol = $1)",
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
WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time >= $2 AND time < $3`

// The transaction of a write.
const (
	begin    = `BEGIN`
	commit   = `COMMIT`
	rollback = `ROLLBACK`

	ensurePartitions = `SELECT marketdata.ensure_partitions($1, $2)`

	// lockSeries serializes the writers of one series until the transaction ends, so that none changes the coverage or
	// the rows between another's read and write of them. The lock's number is a hash: two series may share one and then
	// wait for each other.
	lockSeries = `SELECT pg_advisory_xact_lock(hashtextextended('marketdata ' || $1, 0))`
)

// The catalog.
const (
	selectSymbolID = `SELECT id FROM marketdata.symbols WHERE symbol = $1`

	insertSymbol = `
INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
VALUES ($1, $2, $3, $4, $5::text::numeric, $6::text::numeric, $7)
ON CONFLICT (symbol) DO NOTHING`

	// upsertSymbols sorts its rows, so that concurrent calls lock symbols in one order and never deadlock.
	upsertSymbols = `
INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
SELECT symbol, venue, base, quote, tick::numeric, lot::numeric, zone
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
	AS u (symbol, venue, base, quote, tick, lot, zone)
ORDER BY symbol COLLATE "C"
ON CONFLICT (symbol) DO UPDATE
SET venue = excluded.venue, base = excluded.base, quote = excluded.quote, tick = excluded.tick, lot = excluded.lot,
	zone = excluded.zone`
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
	search := db.NewSelect().Model((*symbolRow)(nil)).ColumnExpr(symbolColumns).Order("symbol")
	if len(q.Symbols) > 0 {
		search.Where("symbol = ANY(?)", b.bind(symbolTexts(q.Symbols)))
	}
	if q.Pattern != "" {
		search.Where("symbol LIKE ?", b.bind(likePattern.Replace(q.Pattern)))
	}
	if q.Limit > 0 {
		search.Limit(int64(q.Limit))
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

// Coverage. A change of the range from $4 to $5 ($3 to $4 for ticks) concerns the extents that overlap or touch it,
// because an extent merges with those that it touches.
const (
	selectExtents = `
SELECT symbol, grid, kind, start_time, end_time, assumed
FROM marketdata.extents JOIN marketdata.symbols ON id = symbol_id`

	selectExtentsOfSymbols = selectExtents + ` WHERE symbol = ANY($1)`

	extentsTouching = ` FROM marketdata.extents
WHERE symbol_id = $1 AND kind = $2 AND grid = $3 AND end_time >= $4 AND start_time <= $5`

	selectTouchingExtents = `SELECT start_time, end_time` + extentsTouching
	deleteTouchingExtents = `DELETE` + extentsTouching

	insertExtents = `
INSERT INTO marketdata.extents (symbol_id, kind, grid, start_time, end_time)
SELECT $1, $2, $3, start_time, end_time FROM unnest($4::timestamptz[], $5::timestamptz[]) AS u (start_time, end_time)`

	selectTickExtents = `
SELECT symbol, ticks, start_time, end_time
FROM marketdata.tick_extents JOIN marketdata.symbols ON id = symbol_id`

	selectTickExtentsOfSymbols = selectTickExtents + ` WHERE symbol = ANY($1)`

	tickExtentsTouching = ` FROM marketdata.tick_extents
WHERE symbol_id = $1 AND ticks = $2 AND end_time >= $3 AND start_time <= $4`

	selectTouchingTickExtents = `SELECT start_time, end_time` + tickExtentsTouching
	deleteTouchingTickExtents = `DELETE` + tickExtentsTouching

	insertTickExtents = `
INSERT INTO marketdata.tick_extents (symbol_id, ticks, start_time, end_time)
SELECT $1, $2, start_time, end_time FROM unnest($3::timestamptz[], $4::timestamptz[]) AS u (start_time, end_time)`
)

// Sessions and the database.
const (
	// selectSessionSettings reads the settings that the decoders, the text that bun writes and the completeness of
	// reads depend on.
	selectSessionSettings = `
SELECT current_setting('standard_conforming_strings'), current_setting('client_encoding'),
	current_setting('TimeZone'), current_setting('row_security')`

	// selectIdentity includes the timeline, because a server that was restored from a backup or promoted starts a new
	// one and may lack rows that the old one had.
	selectIdentity = `
SELECT system_identifier || '-' || timeline_id || '-' ||
	(SELECT oid FROM pg_database WHERE datname = current_database())
FROM pg_control_system(), pg_control_checkpoint()`

	// checkSchema names every column that reads of bars need, and returns no row.
	checkSchema = `
SELECT b.open_time, b.open, b.high, b.low, b.close, b.volume, b.trades, b.kind, b.grid,
	s.id, s.symbol, e.start_time, e.end_time
FROM marketdata.bars b, marketdata.symbols s, marketdata.extents e LIMIT 0`
)

// Migrations. The lock lasts until the session ends, so that a process that dies leaves nothing locked.
const (
	createSchema     = `CREATE SCHEMA IF NOT EXISTS marketdata`
	selectVersion    = `SELECT coalesce(max(name), '') FROM marketdata.migrations`
	lockMigrations   = `SELECT pg_advisory_lock(hashtextextended('marketdata migrations', 0))`
	unlockMigrations = `SELECT pg_advisory_unlock(hashtextextended('marketdata migrations', 0))`
)

// The channel of invalidations. listenInvalidations turns idle_session_timeout off, because a listening session is idle
// between notifications and the server would end it.
const (
	listenInvalidations = `SET idle_session_timeout = 0; LISTEN marketdata_invalidations`
	notifyInvalidations = `
SELECT count(pg_notify('marketdata_invalidations', payload)) FROM unnest($1::text[]) AS payload`
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
