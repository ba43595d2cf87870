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
// A decimal is its plain text: exact to every digit a Decimal has, which no integer column is, readable in the sqlite3 shell, and one
// form for all. Nothing here compares or sorts decimals, so that text is not a number costs nothing. Times are microseconds since
// 1970 UTC. STRICT makes SQLite refuse what is of another type, and bars WITHOUT ROWID lie in the order in which they are read.
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

CREATE TABLE bars (
	series    INTEGER NOT NULL,
	open_time INTEGER NOT NULL,
	open      TEXT NOT NULL,
	high      TEXT NOT NULL,
	low       TEXT NOT NULL,
	close     TEXT NOT NULL,
	volume    TEXT NOT NULL,
	trades    INTEGER NOT NULL,
	PRIMARY KEY (series, open_time)
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
	barColumns = `open_time, open, high, low, close, volume, trades`

	ofSeries = `series = (SELECT id FROM series WHERE symbol = ? AND grid = ? AND kind = ?)`

	// selectBars takes symbol, grid, kind, start, end, limit (-1 is none).
	selectBars = `SELECT ` + barColumns + ` FROM bars
WHERE ` + ofSeries + ` AND open_time >= ? AND open_time < ?
ORDER BY open_time LIMIT ?`

	// selectLastBars takes symbol, grid, kind, start, end, count; and the first three again, and end. It walks the index back to
	// where the tail begins, and reads on from there: both in order, nothing is sorted.
	selectLastBars = `SELECT ` + barColumns + ` FROM bars
WHERE open_time >= (
	SELECT min(open_time) FROM (
		SELECT open_time FROM bars
		WHERE ` + ofSeries + ` AND open_time >= ? AND open_time < ?
		ORDER BY open_time DESC LIMIT ?))
AND ` + ofSeries + ` AND open_time < ?
ORDER BY open_time`

	// selectTimes and deleteBars take series, start, end.
	selectTimes = `SELECT open_time FROM bars WHERE series = ? AND open_time >= ? AND open_time < ? ORDER BY open_time`
	deleteBars  = `DELETE FROM bars WHERE series = ? AND open_time >= ? AND open_time < ?`

	// deleteBar takes series and open time.
	deleteBar = `DELETE FROM bars WHERE series = ? AND open_time = ?`
)

// selectBarsAt takes the series and n open times.
func selectBarsAt(n int) string {
	return `SELECT ` + barColumns + ` FROM bars WHERE series = ? AND open_time IN (?` + strings.Repeat(`, ?`, n-1) + `)
ORDER BY open_time`
}

// upsertBars takes n times the series and the columns of a bar.
func upsertBars(n int) string {
	const row = `(?, ?, ?, ?, ?, ?, ?, ?)`
	return `INSERT INTO bars (series, ` + barColumns + `) VALUES ` + row + strings.Repeat(`, `+row, n-1) + `
ON CONFLICT (series, open_time) DO UPDATE SET
	open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
	volume = excluded.volume, trades = excluded.trades`
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

// selectHeld joins every extent, or those of the symbols, to its series.
func selectHeld(db bun.IDB, symbols []string) *bun.SelectQuery {
	query := db.NewSelect().TableExpr("extents").Join("JOIN series ON series.id = extents.series").
		ColumnExpr("symbol, grid, kind, range_start, range_end")
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
