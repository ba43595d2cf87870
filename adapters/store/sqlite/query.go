package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
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

// The statements on the small tables: symbols, series and extents.
const (
	symbolColumns = `symbol, venue, base, quote, tick, lot, zone`

	// insertNewSymbol leaves a symbol that is there as it is.
	insertNewSymbol = `INSERT INTO symbols (` + symbolColumns + `) VALUES ` + symbolValues + ` ON CONFLICT (symbol) DO NOTHING`
	symbolValues    = `(?, ?, ?, ?, ?, ?, ?)`

	selectSeries = `SELECT id FROM series WHERE symbol = ? AND grid = ? AND kind = ?`
	insertSeries = `INSERT INTO series (symbol, grid, kind) VALUES (?, ?, ?)`

	// extentsTouching takes series, start, end: the extents that overlap or touch [start, end].
	extentsTouching = ` FROM extents WHERE series = ?1 AND range_start <= ?3 AND range_end >= ?2`
	selectExtents   = `SELECT range_start, range_end` + extentsTouching + ` ORDER BY range_start`
	deleteExtents   = `DELETE` + extentsTouching
	insertExtent    = `INSERT INTO extents (series, range_start, range_end) VALUES (?, ?, ?)`

	// inSymbols takes a JSON array of symbols: one parameter, because SQLite limits how many there may be.
	inSymbols = ` AND symbol IN (SELECT value FROM json_each(?))`
)

// upsertSymbols takes n times the columns of a symbol.
func upsertSymbols(n int) string {
	return `INSERT INTO symbols (` + symbolColumns + `) VALUES ` + symbolValues + strings.Repeat(`, `+symbolValues, n-1) + `
ON CONFLICT (symbol) DO UPDATE SET venue = excluded.venue, base = excluded.base, quote = excluded.quote,
	tick = excluded.tick, lot = excluded.lot, zone = excluded.zone`
}

// selectSymbols finds the symbols, or all where none is given, that match the pattern, unless it is empty; at most limit, unless it
// is 0.
func selectSymbols(symbols []string, pattern string, limit int) (text string, args []any) {
	text = `SELECT ` + symbolColumns + ` FROM symbols WHERE true`
	if len(symbols) > 0 {
		text, args = text+inSymbols, append(args, jsonArray(symbols))
	}
	if pattern != "" {
		text, args = text+` AND symbol GLOB ?`, append(args, pattern)
	}
	text += ` ORDER BY symbol`
	if limit > 0 {
		text, args = text+` LIMIT ?`, append(args, limit)
	}

	return text, args
}

// selectHeld joins every extent, or those of the symbols, to its series: of bars where the series has a grid, else of ticks.
func selectHeld(symbols []string, bars bool) (text string, args []any) {
	text = `SELECT symbol, grid, kind, range_start, range_end FROM extents JOIN series ON series.id = extents.series
WHERE (grid <> '') = ?`
	args = []any{bars}
	if len(symbols) > 0 {
		text, args = text+inSymbols, append(args, jsonArray(symbols))
	}

	return text + ` ORDER BY symbol, kind, grid, range_start`, args
}

func jsonArray(texts []string) string {
	array, _ := json.Marshal(texts) // texts always can
	return string(array)
}

// queryAll reads all rows of a query. into returns where the columns of a row are scanned to.
func queryAll[R any](ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, into func(*R) []any, text string, args ...any,
) ([]R, error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}

	defer func() { _ = rows.Close() }() // what it could report, Err has
	var all []R
	for rows.Next() {
		var row R
		if err := rows.Scan(into(&row)...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}

	return all, rows.Err()
}
