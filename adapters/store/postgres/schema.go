package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/migrate"

	"github.com/gal-friday/marketdata/ports"
)

// The migrations, in the order of their names. A file is one transaction, and is never changed once it was released.
//
//go:embed migrations/*.tx.up.sql
var migrationFiles embed.FS

// migrationTable says which were applied.
const migrationTable = "migrations"

// Migrate brings the tables up to this version: every migration that was not applied yet, each in one transaction with the note that
// it was, so that a failure or a crash leaves the version before it. Processes that start at once take turns.
func (s *Store) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err == nil {
		err = s.migrate(ctx, files)
	}
	return translate(ctx, "migrate", "", withPhase(ports.PhaseQuery, err))
}

// Version is the newest migration that was applied, "" where none was yet.
func (s *Store) Version(ctx context.Context) (string, error) {
	var version string
	err := s.withConn(ctx, func(conn *pgx.Conn) error {
		ctx, cancel := s.withTimeout(ctx)
		defer cancel()
		return withPhase(ports.PhaseQuery, conn.QueryRow(ctx, selectVersion).Scan(&version))
	})
	if server := (*pgconn.PgError)(nil); errors.As(err, &server) && server.Code == "42P01" { // there is no such table
		return "", nil
	}

	return version, translate(ctx, "read the version", "", err)
}

func (s *Store) migrate(ctx context.Context, files fs.FS) (err error) {
	migrations := migrate.NewMigrations()
	if err := migrations.Discover(files); err != nil {
		return err
	}

	// Connections of its own: a migration may take longer than the pool's statements, writes bun's tables into our schema, and needs
	// one beside the lock's.
	config := s.pool.Config().ConnConfig.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.RuntimeParams["search_path"] = "marketdata"
	config.RuntimeParams["statement_timeout"] = "0"
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()

	unlock, err := lock(ctx, db)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, unlock()) }()
	if _, err := db.ExecContext(ctx, createSchema); err != nil {
		return err
	}

	bunDB := bun.NewDB(db, pgdialect.New())
	// The note is written inside the migration's transaction. Left to the migrator, which then writes it again, a crash between the
	// two would have the migration applied once more.
	note := func(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
		_, err := bunDB.NewInsert().Conn(tx).Model(&migrate.Migration{Name: m.Name, GroupID: m.GroupID}).
			ModelTableExpr(migrationTable).Exec(ctx)
		return err
	}
	migrator := migrate.NewMigrator(bunDB, migrations, migrate.WithTableName(migrationTable),
		migrate.WithMarkAppliedOnSuccess(true), migrate.WithUpsert(true), migrate.AfterMigration(note))
	if err := migrator.Init(ctx); err != nil {
		return err
	}

	_, err = migrator.Migrate(ctx)
	return err
}

// lock waits for the other processes that migrate. The lock is the session's, so that no crash leaves it behind as it would the row
// that bun's own lock is.
func lock(ctx context.Context, db *sql.DB) (unlock func() error, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, lockMigrations); err != nil {
		return nil, errors.Join(err, conn.Close())
	}

	return func() error { // the pool may keep the session, so closing does not unlock
		_, err := conn.ExecContext(context.WithoutCancel(ctx), unlockMigrations)
		return errors.Join(err, conn.Close())
	}, nil
}
