package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// Identity returns a text that identifies the database among all databases of all servers, so that a shared cache can
// keep the data of each apart. It changes when the server is restored from a backup or a standby is promoted.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var identity string
	err := s.withConn(ctx, func(conn *pgx.Conn) error {
		stmtCtx, cancel := s.withTimeout(ctx)
		defer cancel()
		return withPhase(ports.PhaseQuery, conn.QueryRow(stmtCtx, selectIdentity).Scan(&identity))
	})

	return identity, translate(ctx, "read identity", "", err)
}

// CacheKey returns a secret of 32 bytes that every process gets that uses the database, and nobody else. Keys that
// authenticate values of a shared cache are derived from it. The role needs SELECT on marketdata.identity.
func (s *Store) CacheKey(ctx context.Context) ([]byte, error) {
	var key []byte
	err := s.query(ctx, selectCacheKey, nil, func(rows pgx.Rows) (err error) {
		key, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[[]byte])
		return err
	})

	return key, translate(ctx, "read cache key", "", err)
}

// ReadIdentity implements ledger.Ledger. Views in place of the tables have no ledger.
func (s *Store) ReadIdentity(ctx context.Context) (ledger.Identity, error) {
	if hasLedger, err := s.KeepsVersions(ctx); err != nil || !hasLedger {
		return ledger.Identity{}, err
	}

	found, err := collect(ctx, s, selectInfluxIdentity, nil, pgx.RowToStructByPos[ledger.Identity])
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("marketdata.influx_identity has %d rows, not one: %w", len(found), ports.ErrSchema)
	}
	if err != nil {
		return ledger.Identity{}, translate(ctx, "read identity", "", err)
	}

	return found[0], nil
}

// WriteIdentity implements ledger.Ledger.
func (s *Store) WriteIdentity(ctx context.Context, id ledger.Identity) error {
	err := s.requireVersions(ctx)
	if err == nil {
		_, err = collect(ctx, s, updateInfluxIdentity, []any{id.ID, id.IsBound}, pgx.RowTo[string])
	}

	return translate(ctx, "write identity", "", err)
}
