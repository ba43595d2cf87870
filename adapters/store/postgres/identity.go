package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
)

// Identity names the database among all: what is kept of one database elsewhere is of no use to another. It changes when the server
// is restored from a backup, or a standby takes over.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var identity string
	err := s.withConn(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := s.withTimeout(ctx)
		defer cancel()
		return withPhase(ports.PhaseQuery, conn.QueryRow(ctx, selectIdentity).Scan(&identity))
	})

	return identity, translate(ctx, "read the identity", "", err)
}
