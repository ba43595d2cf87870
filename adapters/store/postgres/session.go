package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/ports"
)

// session runs statements one after the other on one connection, each within the store's statement timeout.
type session struct {
	store *Store
	conn  *pgx.Conn
}

// exec runs a prepared statement and returns the number of rows that it changed.
func (db session) exec(ctx context.Context, sql string, args ...any) (rows int, err error) {
	stmtCtx, cancel := db.store.withTimeout(ctx)
	defer cancel()
	tag, err := db.conn.Exec(stmtCtx, sql, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	return int(tag.RowsAffected()), withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
}

// queryRow runs a prepared statement and scans its first row into the targets; found is false if there is no row.
func (db session) queryRow(ctx context.Context, sql string, args []any, targets ...any) (found bool, err error) {
	stmtCtx, cancel := db.store.withTimeout(ctx)
	defer cancel()
	args = append([]any{pgx.QueryExecModeCacheStatement}, args...)
	err = db.conn.QueryRow(stmtCtx, sql, args...).Scan(targets...)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}

	return err == nil, withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
}

// queryRows runs a statement and returns all its rows.
func queryRows[T any](
	ctx context.Context, db session, q statement, scan pgx.RowToFunc[T],
) (all []T, err error) {
	stmtCtx, cancel := db.store.withTimeout(ctx)
	defer cancel()
	mode := pgx.QueryExecModeCacheStatement
	if q.runsOnce {
		mode = pgx.QueryExecModeExec
	}
	rows, err := db.conn.Query(stmtCtx, q.sql, append([]any{mode}, q.args...)...)
	if err == nil {
		all, err = pgx.CollectRows(rows, scan)
	}

	return all, withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
}

// statement is a statement with its arguments. It is prepared unless it runs once.
type statement struct {
	sql      string
	args     []any
	runsOnce bool
}

// transaction runs f inside a transaction, which it commits if f returns nil and rolls back otherwise.
func (db session) transaction(ctx context.Context, f func() error) error {
	if _, err := db.exec(ctx, begin); err != nil {
		return err
	}

	err := f()
	if err == nil {
		if _, err = db.exec(ctx, commit); err == nil {
			return nil
		}
	}

	db.rollback(ctx)

	return err
}

// rollback ends a transaction, also where ctx is done. If it fails, releasing the connection closes it, which rolls
// back.
func (db session) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.store.cfg.ConnectTimeout)
	defer cancel()
	_, _ = db.exec(ctx, rollback)
}
