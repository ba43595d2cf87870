package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/migrate"

	"github.com/gal-friday/marketdata/ports"
)

// migrationFiles has the migrations, which are applied in the order of their names. A file is one transaction and must
// not change once it was released.
//
//go:embed migrations/*.tx.up.sql
var migrationFiles embed.FS

// migrationTable has a row for each applied migration.
const migrationTable = "migrations"

const opMigrate = "migrate"

// Migrate applies every migration that was not applied yet. A migration and the row that records it are one
// transaction, so that a failure or a crash leaves the previous version. Concurrent processes wait for each other.
func (s *Store) Migrate(ctx context.Context) error {
	files, err := fs.Sub(migrationFiles, "migrations")
	if err == nil {
		err = s.migrate(ctx, files)
	}

	if err != nil && errorKind(err) == ports.ErrPermission { //nolint:errorlint // a kind is one of the sentinels
		err = migratorRemedy(s.pool.Config().ConnConfig, err)
	}

	return translate(ctx, opMigrate, "", withPhase(ports.PhaseQuery, err))
}

// Version returns the name of the newest applied migration, "" if there is none.
func (s *Store) Version(ctx context.Context) (string, error) {
	const op = "read version"
	var version string
	err := s.withConn(ctx, op, func(db session) error { return db.queryRow(ctx, selectVersion, nil, &version) })
	const undefinedTable = "42P01"
	if server := (*pgconn.PgError)(nil); errors.As(err, &server) && server.Code == undefinedTable {
		return "", nil
	}

	return version, translate(ctx, op, "", err)
}

// migrate applies the migrations of files. It uses connections beside the pool, because a migration may exceed the
// pool's statement timeout, bun's tables must be in the schema marketdata, and the lock occupies a connection.
func (s *Store) migrate(ctx context.Context, files fs.FS) (err error) {
	migrations := migrate.NewMigrations()
	if err := migrations.Discover(files); err != nil {
		return err
	}

	pool := s.pool.Config()
	config := pool.ConnConfig.Copy()
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.RuntimeParams["search_path"] = "marketdata"
	config.RuntimeParams["statement_timeout"] = "0"
	var options []stdlib.OptionOpenDB
	if pool.BeforeConnect != nil { // it may set the password
		options = append(options, stdlib.OptionBeforeConnect(pool.BeforeConnect))
	}
	db := sql.OpenDB(labeledConnector{stdlib.GetConnector(*config, options...), opMigrate})
	defer func() { err = errors.Join(err, db.Close()) }()

	unlock, err := lockMigration(ctx, db, s.cfg.ConnectTimeout)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, unlock()) }()
	if _, err := db.ExecContext(ctx, createSchema); err != nil {
		return err
	}

	// The row is written inside the migration's transaction. The migrator writes it again afterwards; if only the
	// migrator wrote it, a crash in between would apply the migration a second time.
	bunDB := bun.NewDB(db, pgdialect.New())
	recordApplied := func(ctx context.Context, tx bun.IConn, m *migrate.Migration) error {
		_, err := bunDB.NewInsert().Conn(tx).Model(&migrate.Migration{Name: m.Name, GroupID: m.GroupID}).
			ModelTableExpr(migrationTable).Exec(ctx)
		return err
	}
	migrator := migrate.NewMigrator(bunDB, migrations, migrate.WithTableName(migrationTable),
		migrate.WithMarkAppliedOnSuccess(true), migrate.WithUpsert(true), migrate.AfterMigration(recordApplied))
	if err := migrator.Init(ctx); err != nil {
		return err
	}

	_, err = migrator.Migrate(ctx)

	return err
}

// lockMigration waits until no other process migrates, and returns the function that ends the exclusion. The lock
// belongs to a session and ends with it. bun's own lock is a row, which a crash would leave behind.
func lockMigration(
	ctx context.Context, db *sql.DB, unlockTimeout time.Duration,
) (unlock func() error, err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, lockMigrations); err != nil {
		return nil, errors.Join(err, conn.Close())
	}

	return func() error { // unlock first, because the pool may keep the session of a closed connection
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		_, err := conn.ExecContext(ctx, unlockMigrations)
		return errors.Join(err, conn.Close())
	}, nil
}
