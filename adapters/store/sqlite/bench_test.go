package sqlite_test

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/store/sqlite"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	benchBars   = 1_000_000
	benchRounds = 5
)

// walk is a random walk of minutes: a price near 30,000 with 2 decimals, a volume with 8, as liquid one-minute data has.
func walk(tb testing.TB, n int) domain.Series {
	tb.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	column := func() domain.Column { return domain.Column{Lo: make([]int64, n)} }
	c := domain.Columns{
		Time: make([]int64, n), Trades: make([]int64, n), PriceScale: 2, VolumeScale: 8,
		Open: column(), High: column(), Low: column(), Close: column(), Volume: column(),
	}
	price := int64(3_000_000)
	for i := range n {
		c.Time[i] = start.Add(time.Duration(i) * time.Minute).UnixMicro()
		c.Open.Lo[i] = price + random.Int64N(21) - 10
		price = max(1_000_000, price+int64(random.NormFloat64()*800))
		c.Close.Lo[i] = price
		c.High.Lo[i] = max(c.Open.Lo[i], price) + random.Int64N(400)
		c.Low.Lo[i] = min(c.Open.Lo[i], price) - random.Int64N(400)
		c.Volume.Lo[i] = random.Int64N(1<<31) + 1
		c.Trades[i] = random.Int64N(1000) + 1
	}
	s, err := domain.NewSeriesFromColumns(btc, c)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// plainRows is the floor: the bars as rows of plain integers through database/sql, in a file of the same settings.
type plainRows struct{ db *sql.DB }

func openPlainRows(tb testing.TB) plainRows {
	tb.Helper()
	db, err := sql.Open("sqlite", filepath.Join(tb.TempDir(), "rows.db")+"?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	if _, err := db.ExecContext(tb.Context(), `CREATE TABLE rows (series INTEGER, open_time INTEGER, open INTEGER, high INTEGER,
		low INTEGER, close INTEGER, volume INTEGER, trades INTEGER, PRIMARY KEY (series, open_time)) STRICT, WITHOUT ROWID`); err != nil {
		tb.Fatal(err)
	}
	return plainRows{db}
}

func (p plainRows) write(tb testing.TB, bars domain.Series) {
	tb.Helper()
	tx, err := p.db.BeginTx(tb.Context(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	stmt, err := tx.PrepareContext(tb.Context(), `INSERT INTO rows VALUES (1, ?, ?, ?, ?, ?, ?, ?)`)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = stmt.Close() }()
	c := bars.Columns()
	for i, t := range c.Time {
		if _, err := stmt.ExecContext(tb.Context(), t, c.Open.Lo[i], c.High.Lo[i], c.Low.Lo[i], c.Close.Lo[i], c.Volume.Lo[i],
			c.Trades[i]); err != nil {
			tb.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

func (p plainRows) read(tb testing.TB) (n int) {
	tb.Helper()
	rows, err := p.db.QueryContext(tb.Context(), `SELECT open_time, open, high, low, close, volume, trades FROM rows WHERE series = 1 ORDER BY open_time`)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var columns [7][]int64
	var row [7]int64
	for rows.Next() {
		if err := rows.Scan(&row[0], &row[1], &row[2], &row[3], &row[4], &row[5], &row[6]); err != nil {
			tb.Fatal(err)
		}
		for i, v := range row {
			columns[i] = append(columns[i], v)
		}
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return len(columns[0])
}

// readPieces reads as ReadBars yields, and keeps nothing.
func readPieces(tb testing.TB, s *sqlite.Store, q ports.BarQuery) (n int) {
	tb.Helper()
	for piece, err := range s.ReadBars(tb.Context(), q) {
		if err != nil {
			tb.Fatal(err)
		}
		n += piece.Len()
	}
	return n
}

// median runs ours and the floor in turns and reports the median speeds and their ratio.
func median(b *testing.B, ours, floor func()) {
	b.Helper()
	var times [2][]time.Duration
	for range benchRounds {
		for i, run := range []func(){ours, floor} {
			began := time.Now()
			run()
			times[i] = append(times[i], time.Since(began))
		}
	}
	var speed [2]float64
	for i, t := range times {
		slices.Sort(t)
		speed[i] = benchBars / t[benchRounds/2].Seconds() / 1e6
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(speed[0], "Mbars/s")
	b.ReportMetric(speed[1], "rows-Mbars/s")
	b.ReportMetric(speed[0]/speed[1], "ratio")
}

// BenchmarkReadAgainstRows: go test -run - -bench AgainstRows -benchtime 1x -cpu 1 ./adapters/store/sqlite
func BenchmarkReadAgainstRows(b *testing.B) {
	bars := walk(b, benchBars)
	s, rows := open(b, filepath.Join(b.TempDir(), "market.db")), openPlainRows(b)
	write(b, s, bars)
	rows.write(b, bars)
	for b.Loop() {
		median(b, func() {
			if n := readPieces(b, s, query(bars)); n != benchBars {
				b.Fatal(n)
			}
		}, func() {
			if n := rows.read(b); n != benchBars {
				b.Fatal(n)
			}
		})
	}
}

func BenchmarkWriteAgainstRows(b *testing.B) {
	bars := walk(b, benchBars)
	for b.Loop() {
		var stores []*sqlite.Store
		var floors []plainRows
		for range benchRounds {
			stores = append(stores, open(b, filepath.Join(b.TempDir(), "market.db")))
			floors = append(floors, openPlainRows(b))
		}
		median(b, func() {
			write(b, stores[0], bars)
			stores = stores[1:]
		}, func() {
			floors[0].write(b, bars)
			floors = floors[1:]
		})
	}
}

// BenchmarkRewrite writes what is there already: all is read and compared, nothing written.
func BenchmarkRewrite(b *testing.B) {
	bars := walk(b, benchBars)
	s := open(b, filepath.Join(b.TempDir(), "market.db"))
	write(b, s, bars)
	for b.Loop() {
		write(b, s, bars)
	}
	b.ReportMetric(benchBars*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mbars/s")
}

// BenchmarkLast500 opens a file for each read, and so reads with no page of it in SQLite's hands.
func BenchmarkLast500(b *testing.B) {
	bars := walk(b, benchBars)
	path := filepath.Join(b.TempDir(), "market.db")
	write(b, open(b, path), bars)
	q := query(bars)
	q.Last = 500
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		s, closeStore, err := sqlite.Open(b.Context(), sqlite.Config{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		began := time.Now()
		if n := readPieces(b, s, q); n != 500 {
			b.Fatal(n)
		}
		took = append(took, time.Since(began))
		b.StopTimer()
		closeStore()
		b.StartTimer()
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}

// BenchmarkAppend appends bars one by one, each a transaction of its own, to a chunk that is half full.
func BenchmarkAppend(b *testing.B) {
	s := open(b, filepath.Join(b.TempDir(), "market.db"))
	bars := walk(b, 2048+b.N+100_000)
	write(b, s, bars.Slice(0, 2048))
	i := 2048
	for b.Loop() {
		write(b, s, bars.Slice(i, i+1))
		i++
	}
}
