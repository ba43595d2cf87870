package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
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
