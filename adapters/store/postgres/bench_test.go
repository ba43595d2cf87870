package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/servers"
)

// benchBars is n one-minute bars of a random-looking walk, with prices of two and volumes of eight digits after the point.
func benchBars(symbol domain.Symbol, n int) domain.Series {
	key := domain.SeriesKey{Symbol: symbol, Grid: domain.Minute1.UTC()}
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	b := domain.NewSeriesBuilder(key, n)
	state, price := uint64(1), int64(742_491)
	next := func(n uint64) int64 {
		state = state*6364136223846793005 + 1442695040888963407
		return int64(state >> 33 % n)
	}
	number := func(n int64, scale uint8) domain.Decimal {
		d, err := domain.NewDecimal(n, scale)
		if err != nil {
			panic(err)
		}
		return d
	}
	for i := range n {
		open := price
		price = max(1000, price+next(401)-200)
		bar := domain.Bar{
			OpenTime: start.Add(time.Duration(i) * time.Minute),
			Open:     number(open, 2), High: number(max(open, price)+next(50), 2),
			Low: number(min(open, price)-next(50), 2), Close: number(price, 2),
			Volume: number(next(5_000_000_000), 8), Trades: next(500),
		}
		if err := b.Append(bar); err != nil {
			panic(err)
		}
	}
	s, err := b.Series()
	if err != nil {
		panic(err)
	}
	return s
}

// barModel is what a plain bun user would scan into and insert from.
type barModel struct {
	bun.BaseModel `bun:"table:marketdata.bars"`

	SymbolID                       int32  `bun:"symbol_id"`
	Kind, Grid                     string `bun:""`
	OpenTime                       time.Time
	Open, High, Low, Close, Volume string // the driver hands numerics over as text
	Trades                         int64
}

type bench struct {
	store *postgres.Store
	pool  *pgxpool.Pool
	bun   *bun.DB
}

func newBench(b *testing.B) bench {
	b.Helper()
	dsn := servers.Postgres(b)
	s := open(b, postgres.Config{DSN: dsn, BatchRows: 10_000})
	pool, err := pgxpool.New(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	db := stdlib.OpenDBFromPool(pool)
	b.Cleanup(func() { _ = db.Close(); pool.Close() })
	return bench{s, pool, bun.NewDB(db, pgdialect.New())}
}

func (x bench) symbolID(b *testing.B, symbol string) (id int32) {
	b.Helper()
	if err := x.pool.QueryRow(b.Context(), "SELECT id FROM marketdata.symbols WHERE symbol = $1", symbol).Scan(&id); err != nil {
		b.Fatal(err)
	}
	return id
}

// go test -run '^$' -bench Read ./adapters/store/postgres
func BenchmarkRead(b *testing.B) {
	const n = 500_000
	x := newBench(b)
	bars := benchBars("BTC/USD", n)
	if _, err := x.store.WriteBars(b.Context(), bars, bars.Range()); err != nil {
		b.Fatal(err)
	}
	if _, err := x.pool.Exec(b.Context(), "VACUUM ANALYZE marketdata.bars"); err != nil {
		b.Fatal(err)
	}
	id := x.symbolID(b, "BTC/USD")
	perSecond := func(b *testing.B, read func(ctx context.Context) int) {
		for b.Loop() {
			if got := read(b.Context()); got != n {
				b.Fatalf("read %d bars", got)
			}
		}
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "bars/s")
	}
	b.Run("series", func(b *testing.B) {
		perSecond(b, func(ctx context.Context) (count int) {
			for piece, err := range x.store.ReadBars(ctx, ports.BarQuery{Key: bars.Key(), Range: bars.Range()}) {
				if err != nil {
					b.Fatal(err)
				}
				count += piece.Len()
			}
			return count
		})
	})
	b.Run("discarded", func(b *testing.B) {
		perSecond(b, func(ctx context.Context) (count int) {
			rows, err := x.pool.Query(ctx, `SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
				WHERE symbol_id = $1 AND kind = 'trade' AND grid = '1m' AND open_time >= $2 AND open_time < $3 ORDER BY open_time`,
				id, bars.Range().Start, bars.Range().End)
			if err != nil {
				b.Fatal(err)
			}
			for rows.Next() {
				count++
			}
			return count
		})
	})
	b.Run("bun", func(b *testing.B) {
		perSecond(b, func(ctx context.Context) int {
			var models []barModel
			if err := x.bun.NewSelect().Model(&models).Where("symbol_id = ? AND kind = 'trade' AND grid = '1m'", id).
				Where("open_time >= ? AND open_time < ?", bars.Range().Start, bars.Range().End).Order("open_time").Scan(ctx); err != nil {
				b.Fatal(err)
			}
			return len(models)
		})
	})
}

// go test -run '^$' -bench Write ./adapters/store/postgres
func BenchmarkWrite(b *testing.B) {
	const n = 100_000
	x := newBench(b)
	symbols := 0
	fresh := func(b *testing.B) domain.Series {
		symbols++
		bars := benchBars(domain.Symbol(fmt.Sprintf("COIN%d/USD", symbols)), n)
		if _, err := x.store.WriteBars(b.Context(), bars.Slice(0, 1), bars.Range()); err != nil { // the symbol and its partitions
			b.Fatal(err)
		}
		return bars.Slice(1, n)
	}
	perSecond := func(b *testing.B) { b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "bars/s") }
	b.Run("series", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			bars := fresh(b)
			b.StartTimer()
			if report, err := x.store.WriteBars(b.Context(), bars, bars.Range()); err != nil || report.Inserted != n-1 {
				b.Fatal(report, err)
			}
		}
		perSecond(b)
	})
	b.Run("again", func(b *testing.B) {
		bars := fresh(b)
		for b.Loop() {
			if _, err := x.store.WriteBars(b.Context(), bars, bars.Range()); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b)
	})
	b.Run("bun", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			bars := fresh(b)
			id := x.symbolID(b, string(bars.Key().Symbol))
			models := make([]barModel, 0, bars.Len())
			for _, bar := range bars.All() {
				models = append(models, barModel{SymbolID: id, Kind: "trade", Grid: "1m", OpenTime: bar.OpenTime,
					Open: bar.Open.String(), High: bar.High.String(), Low: bar.Low.String(), Close: bar.Close.String(),
					Volume: bar.Volume.String(), Trades: bar.Trades})
			}
			b.StartTimer()
			err := x.bun.RunInTx(b.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
				for len(models) > 0 {
					part := models[:min(len(models), 10_000)]
					models = models[len(part):]
					if _, err := tx.NewInsert().Model(&part).On("CONFLICT (symbol_id, kind, grid, open_time) DO UPDATE").
						Set("open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close").
						Set("volume = EXCLUDED.volume, trades = EXCLUDED.trades").Exec(ctx); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b)
	})
}

// The last 500 bars of half a million: go test -run '^$' -bench Last ./adapters/store/postgres
func BenchmarkLast(b *testing.B) {
	x := newBench(b)
	bars := benchBars("BTC/USD", 500_000)
	if _, err := x.store.WriteBars(b.Context(), bars, bars.Range()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		count := 0
		for piece, err := range x.store.ReadBars(b.Context(), ports.BarQuery{Key: bars.Key(), Range: bars.Range(), Last: 500}) {
			if err != nil {
				b.Fatal(err)
			}
			count += piece.Len()
		}
		if count != 500 {
			b.Fatal(count)
		}
	}
}
