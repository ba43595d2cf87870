package bench

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
)

func openSQLite(b *testing.B, path string) *sqlite.Store {
	b.Helper()
	store, closeStore, err := sqlite.Open(b.Context(), sqlite.Config{Path: path})
	check(err)
	b.Cleanup(closeStore)

	return store
}

// plainRows stores the bars as rows of plain integers through database/sql, with the durability of our file.
type plainRows struct{ db *sql.DB }

func openPlainRows(b *testing.B) plainRows {
	b.Helper()
	db := must(sql.Open("sqlite", filepath.Join(b.TempDir(), "rows.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"))
	b.Cleanup(func() { check(db.Close()) })
	must(db.ExecContext(b.Context(), `CREATE TABLE rows (series INTEGER, open_time INTEGER, open INTEGER, high INTEGER,
		low INTEGER, close INTEGER, volume INTEGER, trades INTEGER, PRIMARY KEY (series, open_time)) STRICT, WITHOUT ROWID`))

	return plainRows{db}
}

func (p plainRows) write(ctx context.Context, bars domain.Series) {
	tx := must(p.db.BeginTx(ctx, nil))
	insert := must(tx.PrepareContext(ctx, `INSERT INTO rows VALUES (1, ?, ?, ?, ?, ?, ?, ?)`))
	c := bars.Columns()
	for i, t := range c.OpenMicros {
		must(insert.ExecContext(ctx, t, c.Open.Lo[i], c.High.Lo[i], c.Low.Lo[i], c.Close.Lo[i], c.Volume.Lo[i], c.Trades[i]))
	}
	check(insert.Close())
	check(tx.Commit())
}

func (p plainRows) read(ctx context.Context) {
	rows := must(p.db.QueryContext(ctx, `SELECT open_time, open, high, low, close, volume, trades FROM rows ORDER BY open_time`))
	var columns [7][]int64
	var row [7]int64
	for rows.Next() {
		check(rows.Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6]))
		for i, v := range row {
			columns[i] = append(columns[i], v)
		}
	}

	check(rows.Err())
	check(rows.Close())
}

func BenchmarkSQLiteRead1M(b *testing.B) {
	ctx, bars := b.Context(), gen.Walk("BTC/USD", million)
	store, rows := openSQLite(b, filepath.Join(b.TempDir(), "market.db")), openPlainRows(b)
	must(ports.WriteBars(ctx, store, bars, bars.Range(), ports.ConflictReplace))
	rows.write(ctx, bars)
	report(b, million,
		way{name: "ours", run: func() { readAll(ctx, store, ports.BarQuery{Key: bars.Key(), Range: bars.Range()}, million) }},
		way{name: "rows", run: func() { rows.read(ctx) }},
	)
}

func BenchmarkSQLiteWrite1M(b *testing.B) {
	ctx, bars := b.Context(), gen.Walk("BTC/USD", million)
	var store *sqlite.Store
	var rows plainRows
	report(b, million,
		way{
			name:   "ours",
			before: func() { store = openSQLite(b, filepath.Join(b.TempDir(), "market.db")) },
			run:    func() { must(ports.WriteBars(ctx, store, bars, bars.Range(), ports.ConflictReplace)) },
		},
		way{name: "rows", before: func() { rows = openPlainRows(b) }, run: func() { rows.write(ctx, bars) }},
	)
}

// The last 500 of a million bars from a file that was just opened, so SQLite has no page of it in memory.
func BenchmarkSQLiteLast500(b *testing.B) {
	ctx, bars := b.Context(), gen.Walk("BTC/USD", million)
	path := filepath.Join(b.TempDir(), "market.db")
	must(ports.WriteBars(ctx, openSQLite(b, path), bars, bars.Range(), ports.ConflictReplace))
	q := ports.BarQuery{Key: bars.Key(), Range: bars.Range(), Last: 500}
	var store *sqlite.Store
	latencyAfter(b,
		func() (done func()) {
			opened, closeStore, err := sqlite.Open(ctx, sqlite.Config{Path: path})
			check(err)
			store = opened
			return closeStore
		},
		func() { readAll(ctx, store, q, 500) },
	)
}
