package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gal-friday/marketdata/ports"
)

// This file contains all SQL of the package. Values of callers are bound as parameters and never written into the text.
// testdata/sql contains every statement as SQLite receives it.

// applicationID identifies a file of this package: "mkdt".
const applicationID = 0x6d6b6474

// schema1 creates the first version of the tables.
//
// Bars are stored in chunks of package codec, at most codec.MaxBars in each. INVARIANT: the chunks of a series are
// disjoint. The blob of a chunk is larger than a page, and a table with a rowid keeps it out of the tree that a search
// reads.
//
// Trades and quotes are rows, WITHOUT ROWID, in the order in which they are read. Each symbol and kind has a row in
// series, without a grid. Decimals are plain text, which represents every digit of a Decimal, as no integer column
// does, and is readable in the sqlite3 shell. No statement compares or sorts them, so that text is no disadvantage.
//
// A series and each of its blocks that has rows have a version: see domain.SeriesState. A nonce is the 64 bits of an
// unsigned number.
//
// Times are microseconds since 1970 UTC. STRICT makes SQLite reject values of another type.
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
	revision INTEGER NOT NULL DEFAULT 0,
	nonce    INTEGER NOT NULL DEFAULT 0,
	UNIQUE (symbol, grid, kind)
) STRICT;

CREATE TABLE blocks (
	series   INTEGER NOT NULL,
	block    INTEGER NOT NULL,
	rows     INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	nonce    INTEGER NOT NULL,
	PRIMARY KEY (series, block)
) STRICT, WITHOUT ROWID;

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

// setVersion sets the application and the version of the file. It returns text, because a pragma has no parameters.
func setVersion(version int) string {
	return fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)
}

const (
	chunkColumns = `first_open, last_open, bars, data`

	// chunkAndNext is the columns of a chunk and the first open time of the next chunk of the series, NULL for the last
	// one.
	chunkAndNext = chunkColumns + `,
	(SELECT min(first_open) FROM chunks AS next ` +
		`WHERE next.series = chunks.series AND next.first_open > chunks.first_open)`

	// isSeries matches the series of a statement with ORDER BY. For a plain series = ?1, SQLite would plan the statement
	// again when its parameters are first bound. Parameter: series.
	isSeries = `series = (SELECT ?1)`

	// selectChunks selects the chunks of a series that may have bars in the range. Of the chunks that begin before the
	// range only the last one can. Parameters: series, start, end.
	selectChunks = `SELECT ` + chunkAndNext + ` FROM chunks
WHERE ` + isSeries + ` AND first_open < ?3 AND last_open >= ?2
AND first_open >= coalesce((SELECT max(first_open) FROM chunks WHERE ` + isSeries + ` AND first_open < ?2), ?2)
ORDER BY first_open`
	selectLastChunks = selectChunks + ` DESC`

	// selectSlot selects the chunk to which a bar belongs. Parameters: series, open time.
	selectSlot = `SELECT ` + chunkAndNext + `, id FROM chunks WHERE series = ?1 AND first_open = coalesce(
	(SELECT max(first_open) FROM chunks WHERE series = ?1 AND first_open <= ?2),
	(SELECT min(first_open) FROM chunks WHERE series = ?1))`

	insertChunk = `INSERT INTO chunks (series, ` + chunkColumns + `) VALUES (?, ?, ?, ?, ?)`
	updateChunk = `UPDATE chunks SET first_open = ?, last_open = ?, bars = ?, data = ? WHERE id = ?`
	deleteChunk = `DELETE FROM chunks WHERE id = ?`
)

// tickSQL is the statements on a table of ticks.
type tickSQL struct {
	table       string
	names       string // of the columns except series
	columnCount int    // of names

	selectRange string // parameters: series, start, end, limit (-1 is unlimited)
	selectLast  string // parameters: series, start, end, limit
	selectKeys  string // parameters: series, start, end
	deleteOne   string // parameters: series, time, seq
}

var (
	tradeSQL = newTickSQL("trades", "price", "size", "side")
	quoteSQL = newTickSQL("quotes", "bid", "ask", "bid_size", "ask_size")
)

// newTickSQL returns the statements on a table whose columns follow series, time and seq.
func newTickSQL(table string, columns ...string) tickSQL {
	names := "time, seq, " + strings.Join(columns, ", ")
	from := ` FROM ` + table + ` WHERE series = ?1 AND time >= ?2 AND time < ?3`
	return tickSQL{
		table: table, names: names, columnCount: 2 + len(columns),
		selectRange: `SELECT ` + names + from + ` ORDER BY time, seq LIMIT ?4`,
		// The inner query walks the primary key backwards to the first of the last ticks and keeps its time and seq.
		// The outer query reads from there.
		selectLast: `SELECT ` + names + from + ` AND (time, seq) >= (
	SELECT time, seq FROM (SELECT time, seq` + from + ` ORDER BY time DESC, seq DESC LIMIT ?4) ` +
			`ORDER BY time, seq LIMIT 1)
ORDER BY time, seq`,
		selectKeys: `SELECT time, seq` + from + ` ORDER BY time, seq`,
		deleteOne:  `DELETE FROM ` + table + ` WHERE series = ? AND time = ? AND seq = ?`,
	}
}

// selectAt selects n ticks by their keys. Parameters: series, and n times time and seq.
func (q *tickSQL) selectAt(n int) string {
	keys := `(VALUES (?, ?)` + strings.Repeat(`, (?, ?)`, n-1) + `)`
	return `SELECT ` + q.names + ` FROM ` + q.table + ` WHERE series = ? AND (time, seq) IN ` + keys + `
ORDER BY time, seq`
}

// upsert writes n ticks. Parameters: n times series and the columns of a tick.
func (q *tickSQL) upsert(n int) string {
	row := `(?` + strings.Repeat(`, ?`, q.columnCount) + `)`
	return `REPLACE INTO ` + q.table + ` (series, ` + q.names + `) VALUES ` + row + strings.Repeat(`, `+row, n-1)
}

// The statements on the small tables: symbols, series and extents.
const (
	symbolColumns = `symbol, venue, base, quote, tick, lot, zone`

	// insertNewSymbol does not change an existing symbol. Parameters: symbolColumns.
	insertNewSymbol = insertSymbols + symbolValues + ` ON CONFLICT (symbol) DO NOTHING`
	insertSymbols   = `INSERT INTO symbols (` + symbolColumns + `) VALUES `
	symbolValues    = `(?, ?, ?, ?, ?, ?, ?)`

	// selectCoverage selects a series, its version and its coverage, a row for each range. Parameters: symbol, grid, kind.
	selectCoverage = `SELECT id, revision, nonce, range_start, range_end FROM series
LEFT JOIN extents ON extents.series = series.id
WHERE symbol = ? AND grid = ? AND kind = ? ORDER BY range_start`

	// selectBlocks selects the blocks of a series in a range. Parameters: series, first block, end.
	selectBlocks = `SELECT block, rows, revision, nonce FROM blocks
WHERE ` + isSeries + ` AND block >= ?2 AND block < ?3 ORDER BY block`
	selectLastBlocks = selectBlocks + ` DESC`

	savepoint           = `SAVEPOINT series`
	releaseSavepoint    = `RELEASE series`
	rollbackToSavepoint = `ROLLBACK TO series; RELEASE series`

	// updateVersion gives a series its next revision, and returns it. Parameters: series, nonce.
	updateVersion = `UPDATE series SET revision = revision + 1, nonce = ?2 WHERE id = ?1 RETURNING revision`

	// upsertBlock adds rows to a block, which may be less than none. Parameters: the columns of blocks.
	upsertBlock = `INSERT INTO blocks (series, block, rows, revision, nonce) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (series, block) DO UPDATE
SET rows = rows + excluded.rows, revision = excluded.revision, nonce = excluded.nonce`

	deleteBlock       = `DELETE FROM blocks WHERE series = ? AND block = ?`
	deleteEmptyBlocks = `DELETE FROM blocks WHERE series = ? AND rows <= 0`

	selectSeries = `SELECT id FROM series WHERE symbol = ? AND grid = ? AND kind = ?`
	insertSeries = `INSERT INTO series (symbol, grid, kind) VALUES (?, ?, ?)`

	// selectCovered returns kind and grid of the series of a symbol that have coverage.
	selectCovered = `SELECT rtrim(kind || ' ' || grid) FROM series ` +
		`WHERE symbol = ? AND EXISTS (SELECT 1 FROM extents WHERE extents.series = series.id) ORDER BY 1`

	deleteSymbol = `DELETE FROM symbols WHERE symbol = ?`
	deleteSeries = `DELETE FROM series WHERE symbol = ?`

	// touchingExtents matches the extents that overlap or touch a range. Parameters: series, start, end.
	touchingExtents = ` FROM extents WHERE series = ?1 AND range_start <= ?3 AND range_end >= ?2`

	selectTouchingExtents = `SELECT range_start, range_end` + touchingExtents + ` ORDER BY range_start`
	deleteTouchingExtents = `DELETE` + touchingExtents
	insertExtent          = `INSERT INTO extents (series, range_start, range_end) VALUES (?, ?, ?)`

	// inSymbols matches symbols. Its one parameter is a JSON array, because SQLite limits the number of parameters.
	inSymbols = ` AND symbol IN (SELECT value FROM json_each(?))`
)

// upsertSymbols writes n symbols. Parameters: n times symbolColumns.
func upsertSymbols(n int) string {
	return insertSymbols + symbolValues + strings.Repeat(`, `+symbolValues, n-1) + `
ON CONFLICT (symbol) DO UPDATE SET venue = excluded.venue, base = excluded.base, quote = excluded.quote,
	tick = excluded.tick, lot = excluded.lot, zone = excluded.zone`
}

// deleteRowsOf deletes the rows of all series of a symbol from a table. Parameter: the symbol.
func deleteRowsOf(table string) string {
	return `DELETE FROM ` + table + ` WHERE series IN (SELECT id FROM series WHERE symbol = ?)`
}

// selectSymbols selects the symbols of a query with a limit; symbols are the valid ones of the query.
func selectSymbols(symbols []string, q ports.SymbolQuery) (text string, args []any) {
	text, args = `SELECT `+symbolColumns+` FROM symbols WHERE symbol > ?`, []any{string(q.After)}
	if len(symbols) > 0 {
		text, args = text+inSymbols, append(args, jsonArray(symbols))
	}
	if q.Pattern != "" {
		text, args = text+` AND symbol GLOB ?`, append(args, q.Pattern)
	}

	return text + ` ORDER BY symbol LIMIT ?`, append(args, q.Limit)
}

// selectPageEnd selects the last symbol of a page, unless it is the last page. Parameters: the symbol before the page,
// the size of the page less 1.
const selectPageEnd = `SELECT symbol FROM symbols WHERE symbol > ? ORDER BY symbol LIMIT 1 OFFSET ?`

// symbolRange is the symbols behind one, up to another, "" without an end.
type symbolRange struct{ after, last string }

// selectExtents selects the extents of the symbols of the range, only of the given ones if there are any, with their
// series: those of bars if bars is true, or else those of ticks.
func selectExtents(r symbolRange, symbols []string, bars bool) (text string, args []any) {
	text = `SELECT symbol, grid, kind, range_start, range_end FROM extents JOIN series ON series.id = extents.series
WHERE (grid <> '') = ? AND symbol > ?`
	args = []any{bars, r.after}
	if r.last != "" {
		text, args = text+` AND symbol <= ?`, append(args, r.last)
	}
	if len(symbols) > 0 {
		text, args = text+inSymbols, append(args, jsonArray(symbols))
	}

	return text + ` ORDER BY symbol, kind, grid, range_start`, args
}

func jsonArray(texts []string) string {
	array, _ := json.Marshal(texts) //nolint:errchkjson // strings cannot fail
	return string(array)
}
