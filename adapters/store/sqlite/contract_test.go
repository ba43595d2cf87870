package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"hash/crc32"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/contract"
)

func TestMain(m *testing.M) {
	if path := childPath(); path != "" {
		writeUntilKilled(path) // this process is a child of crash_test.go
	}
	goleak.VerifyTestMain(m)
}

func TestContract(t *testing.T) {
	t.Parallel()
	contract.BarStore(t, openForContract, contract.Profile{})
	contract.TickStore(t, openForContract, contract.Profile{})
	contract.TradeAggregator(t, openForContract, contract.Profile{})
	contract.SymbolCatalog(t, openForContract, contract.Profile{})
}

// openForContract returns a store with those defects that a chunk can represent. A chunk cannot contain a missing
// number or one that is not finite.
func openForContract(tb testing.TB) contract.Store {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "market.db")
	s := open(tb, path)
	raw := openRaw(tb, path)

	return contract.Store{
		Bars: s, Ticks: s, Aggregator: s, Catalog: s, Symbols: s,
		Corrupt: map[contract.Defect]contract.Plant{
			contract.DefectOffGrid:    plantDefect(raw, insertOffGrid),
			contract.DefectTradeCount: plantDefect(raw, negateTradeCount),
			contract.DefectDuplicate:  plantDefect(raw, duplicateBar),
			contract.DefectTradeSize:  plantDefect(raw, negateTradeSize),
			contract.DefectLost:       plantDefect(raw, deleteChunk),
		},
	}
}

// open opens the store until the end of the test.
func open(tb testing.TB, path string) *sqlite.Store {
	tb.Helper()
	s, closeStore, err := sqlite.Open(tb.Context(), sqlite.Config{Path: path})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeStore)

	return s
}

// openRaw opens the file without the store.
func openRaw(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", path+"?_busy_timeout=5000")
	if err != nil {
		tb.Fatal(err)
	}

	db.SetMaxOpenConns(1) // because pragmas apply to one connection
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})

	return db
}

func plantDefect(
	db *sql.DB, defect func(context.Context, *sql.DB, domain.SeriesKey, time.Time) error,
) contract.Plant {
	return func(ctx context.Context, key domain.SeriesKey, at time.Time) error { return defect(ctx, db, key, at) }
}

// onlyChunk returns the id and the bars of the only chunk of the key.
func onlyChunk(ctx context.Context, db *sql.DB, key domain.SeriesKey) (id int64, bars domain.Series, err error) {
	var data []byte
	row := db.QueryRowContext(ctx, `SELECT chunks.id, data FROM series JOIN chunks ON series = series.id
WHERE symbol = ? AND grid = ? AND kind = ?`, string(key.Symbol), key.Grid.String(), key.PriceType.String())
	if err := row.Scan(&id, &data); err != nil {
		return 0, bars, err
	}

	c, err := codec.Open(data)
	if err == nil {
		bars, err = c.Series(key)
	}

	return id, bars, err
}

// updateChunk replaces the chunk with the id.
func updateChunk(ctx context.Context, db *sql.DB, id int64, bars domain.Series) error {
	return putChunk(ctx, db, `UPDATE chunks SET first_open = ?, last_open = ?, bars = ?, data = ?
WHERE id = ?`, id, bars)
}

// insertChunk inserts a chunk into the series of the chunk with the id.
func insertChunk(ctx context.Context, db *sql.DB, id int64, bars domain.Series) error {
	return putChunk(ctx, db, `INSERT INTO chunks (series, first_open, last_open, bars, data)
SELECT series, ?, ?, ?, ? FROM chunks WHERE id = ?`, id, bars)
}

func putChunk(ctx context.Context, db *sql.DB, text string, id int64, bars domain.Series) error {
	data, err := codec.Append(nil, bars)
	if err != nil {
		return err
	}

	times := bars.Columns().OpenMicros
	_, err = db.ExecContext(ctx, text, times[0], times[len(times)-1], len(times), data, id)

	return err
}

// insertOffGrid inserts a bar one second after the bar at the open time.
func insertOffGrid(ctx context.Context, db *sql.DB, key domain.SeriesKey, at time.Time) error {
	id, bars, err := onlyChunk(ctx, db, key)
	if err != nil {
		return err
	}

	key.Grid = domain.Second1.UTC()
	b := domain.NewSeriesBuilder(key, bars.Len()+1)
	for _, bar := range bars.All() {
		if err := b.Append(bar); err != nil {
			return err
		}
		if bar.OpenTime.Equal(at) {
			bar.OpenTime = at.Add(time.Second)
			if err := b.Append(bar); err != nil {
				return err
			}
		}
	}
	if bars, err = b.Series(); err != nil {
		return err
	}

	return updateChunk(ctx, db, id, bars)
}

// negateTradeCount sets the trade count at the open time to -1. codec.Append rejects negative counts. The chunk is
// therefore packed with doubled counts and a 1 at the open time, and then gets the zigzag flag, by which an even n
// decodes to n/2 and 1 decodes to -1. Its checksum is correct.
func negateTradeCount(ctx context.Context, db *sql.DB, key domain.SeriesKey, at time.Time) error {
	id, bars, err := onlyChunk(ctx, db, key)
	if err != nil {
		return err
	}

	b := domain.NewSeriesBuilder(key, bars.Len())
	for _, bar := range bars.All() {
		bar.Trades *= 2
		if bar.OpenTime.Equal(at) {
			bar.Trades = 1
		}
		if err := b.Append(bar); err != nil {
			return err
		}
	}
	if bars, err = b.Series(); err != nil {
		return err
	}

	data, err := codec.Append(nil, bars)
	if err != nil {
		return err
	}

	const header, entry, columnCount, tradesID = 16, 8, 6, 7 // see the format in package codec
	for i := range int(data[columnCount]) {
		if offset := header + i*entry; data[offset] == tradesID {
			data[offset+1] = 1
		}
	}

	body := data[:len(data)-4]
	data = binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	_, err = db.ExecContext(ctx, `UPDATE chunks SET data = ? WHERE id = ?`, data, id)

	return err
}

// deleteChunk deletes the chunk of the key.
func deleteChunk(ctx context.Context, db *sql.DB, key domain.SeriesKey, _ time.Time) error {
	id, _, err := onlyChunk(ctx, db, key)
	if err == nil {
		_, err = db.ExecContext(ctx, `DELETE FROM chunks WHERE id = ?`, id)
	}

	return err
}

// duplicateBar divides the chunk of the key into two that both contain the bar at the open time.
func duplicateBar(ctx context.Context, db *sql.DB, key domain.SeriesKey, at time.Time) error {
	id, bars, err := onlyChunk(ctx, db, key)
	if err != nil {
		return err
	}

	end := bars.Range().End
	if err := insertChunk(ctx, db, id, bars.Clip(domain.Range{Start: at, End: end})); err != nil {
		return err
	}

	return updateChunk(ctx, db, id, bars.Clip(domain.Range{Start: bars.OpenTime(0), End: key.Grid.Next(at)}))
}

// negateTradeSize sets the size of the trade at the time to -1.
func negateTradeSize(ctx context.Context, db *sql.DB, _ domain.SeriesKey, at time.Time) error {
	_, err := db.ExecContext(ctx, `UPDATE trades SET size = '-1' WHERE time = ?`, at.UnixMicro())
	return err
}
