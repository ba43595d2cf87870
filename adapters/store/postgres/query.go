package postgres

import (
	"fmt"
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/gal-friday/marketdata/ports"
)

// All SQL text but that of the catalog's search, which bun builds, and of the migrations. Names are constants of this file. Callers'
// values are bound, never written into the text, so that every statement is prepared once a connection.

// tableSQL is the statements on one table of rows.
type tableSQL struct {
	// The reads take the symbol's text, what else names the series, the range, and all but the first how many rows. The symbol's
	// number is looked up inside the statement: a read is one round trip, and needs no memory of numbers.
	selectAll, selectFirst, selectLast string

	// The writes take the symbol's number and what else names the series; those of a range then take it. The table in which a write
	// is staged belongs to the session and is emptied at the end of every transaction: one made and dropped a write would bloat the
	// system's catalogs.
	copyTable, createStage, truncateStage, copyStage, merge, countRows, delete, deleteOthers string
}

var (
	barSQL   = newTableSQL("bars", "kind, grid", "open_time", "open high low close volume", "trades bigint")
	tradeSQL = newTableSQL("trades", "", "time, seq", "price size", "side smallint")
	quoteSQL = newTableSQL("quotes", "", "time, seq", "bid ask bid_size ask_size", "")
)

// newTableSQL makes the statements for a table: what names a series beside the symbol, what names a row in it, the time first, its
// decimals, and what comes last, with its type.
func newTableSQL(name, series, row, decimals, last string) tableSQL {
	table := "marketdata." + name
	stage := "pg_temp.marketdata_stage_" + name
	time, seq, hasSeq := strings.Cut(row, ", ")

	values := strings.Fields(decimals)
	types := time + " timestamptz, "
	if hasSeq {
		types += seq + " bigint, "
	}
	types += strings.Join(values, " numeric, ") + " numeric"
	if last != "" {
		types += ", " + last
		values = append(values, strings.Fields(last)[0])
	}

	columns := row + ", " + strings.Join(values, ", ")
	each := func(format, separator string) string {
		var parts []string
		for _, v := range values {
			parts = append(parts, strings.ReplaceAll(format, "$", v))
		}
		return strings.Join(parts, separator)
	}

	key, bound := "symbol_id", "$1"
	if series != "" {
		for i, column := range strings.Split(series, ", ") {
			key += ", " + column
			bound += fmt.Sprintf(", $%d", i+2)
		}
	}

	n := strings.Count(bound, "$")
	in := fmt.Sprintf(" AND %s >= $%d AND %s < $%d", time, n+1, time, n+2)
	ofSymbol := fmt.Sprintf(" FROM %s WHERE (%s) = (%s)", table, key,
		strings.Replace(bound, "$1", "(SELECT id FROM marketdata.symbols WHERE symbol = $1)", 1)) + in
	ofID := fmt.Sprintf(" FROM %s t WHERE (%s) = (%s)", table, key, bound) + in
	limit := fmt.Sprintf(" LIMIT $%d", n+3)
	all := "SELECT " + columns + ofSymbol + " ORDER BY " + row

	return tableSQL{
		selectAll:   all,
		selectFirst: all + limit,
		selectLast: "SELECT " + columns + " FROM (SELECT " + columns + ofSymbol +
			" ORDER BY " + strings.ReplaceAll(row, ",", " DESC,") + " DESC" + limit +
			") last ORDER BY " + row,

		copyTable:     "COPY " + table + " (" + key + ", " + columns + ") FROM STDIN (FORMAT binary)",
		createStage:   "CREATE TEMP TABLE IF NOT EXISTS " + strings.TrimPrefix(stage, "pg_temp.") + " (" + types + ") ON COMMIT DELETE ROWS",
		truncateStage: "TRUNCATE " + stage,
		copyStage:     "COPY " + stage + " (" + columns + ") FROM STDIN (FORMAT binary)",
		merge: "INSERT INTO " + table + " AS t (" + key + ", " + columns + ") SELECT " + bound + ", " + columns + " FROM " + stage +
			" ON CONFLICT (" + key + ", " + row + ") DO UPDATE SET " + each("$ = excluded.$", ", ") +
			" WHERE (" + each("t.$", ", ") + ") IS DISTINCT FROM (" + each("excluded.$", ", ") + ")",
		countRows: "SELECT count(*)" + ofID,
		delete:    "DELETE" + ofID,
		deleteOthers: "DELETE" + ofID + " AND NOT EXISTS (SELECT FROM " + stage + " s WHERE (s." + strings.ReplaceAll(row, ", ", ", s.") +
			") = (t." + strings.ReplaceAll(row, ", ", ", t.") + "))",
	}
}

// selectBatch is barSQL.all, first and last of many queries at once, in the order of their numbers, which come last: it takes an array
// of each of the values that those take, in which a first or a last of 0 is none.
//
// The join takes the queries in order and reads the bars of each by the key's index, so that its rows need no sorting, and the whole
// answer is never held by the server. OFFSET 0 keeps the look-up of a symbol out of the join, where it would be made again for every
// partition. Of the two branches, the one that is not asked for has a limit of 0 and reads nothing.
const selectBatch = `
SELECT open_time, open, high, low, close, volume, trades, n
FROM (
	SELECT (SELECT id FROM marketdata.symbols WHERE symbol = u.symbol) AS symbol_id, kind, grid, start_time, end_time, first, last, n
	FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::bigint[]) WITH ORDINALITY
		AS u (symbol, kind, grid, start_time, end_time, first, last, n)
	ORDER BY n OFFSET 0
) q CROSS JOIN LATERAL (
	(
		SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
		WHERE (symbol_id, kind, grid) = (q.symbol_id, q.kind, q.grid) AND open_time >= start_time AND open_time < end_time
		ORDER BY open_time LIMIT CASE WHEN last = 0 THEN NULLIF(first, 0) ELSE 0 END
	) UNION ALL (
		SELECT open_time, open, high, low, close, volume, trades FROM (
			SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
			WHERE (symbol_id, kind, grid) = (q.symbol_id, q.kind, q.grid) AND open_time >= start_time AND open_time < end_time
			ORDER BY open_time DESC LIMIT last
		) descending ORDER BY open_time
	)
) bars ORDER BY n`

// aggregateSQL is the bars made of the trades of a symbol, $1, in a range, $2 and $3. What opens and closes a bar is looked up by the
// key of the table, two rows a bar, which costs less than sorting all of them. The last column counts the trades that are none.
func aggregateSQL(bucket string) string {
	const ofSymbol = " FROM marketdata.trades WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1)"
	const sound = "size >= 0 AND seq >= 0 AND side BETWEEN 0 AND 2 AND min_scale(price) <= 18 AND min_scale(size) <= 18"
	return "SELECT bar, first.price, high, low, last.price, volume, trades, broken FROM (" +
		"SELECT " + bucket + " AS bar, max(price) AS high, min(price) AS low, sum(size) AS volume, count(*) AS trades," +
		" min(time) AS first_time, max(time) AS last_time, count(*) FILTER (WHERE (" + sound + ") IS NOT TRUE) AS broken" +
		ofSymbol + " AND time >= $2 AND time < $3 GROUP BY bar) bars" +
		" CROSS JOIN LATERAL (SELECT price" + ofSymbol + " AND time = first_time ORDER BY seq LIMIT 1) first" +
		" CROSS JOIN LATERAL (SELECT price" + ofSymbol + " AND time = last_time ORDER BY seq DESC LIMIT 1) last" +
		" ORDER BY bar"
}

var (
	// aggregateFixed takes the length of a bar and an edge that no trade of the range lies before.
	aggregateFixed = aggregateSQL("date_bin($4::interval, time, $5::timestamptz)")
	// aggregateCalendar takes the edges of the range's bars, ascending: the calendar is the Grid's.
	aggregateCalendar = aggregateSQL("($4::timestamptz[])[width_bucket(time, $4::timestamptz[])]")
)

// selectTradesWithin is the first and the last time of the symbol's trades in the range.
const selectTradeBounds = `
SELECT min(time), max(time) FROM marketdata.trades
WHERE symbol_id = (SELECT id FROM marketdata.symbols WHERE symbol = $1) AND time >= $2 AND time < $3`

const (
	ensurePartitions = `SELECT marketdata.ensure_partitions($1, $2)`

	// lockSeries makes the writers of one series take turns until the transaction ends, so that claims are merged and rows are
	// counted without another's in between. Its number is a hash, so two series may share one.
	lockSeries = `SELECT pg_advisory_xact_lock(hashtextextended('marketdata ' || $1, 0))`

	// The lock on migrations lasts until the session ends: a process that dies leaves nothing locked.
	lockMigrations   = `SELECT pg_advisory_lock(hashtextextended('marketdata migrations', 0))`
	unlockMigrations = `SELECT pg_advisory_unlock(hashtextextended('marketdata migrations', 0))`
)

const (
	selectSymbolID = `SELECT id FROM marketdata.symbols WHERE symbol = $1`

	insertSymbol = `
INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
VALUES ($1, $2, $3, $4, $5::text::numeric, $6::text::numeric, $7)
ON CONFLICT (symbol) DO NOTHING`

	// Sorted, so that two calls lock symbols in one order.
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

// A claim meets the ones that overlap or touch it.
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

// checkSchema touches every column that reads of bars need, and no row.
const checkSchema = `
SELECT b.open_time, b.open, b.high, b.low, b.close, b.volume, b.trades, b.kind, b.grid, s.id, s.symbol, e.start_time, e.end_time
FROM marketdata.bars b, marketdata.symbols s, marketdata.extents e LIMIT 0`

// selectSessionSettings are what the decoders and the text that bun writes rely on.
const selectSessionSettings = `
SELECT current_setting('standard_conforming_strings'), current_setting('client_encoding'), current_setting('TimeZone')`

// The channel of invalidations. A server that ends idle sessions would end the one that listens.
const (
	listenInvalidations = `SET idle_session_timeout = 0; LISTEN marketdata_invalidations`
	notifyInvalidations = `SELECT count(pg_notify('marketdata_invalidations', payload)) FROM unnest($1::text[]) AS payload`
)

// The server explains a statement as it would run it, which is not how it would run it with these values in its text: a prepared one is
// planned for any. Values reach EXPLAIN EXECUTE by way of settings that last for the transaction, since it takes none that are bound.
const (
	setArguments = `SELECT count(set_config('marketdata.argument_' || n, value, true)) FROM unnest($1::text[]) WITH ORDINALITY AS u (value, n)`

	rangeArguments = `current_setting('marketdata.argument_1'), current_setting('marketdata.argument_2'), ` +
		`current_setting('marketdata.argument_3'), ` +
		`current_setting('marketdata.argument_4')::timestamptz, current_setting('marketdata.argument_5')::timestamptz`
	limitArgument = `, current_setting('marketdata.argument_6')::bigint`
)

// explainRead is EXPLAIN of a prepared statement, a read of bars.
func explainRead(options, statement string, limited bool) string {
	arguments := rangeArguments
	if limited {
		arguments += limitArgument
	}
	return "EXPLAIN (" + options + ") EXECUTE " + statement + "(" + arguments + ")"
}

// selectScanned is what the system's catalogs know of tables, given their schemas and names. Of each: its place there; its name, and that
// of the one it is a partition of, or its own; its size; the bounds of a partition of ours; what is counted of its rows, which are live,
// dead, or changed since they were analyzed, and whether they never were; and its indexes, each with its columns, and whether it is
// fit for use.
const selectTableStats = `
SELECT u.place, format('%I.%I', n.nspname, c.relname), format('%I.%I', coalesce(pn.nspname, n.nspname), coalesce(p.relname, c.relname)),
	coalesce(pg_relation_size(c.oid), 0),
	CASE WHEN ours THEN substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''([^'']+)''\)')::timestamptz END,
	CASE WHEN ours THEN substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz END,
	greatest(coalesce(st.n_live_tup, 0), c.reltuples::bigint, 0), coalesce(st.n_dead_tup, 0), coalesce(st.n_mod_since_analyze, 0),
	c.reltuples < 0, x.names, x.columns, x.usable
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
			SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM unnest(ix.indkey) WITH ORDINALITY AS k (number, place)
			JOIN pg_attribute a ON a.attrelid = ix.indrelid AND a.attnum = k.number), '')), '{}') AS columns
	FROM pg_index ix JOIN pg_class ic ON ic.oid = ix.indexrelid
	WHERE ix.indrelid = c.oid AND ix.indpred IS NULL
) x
ORDER BY u.place`

// symbolRow is a row of the catalog.
type symbolRow struct {
	bun.BaseModel `bun:"table:marketdata.symbols,alias:s"`

	Symbol, Venue, Base, Quote string
	Tick, Lot                  string // as text: the driver's own decimals are not ours
	Zone                       string
}

const symbolColumns = "symbol, venue, base, quote, tick::text, lot::text, zone"

// likePattern turns the catalog's pattern into LIKE's.
var likePattern = strings.NewReplacer("*", "%", "?", "_", "%", `\%`, "_", `\_`, `\`, `\\`)

// symbolSearch is the statement that q selects with.
func symbolSearch(db *bun.DB, q ports.SymbolQuery) (sql string, args []any, err error) {
	var bound binder
	search := db.NewSelect().Model((*symbolRow)(nil)).ColumnExpr(symbolColumns).Order("symbol")
	if len(q.Symbols) > 0 {
		search.Where("symbol = ANY(?)", bound.bind(symbolTexts(q.Symbols)))
	}
	if q.Pattern != "" {
		search.Where("symbol LIKE ?", bound.bind(likePattern.Replace(q.Pattern)))
	}
	if q.Limit > 0 {
		search.Limit(int64(q.Limit))
	}
	text, err := search.AppendQuery(db.QueryGen(), nil)
	return string(text), bound.values, err
}

// binder lets bun build the text of a statement whose values are bound: where bun would write a value it writes $1, $2, ...
type binder struct{ values []any }

func (b *binder) bind(v any) schema.QueryAppender {
	b.values = append(b.values, v)
	return placeholder(len(b.values))
}

type placeholder int

// AppendQuery implements schema.QueryAppender.
func (p placeholder) AppendQuery(_ schema.QueryGen, b []byte) ([]byte, error) {
	return fmt.Appendf(b, "$%d", int(p)), nil
}

// The timeline counts how often a copy of the server went its own way: one that was restored or took over may lack what the other had.
const selectIdentity = `
SELECT system_identifier || '-' || timeline_id || '-' || (SELECT oid FROM pg_database WHERE datname = current_database())
FROM pg_control_system(), pg_control_checkpoint()`

const selectVersion = `SELECT coalesce(max(name), '') FROM marketdata.migrations`

const (
	createSchema = `CREATE SCHEMA IF NOT EXISTS marketdata`

	begin    = `BEGIN`
	commit   = `COMMIT`
	rollback = `ROLLBACK`
)
