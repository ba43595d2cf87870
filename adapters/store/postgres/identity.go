package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

const opReadIdentity = "read identity"

// Identity returns a text that identifies the database among all databases of all servers, so that a shared cache can
// keep the data of each apart. It changes when the server is restored from a backup or a standby is promoted.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var identity string
	err := s.withConn(ctx, opReadIdentity, func(db session) error {
		return db.queryRow(ctx, selectIdentity, nil, &identity)
	})

	return identity, translate(ctx, opReadIdentity, "", err)
}

// CacheKey returns a secret of 32 bytes that every process gets that uses the database, and nobody else. Keys that
// authenticate values of a shared cache are derived from it. The role needs SELECT on marketdata.identity.
func (s *Store) CacheKey(ctx context.Context) ([]byte, error) {
	const op = "read cache key"
	var key []byte
	err := s.query(ctx, op, statement{sql: selectCacheKey}, func(rows pgx.Rows) (err error) {
		key, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]byte])
		return err
	})

	return key, translate(ctx, op, "", err)
}

// ReadIdentity implements ledger.Ledger. Views in place of the tables have no ledger.
func (s *Store) ReadIdentity(ctx context.Context) (ledger.Identity, error) {
	if hasLedger, err := s.KeepsVersions(ctx); err != nil || !hasLedger {
		return ledger.Identity{}, err
	}

	found, err := collect(
		ctx, s, opReadIdentity, statement{sql: selectInfluxIdentity}, pgx.RowToStructByPos[ledger.Identity])
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("marketdata.influx_identity has %d rows, not one: %w", len(found), ports.ErrSchema)
	}
	if err != nil {
		return ledger.Identity{}, translate(ctx, opReadIdentity, "", err)
	}

	return found[0], nil
}

// WriteIdentity implements ledger.Ledger.
func (s *Store) WriteIdentity(ctx context.Context, id ledger.Identity) error {
	const op = "write identity"
	err := s.requireVersions(ctx)
	if err == nil {
		q := statement{sql: updateInfluxIdentity, args: []any{id.ID, id.IsBound}}
		_, err = collect(ctx, s, op, q, pgx.RowTo[string])
	}

	return translate(ctx, op, "", err)
}
