package sqlite

import (
	"fmt"
	"strings"

	"github.com/uptrace/bun"
)

// applicationID marks the file as ours: "mkdt".
const applicationID = 0x6d6b6474

// schema1 is the first version of the tables.
//
// Bars lie in chunks of the codec, up to codec.MaxBars in each, those of a series disjoint. A chunk's blob is larger than a page: a
// table with a rowid keeps it out of the tree that is searched.
//
// Trades and quotes are rows, WITHOUT ROWID in the order in which they are read. They too have a row each in series, without a grid.
// Their decimals are plain text: exact to every digit a Decimal has, which no integer column is, and readable in the sqlite3 shell.
// Nothing here compares or sorts them, so that text is not a number costs nothing.
//
// Times are microseconds since 1970 UTC. STRICT makes SQLite refuse what is of another type.
const schema1 = `
CREATE TABLE symbols (
	symbol TEXT NOT NULL PRIMARY KEY,
	venue  TEXT NOT NULL,
	base   TEXT NOT NULL,
	quote  TEXT NOT NULL,
	tick   TEXT NOT NULL,
	lot    TEXT NOT NULL,
	zone   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE series (
	id     INTEGER NOT NULL PRIMARY KEY,
	symbol TEXT NOT NULL,
	grid   TEXT NOT NULL,
	kind   TEXT NOT NULL,
	UNIQUE (symbol, grid, kind)
) STRICT;

CREATE TABLE chunks (
	id         INTEGER NOT NULL PRIMARY KEY,
	series     INTEGER NOT NULL,
	first_open INTEGER NOT NULL,
	last_open  INTEGER NOT NULL,
	bars       INTEGER NOT NULL,
	data       BLOB NOT NULL,
	UNIQUE (series, first_open)
) STRICT;

CREATE TABLE trades (
	series INTEGER NOT NULL,
	time   INTEGER NOT NULL,
	seq    INTEGER NOT NULL,
	price  TEXT NOT NULL,
	size   TEXT NOT NULL,
	side   INTEGER NOT NULL,
	PRIMARY KEY (series, time, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE quotes (
	series   INTEGER NOT NULL,
	time     INTEGER NOT NULL,
	seq      INTEGER NOT NULL,
	bid      TEXT NOT NULL,
	ask      TEXT NOT NULL,
	bid_size TEXT NOT NULL,
	ask_size TEXT NOT NULL,
	PRIMARY KEY (series, time, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE extents (
	series      INTEGER NOT NULL,
	range_start INTEGER NOT NULL,
	range_end   INTEGER NOT NULL,
	PRIMARY KEY (series, range_start)
) STRICT, WITHOUT ROWID;
`

const selectVersion = `
SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version),
	(SELECT count(*) FROM sqlite_schema)`

// setVersion marks the file; a pragma takes no parameters.
func setVersion(version int) string {
	return fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)
}

const (
	chunkColumns = `first_open, last_open, bars, data`

	// heldChunk is the columns of a chunk, and where the next one of the series begins, NULL where there is none.
	heldChunk = chunkColumns + `,
	(SELECT min(first_open) FROM chunks AS next WHERE next.series = chunks.series AND next.first_open > chunks.first_open)`

	// chunksMeeting takes symbol, grid, kind, start, end: the chunks that have bars in the range. Of those that begin before it only
	// the last can.
	chunksMeeting = `SELECT ` + heldChunk + ` FROM series CROSS JOIN chunks ON chunks.series = series.id
WHERE symbol = ?1 AND grid = ?2 AND kind = ?3 AND first_open < ?5 AND last_open >= ?4
AND first_open >= coalesce((SELECT max(first_open) FROM chunks WHERE series = series.id AND first_open < ?4), ?4)
ORDER BY first_open`

	selectChunks     = chunksMeeting
	selectLastChunks = chunksMeeting + ` DESC`

	// selectCell takes series and an open time: the chunk to which a bar of that time belongs.
	selectCell = `SELECT ` + heldChunk + `, id FROM chunks WHERE series = ?1 AND first_open = coalesce(
	(SELECT max(first_open) FROM chunks WHERE series = ?1 AND first_open <= ?2),
	(SELECT min(first_open) FROM chunks WHERE series = ?1))`

	insertChunk = `INSERT INTO chunks (series, ` + chunkColumns + `) VALUES (?, ?, ?, ?, ?)`
	updateChunk = `UPDATE chunks SET first_open = ?, last_open = ?, bars = ?, data = ? WHERE id = ?`
	deleteChunk = `DELETE FROM chunks WHERE id = ?`

	// ofTicks takes symbol and kind: the series without a grid.
	ofTicks = `series = (SELECT id FROM series WHERE symbol = ? AND grid = '' AND kind = ?)`
)

// tickSQL is the statements on a table of ticks.
type tickSQL struct {
	table   string
	names   string // of the columns but the series
	columns int    // how many these are

	selectRange string // takes symbol, kind, start, end, limit (-1 is none)
	selectLast  string // takes symbol, kind, start, end twice, and the count
	selectKeys  string // takes series, start, end
	deleteOne   string // takes series, time, seq
}

var (
	tradeSQL = newTickSQL("trades", "price", "size", "side")
	quoteSQL = newTickSQL("quotes", "bid", "ask", "bid_size", "ask_size")
)

func newTickSQL(table string, own ...string) tickSQL {
	names := "time, seq, " + strings.Join(own, ", ")
	const inRange = ` AND time >= ? AND time < ?`
	from := ` FROM ` + table + ` WHERE ` + ofTicks + inRange
	return tickSQL{
		table: table, names: names, columns: 2 + len(own),
		selectRange: `SELECT ` + names + from + ` ORDER BY time, seq LIMIT ?`,
		// The inner part walks the key back to where the tail begins and keeps that one pair; the outer reads on from there.
		selectLast: `SELECT ` + names + from + ` AND (time, seq) >= (
	SELECT time, seq FROM (SELECT time, seq` + from + ` ORDER BY time DESC, seq DESC LIMIT ?) ORDER BY time, seq LIMIT 1)
ORDER BY time, seq`,
		selectKeys: `SELECT time, seq FROM ` + table + ` WHERE series = ?` + inRange + ` ORDER BY time, seq`,
		deleteOne:  `DELETE FROM ` + table + ` WHERE series = ? AND time = ? AND seq = ?`,
	}
}

// selectAt takes the series and n pairs of time and seq.
func (q *tickSQL) selectAt(n int) string {
	return `SELECT ` + q.names + ` FROM ` + q.table + ` WHERE series = ? AND (time, seq) IN (VALUES (?, ?)` + strings.Repeat(`, (?, ?)`, n-1) + `)
ORDER BY time, seq`
}

// upsert takes n times the series and the columns of a tick.
func (q *tickSQL) upsert(n int) string {
	row := `(?` + strings.Repeat(`, ?`, q.columns) + `)`
	return `REPLACE INTO ` + q.table + ` (series, ` + q.names + `) VALUES ` + row + strings.Repeat(`, `+row, n-1)
}

// The statements on the small tables are bun's. It writes values into the text, quoted; whoever calls has made sure that they are
// valid symbols, texts of our own or numbers, or has asked storable.

func findSeries(db bun.IDB, row *seriesRow) *bun.SelectQuery {
	return db.NewSelect().Model(row).Where("symbol = ? AND grid = ? AND kind = ?", row.Symbol, row.Grid, row.Kind)
}

func insertSeries(db bun.IDB, row *seriesRow) *bun.InsertQuery {
	return db.NewInsert().Model(row).Returning("id")
}

// insertNewSymbols leaves a symbol that is there as it is.
func insertNewSymbols(db bun.IDB, rows []symbolRow) *bun.InsertQuery {
	return db.NewInsert().Model(&rows).On("CONFLICT (symbol) DO NOTHING")
}

func upsertSymbols(db bun.IDB, rows []symbolRow) *bun.InsertQuery {
	return db.NewInsert().Model(&rows).On("CONFLICT (symbol) DO UPDATE").
		Set("venue = EXCLUDED.venue, base = EXCLUDED.base, quote = EXCLUDED.quote").
		Set("tick = EXCLUDED.tick, lot = EXCLUDED.lot, zone = EXCLUDED.zone")
}

// selectSymbols finds the symbols, or all where none is given, that match the pattern, unless it is empty; at most limit, unless it
// is 0.
func selectSymbols(db bun.IDB, rows *[]symbolRow, symbols []string, pattern string, limit int) *bun.SelectQuery {
	query := db.NewSelect().Model(rows).OrderExpr("symbol").Limit(int64(limit))
	if len(symbols) > 0 {
		query.Where("symbol IN (?)", bun.List(symbols))
	}
	if pattern != "" {
		query.Where("symbol GLOB ?", pattern)
	}

	return query
}

// selectHeld joins every extent, or those of the symbols, to its series: of bars where the series has a grid, else of ticks.
func selectHeld(db bun.IDB, symbols []string, bars bool) *bun.SelectQuery {
	query := db.NewSelect().TableExpr("extents").Join("JOIN series ON series.id = extents.series").
		ColumnExpr("symbol, grid, kind, range_start, range_end").Where("(grid <> '') = ?", bars).
		OrderExpr("symbol, kind, grid, range_start")
	if len(symbols) > 0 {
		query.Where("symbol IN (?)", bun.List(symbols))
	}

	return query
}

// selectExtents finds the extents of a series that overlap or touch [start, end], in order.
func selectExtents(db bun.IDB, rows *[]extentRow, series, start, end int64) *bun.SelectQuery {
	return db.NewSelect().Model(rows).
		Where("series = ? AND range_start <= ? AND range_end >= ?", series, end, start).OrderExpr("range_start")
}

func deleteExtents(db bun.IDB, rows []extentRow) *bun.DeleteQuery {
	return db.NewDelete().Model(&rows).WherePK()
}

func insertExtents(db bun.IDB, rows []extentRow) *bun.InsertQuery {
	return db.NewInsert().Model(&rows)
}
