package differential

import (
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/tests/contract"
	"github.com/gal-friday/marketdata/tests/servers/migrated"
)

func openPostgres(tb testing.TB) contract.Store {
	tb.Helper()
	s, closeStore, err := postgres.Open(tb.Context(), postgres.Config{
		DSN: secret.New(migrated.Postgres(tb)), MinConns: 1, MaxConns: 4,
		AcquireTimeout: 10 * time.Second, ConnectTimeout: 10 * time.Second,
		BatchRows: 7, // so small that most writes have several batches
	})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(closeStore)

	return contract.Store{Bars: s, Ticks: s, Catalog: s, Symbols: s}
}

func TestMemoryAgainstPostgres(t *testing.T) {
	t.Parallel()
	Run(t, openMemory, openPostgres)
}

func TestTicksOfMemoryAgainstPostgres(t *testing.T) {
	t.Parallel()
	RunTicks(t, openMemory, openPostgres)
}
