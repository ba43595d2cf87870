package sqlite_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/contract"
)

func TestMain(m *testing.M) {
	if path := childPath(); path != "" {
		writeUntilKilled(path) // this process is the one that a test started to be killed
	}
	goleak.VerifyTestMain(m)
}

func TestContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, openForContract, contract.Profile{})
	contract.SymbolCatalog(t, openForContract, contract.Profile{})
}

func openForContract(tb testing.TB) contract.Store {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "market.db")
	s := open(tb, path)
	raw := openRaw(tb, path)
	return contract.Store{Bars: s, Catalog: s, Symbols: s, Corrupt: map[contract.Defect]contract.Plant{
		// An open time twice is what the primary key refuses; the rest a careless hand at the file can do.
		contract.Missing:   plant(raw, `UPDATE bars SET close = NULL WHERE series = ? AND open_time = ?`),
		contract.NotFinite: plant(raw, `UPDATE bars SET high = 'NaN' WHERE series = ? AND open_time = ?`),
		contract.Trades:    plant(raw, `UPDATE bars SET trades = -1 WHERE series = ? AND open_time = ?`),
		contract.OffGrid: plant(raw, `INSERT INTO bars SELECT series, open_time + 1, open, high, low, close, volume, trades FROM bars
			WHERE series = ? AND open_time = ?`),
	}}
}

// open opens the store for as long as the test runs.
func open(tb testing.TB, path string) *sqlite.Store {
	tb.Helper()
	s, closeStore, err := sqlite.Open(tb.Context(), sqlite.Config{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(closeStore)
	return s
}

// openRaw opens the file behind the store's back.
func openRaw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", path+"?_busy_timeout=5000")
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1) // pragmas last as long as their connection
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// plant runs the statement on a bar, after it took the NOT NULL out of the table, as another version of the table might.
func plant(db *sql.DB, statement string) contract.Plant {
	return func(ctx context.Context, key domain.SeriesKey, at time.Time) error {
		var series int64
		if err := db.QueryRowContext(ctx, `SELECT id FROM series WHERE symbol = ? AND grid = ? AND kind = ?`,
			string(key.Symbol), key.Grid.String(), key.Kind.String()).Scan(&series); err != nil {
			return err
		}
		for _, s := range []string{
			`PRAGMA writable_schema = ON`,
			`UPDATE sqlite_schema SET sql = replace(sql, 'close     TEXT NOT NULL', 'close     TEXT') WHERE name = 'bars'`,
			`PRAGMA writable_schema = RESET`,
		} {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return err
			}
		}
		result, err := db.ExecContext(ctx, statement, series, at.UnixMicro())
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			return sql.ErrNoRows
		}
		return nil
	}
}
