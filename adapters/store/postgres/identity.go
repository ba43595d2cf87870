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
