package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
)

// The timeline counts how often a copy of the server went its own way: one that was restored or took over may lack what the other had.
const readIdentity = `
SELECT system_identifier || '-' || timeline_id || '-' || (SELECT oid FROM pg_database WHERE datname = current_database())
FROM pg_control_system(), pg_control_checkpoint()`

// Identity names the database among all: what is kept of one database elsewhere is of no use to another. It changes when the server
// is restored from a backup, or a standby takes over.
func (s *Store) Identity(ctx context.Context) (string, error) {
	var identity string
	err := s.withConn(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := s.limited(ctx)
		defer cancel()
		return inPhase(ports.PhaseQuery, conn.QueryRow(ctx, readIdentity).Scan(&identity))
	})

	return identity, translate(ctx, "read the identity", "", err)
}
