// Package migrated provides tests with PostgreSQL databases that have the tables of the store. It is apart from package
// servers, because the store's internal tests import that one.
package migrated

import (
	"context"
	"testing"
	"time"

	"github.com/gal-friday/marketdata/adapters/secret"
	"github.com/gal-friday/marketdata/adapters/store/postgres"
	"github.com/gal-friday/marketdata/tests/servers"
)

var template = servers.PostgresTemplate{Fill: fill}

// Postgres returns the DSN of a new database with the tables of the store and no rows. It is dropped when the test
// ends.
func Postgres(tb testing.TB) (dsn string) {
	tb.Helper()
	return template.Copy(tb)
}

// fill creates the tables.
func fill(ctx context.Context, dsn string) error {
	const patience = time.Minute // on a busy machine
	_, closeStore, err := postgres.Open(ctx, postgres.Config{
		DSN: secret.New(dsn), MaxConns: 1, AcquireTimeout: patience, ConnectTimeout: patience, MigrateOnOpen: true,
	})
	if err != nil {
		return err
	}

	closeStore()

	return nil
}
