package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

// open returns a store on the migrated database of cfg, by default a new one.
func open(tb testing.TB, cfg postgres.Config) *postgres.Store {
	tb.Helper()
	if cfg.DSN.Reveal() == "" {
		cfg.DSN = secret.New(migrated.Postgres(tb))
	}
	if cfg.MaxConns == 0 {
		cfg.MinConns, cfg.MaxConns = 1, 8 // tests share the server
	}
	cfg.AcquireTimeout = max(cfg.AcquireTimeout, 10*time.Second) // and a busy machine
	cfg.ConnectTimeout = max(cfg.ConnectTimeout, 10*time.Second)
	s, closeStore, err := postgres.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeStore)

	return s
}

// exec runs statements on a connection of its own, not through the store.
func exec(ctx context.Context, dsn string, statements ...string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}

	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}

	return nil
}

func TestContract(t *testing.T) {
	t.Parallel()
	harness := func(tb testing.TB) contract.Store {
		dsn := migrated.Postgres(tb)
		s := open(tb, postgres.Config{DSN: secret.New(dsn)})
		return contract.Store{Bars: s, Ticks: s, Aggregator: s, Batch: s, States: s, Catalog: s, Symbols: s,
			Corrupt: defects(dsn),
		}
	}
	contract.BarStore(t, harness, contract.Profile{})
	contract.SymbolCatalog(t, harness, contract.Profile{})
	contract.TickStore(t, harness, contract.Profile{})
	contract.BatchReader(t, harness, contract.Profile{})
	contract.StateReader(t, harness, contract.Profile{})
	contract.TradeAggregator(t, harness, contract.Profile{})
}

// defects returns functions that plant corrupt rows. Some first weaken the tables, because only a view in their place
// could have such rows.
func defects(dsn string) map[contract.Defect]contract.Plant {
	plant := func(statements ...string) contract.Plant {
		return func(ctx context.Context, key domain.SeriesKey, at time.Time) error {
			literal := "'" + at.Format(time.RFC3339Nano) + "'"
			for _, sql := range statements {
				if err := exec(ctx, dsn, sql+literal); err != nil {
					return err
				}
			}

			return nil
		}
	}
	copyOf := func(openTime string) string {
		return `INSERT INTO marketdata.bars (open_time, trades, symbol_id, series_id, open, high, low, close, volume)
			SELECT ` + openTime + `, trades, symbol_id, series_id, open, high, low, close, volume + 1
			FROM marketdata.bars WHERE open_time = `
	}

	return map[contract.Defect]contract.Plant{
		contract.DefectMissing: plant(`ALTER TABLE marketdata.bars ALTER volume DROP NOT NULL --`,
			`UPDATE marketdata.bars SET volume = NULL WHERE open_time = `),
		contract.DefectNotFinite:  plant(`UPDATE marketdata.bars SET high = 'Infinity' WHERE open_time = `),
		contract.DefectOffGrid:    plant(copyOf(`open_time + interval '7 seconds'`)),
		contract.DefectDuplicate:  plant(`ALTER TABLE marketdata.bars DROP CONSTRAINT bars_pkey --`, copyOf(`open_time`)),
		contract.DefectTradeCount: plant(`UPDATE marketdata.bars SET trades = -1 WHERE open_time = `),
		contract.DefectTradeSize:  plant(`UPDATE marketdata.trades SET size = -1 WHERE time = `),
		contract.DefectLost:       plant(`DELETE FROM marketdata.bars WHERE open_time = `),
	}
}
