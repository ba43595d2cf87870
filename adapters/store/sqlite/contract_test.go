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
		writeUntilKilled(path) // this process is the one that a test started to be killed
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

// openForContract plants what a packed chunk can hold. Its numbers are words without room for nothing and for what is not finite.
func openForContract(tb testing.TB) contract.Store {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "market.db")
	s := open(tb, path)
	raw := openRaw(tb, path)
	return contract.Store{Bars: s, Ticks: s, Aggregator: s, Catalog: s, Symbols: s, Corrupt: map[contract.Defect]contract.Plant{
		contract.OffGrid:   plant(raw, shift),
		contract.Trades:    plant(raw, negate),
		contract.Duplicate: plant(raw, splitTwice),
		contract.TradeSize: plant(raw, negateSize),
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

func plant(db *sql.DB, defect func(context.Context, *sql.DB, domain.SeriesKey, time.Time) error) contract.Plant {
	return func(ctx context.Context, key domain.SeriesKey, at time.Time) error { return defect(ctx, db, key, at) }
}

// heldChunk is the only chunk of the key: its id, and its bars.
func heldChunk(ctx context.Context, db *sql.DB, key domain.SeriesKey) (id int64, bars domain.Series, err error) {
	var data []byte
	if err := db.QueryRowContext(ctx, `SELECT chunks.id, data FROM series JOIN chunks ON series = series.id
WHERE symbol = ? AND grid = ? AND kind = ?`, string(key.Symbol), key.Grid.String(), key.PriceType.String()).Scan(&id, &data); err != nil {
		return 0, bars, err
	}

	c, err := codec.Open(data)
	if err == nil {
		bars, err = c.Series(key)
	}
	return id, bars, err
}

// putChunk writes a chunk and what its row says of it; id 0 adds one, to the series of chunk of.
func putChunk(ctx context.Context, db *sql.DB, id, of int64, bars domain.Series) error {
	data, err := codec.Append(nil, bars)
	if err != nil {
		return err
	}

	times := bars.Columns().OpenMicros
	args := []any{times[0], times[len(times)-1], len(times), data, id}
	text := `UPDATE chunks SET first_open = ?, last_open = ?, bars = ?, data = ? WHERE id = ?`
	if id == 0 {
		args[4] = of
		text = `INSERT INTO chunks (series, first_open, last_open, bars, data) SELECT series, ?, ?, ?, ? FROM chunks WHERE id = ?`
	}

	_, err = db.ExecContext(ctx, text, args...)
	return err
}

// shift puts a second bar into the key's chunk, a second after the one at the open time: a chunk of another grid.
func shift(ctx context.Context, db *sql.DB, key domain.SeriesKey, at time.Time) error {
	id, bars, err := heldChunk(ctx, db, key)
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

	return putChunk(ctx, db, id, 0, bars)
}

// negate packs the key's chunk anew with the flag on its trade counts that makes an even n of them n/2, and the 1 at the open time -1.
// The checksum is good: only the bars are not.
func negate(ctx context.Context, db *sql.DB, key domain.SeriesKey, at time.Time) error {
	id, bars, err := heldChunk(ctx, db, key)
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

	const header, line, columns, trades = 16, 8, 6, 7
	for i := range int(data[columns]) {
		if at := header + i*line; data[at] == trades {
			data[at+1] = 1
		}
	}

	body := data[:len(data)-4]
	data = binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	_, err = db.ExecContext(ctx, `UPDATE chunks SET data = ? WHERE id = ?`, data, id)
	return err
}

// splitTwice cuts the key's chunk in two that both hold the bar.
func splitTwice(ctx context.Context, db *sql.DB, key domain.SeriesKey, at time.Time) error {
	id, bars, err := heldChunk(ctx, db, key)
	if err != nil {
		return err
	}

	end := bars.Range().End
	if err := putChunk(ctx, db, 0, id, bars.Clip(domain.Range{Start: at, End: end})); err != nil {
		return err
	}

	return putChunk(ctx, db, id, 0, bars.Clip(domain.Range{Start: bars.OpenTime(0), End: key.Grid.Next(at)}))
}

// negateSize makes a trade one of less than nothing.
func negateSize(ctx context.Context, db *sql.DB, _ domain.SeriesKey, at time.Time) error {
	_, err := db.ExecContext(ctx, `UPDATE trades SET size = '-1' WHERE time = ?`, at.UnixMicro())
	return err
}
