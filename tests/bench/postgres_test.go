package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/tests/gen"
	"github.com/gal-friday/marketdata/tests/servers"
)

// barModel is the model of a plain bun user.
type barModel struct {
	bun.BaseModel `bun:"table:marketdata.bars"`

	SymbolID                       int32 `bun:"symbol_id"`
	SeriesID                       int32 `bun:"series_id"`
	OpenTime                       time.Time
	Open, High, Low, Close, Volume string // the driver hands numerics over as text
	Trades                         int64
}

// postgresBench is our store, and other ways to the same tables.
type postgresBench struct {
	store *postgres.Store
	pool  *pgxpool.Pool
	bun   *bun.DB
}

func newPostgres(b *testing.B) postgresBench {
	b.Helper()
	dsn := servers.Postgres(b)
	store, closeStore, err := postgres.Open(b.Context(), postgres.Config{DSN: secret.New(dsn), MigrateOnOpen: true})
	check(err)
	b.Cleanup(closeStore)
	pool := must(pgxpool.New(b.Context(), dsn))
	db := stdlib.OpenDBFromPool(pool)
	b.Cleanup(func() { check(db.Close()); pool.Close() })

	return postgresBench{store, pool, bun.NewDB(db, pgdialect.New())}
}

// seriesID returns the numbers that identify the bars of a symbol that has one series.
func (x postgresBench) seriesID(ctx context.Context, symbol domain.Symbol) (symbolID, id int32) {
	check(x.pool.QueryRow(ctx, `SELECT y.id, s.id FROM marketdata.symbols y JOIN marketdata.series s ON s.symbol_id = y.id
		WHERE symbol = $1`, symbol).Scan(&symbolID, &id))
	return symbolID, id
}

func readAll(ctx context.Context, r ports.BarReader, q ports.BarQuery, want int) {
	count := 0
	for piece, err := range r.ReadBars(ctx, q).Rows() {
		check(err)
		count += piece.Len()
	}
	if count != want {
		panic(fmt.Sprintf("read %d bars of %d", count, want))
	}
}

func BenchmarkPostgresRead500k(b *testing.B) {
	const n = 500_000
	x, ctx := newPostgres(b), b.Context()
	bars := gen.Walk("BTC/USD", n)
	must(ports.WriteBars(ctx, x.store, bars, bars.Range(), ports.ConflictReplace))
	must(x.pool.Exec(ctx, "VACUUM ANALYZE marketdata.bars"))
	symbolID, id := x.seriesID(ctx, "BTC/USD")
	r := bars.Range()
	report(b, n,
		way{name: "ours", run: func() { readAll(ctx, x.store, ports.BarQuery{Key: bars.Key(), Range: r}, n) }},
		way{name: "floor", run: func() { // the same rows in the same binary form, not decoded
			rows := must(x.pool.Query(ctx, `SELECT open_time, open, high, low, close, volume, trades FROM marketdata.bars
				WHERE symbol_id = $1 AND series_id = $2 AND open_time >= $3 AND open_time < $4 ORDER BY open_time`,
				symbolID, id, r.Start, r.End))
			for rows.Next() {
				sink += int64(len(rows.RawValues()))
			}
			check(rows.Err())
		}},
		way{name: "bun", run: func() {
			var models []barModel
			check(x.bun.NewSelect().Model(&models).Where("symbol_id = ? AND series_id = ?", symbolID, id).
				Where("open_time >= ? AND open_time < ?", r.Start, r.End).Order("open_time").Scan(ctx))
			sink += int64(len(models))
		}},
	)
}

// Every round writes new bars of its own symbol into existing partitions.
func BenchmarkPostgresUpsert100k(b *testing.B) {
	const n = 100_000
	x, ctx := newPostgres(b), b.Context()
	symbols := 0
	var fresh domain.Series
	var models []barModel
	prepare := func() {
		symbols++
		fresh = gen.Walk(domain.Symbol(fmt.Sprintf("COIN%d/USD", symbols)), n)
		must(ports.WriteBars(ctx, x.store, fresh.Slice(0, 1), fresh.Range(), ports.ConflictReplace)) // the symbol, and its partitions
		fresh = fresh.Slice(1, n)
	}
	report(b, n,
		way{name: "ours", before: prepare, run: func() { must(ports.WriteBars(ctx, x.store, fresh, fresh.Range(), ports.ConflictReplace)) }},
		way{
			name: "bun",
			before: func() {
				prepare()
				symbolID, id := x.seriesID(ctx, fresh.Key().Symbol)
				models = models[:0]
				for _, bar := range fresh.All() {
					models = append(models, barModel{
						SymbolID: symbolID, SeriesID: id, OpenTime: bar.OpenTime,
						Open: bar.Open.String(), High: bar.High.String(), Low: bar.Low.String(), Close: bar.Close.String(),
						Volume: bar.Volume.String(), Trades: bar.Trades,
					})
				}
			},
			run: func() {
				check(x.bun.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
					for rest := models; len(rest) > 0; {
						part := rest[:min(len(rest), 10_000)]
						rest = rest[len(part):]
						if _, err := tx.NewInsert().Model(&part).On("CONFLICT (symbol_id, series_id, open_time) DO UPDATE").
							Set("open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close").
							Set("volume = EXCLUDED.volume, trades = EXCLUDED.trades").Exec(ctx); err != nil {
							return err
						}
					}

					return nil
				}))
			},
		},
	)
}

// The last 500 of half a million bars.
func BenchmarkPostgresLast500(b *testing.B) {
	x, ctx := newPostgres(b), b.Context()
	bars := gen.Walk("BTC/USD", 500_000)
	must(ports.WriteBars(ctx, x.store, bars, bars.Range(), ports.ConflictReplace))
	latency(b, func() { readAll(ctx, x.store, ports.BarQuery{Key: bars.Key(), Range: bars.Range(), Last: 500}, 500) })
}

// A closed minute of 10,000 series that exist, in one batch; M/s is millions of series a second.
func BenchmarkPostgresMinute10k(b *testing.B) {
	const series, minutes = 10_000, 16
	x, ctx := newPostgres(b), b.Context()
	bars := gen.Walk("BTC/USD", minutes)
	minute := 0
	var writes []ports.BarWrite
	prepare := func() {
		writes = writes[:0]
		columns := bars.Slice(minute, minute+1).Columns()
		for i := range series {
			s := must(domain.NewSeriesFromColumns(gen.MinuteKey(domain.Symbol(fmt.Sprintf("COIN%d/USD", i))), columns))
			writes = append(writes, ports.BarWrite{Bars: s, Coverage: s.Range()})
		}
		minute++
	}
	report(b, series, way{name: "ours", before: prepare, run: func() {
		for _, r := range x.store.WriteBatch(ctx, writes) {
			check(r.Err)
		}
	}})
}
