package postgres

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/ports"
)

// session runs the statements of an operation one after the other on one connection, each within the store's statement
// timeout.
type session struct {
	store *Store
	conn  *pgx.Conn
	op    string // as errors name it
	trace string // traceparent after which transactions name the connection; "" for none
}

// label returns the text of a statement as the server receives it.
func (db session) label(sql string) string { return label(db.op, sql) }

// exec runs a prepared statement.
func (db session) exec(ctx context.Context, sql string, args ...any) error {
	return withPhase(ports.PhaseQuery, db.pipeline(ctx, stepOf(sql, args...)))
}

// queryRow runs a prepared statement and scans its row into the targets.
func (db session) queryRow(ctx context.Context, sql string, args []any, targets ...any) error {
	read := func(rows pgx.Rows) error {
		if !rows.Next() {
			return cmp.Or(rows.Err(), pgx.ErrNoRows)
		}

		return rows.Scan(targets...)
	}

	return withPhase(ports.PhaseQuery, db.pipeline(ctx, step{statement{sql, args}, read}))
}

// queryRows runs a prepared statement and returns all its rows.
func queryRows[T any](ctx context.Context, db session, q statement, scan pgx.RowToFunc[T]) (all []T, err error) {
	err = db.pipeline(ctx, step{q, collectRows(&all, scan)})
	return all, withPhase(ports.PhaseQuery, err)
}

// statement is a statement with its arguments.
type statement struct {
	sql  string
	args []any
}

// step is a statement of a pipeline, and what reads its rows, if anything does. read may return before the last row.
type step struct {
	statement
	read func(rows pgx.Rows) error
}

// stepOf returns a step whose rows are not read.
func stepOf(sql string, args ...any) step { return step{statement: statement{sql: sql, args: args}} }

// collectRows returns the read of a step that stores all rows.
func collectRows[T any](all *[]T, scan pgx.RowToFunc[T]) func(rows pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*all, err = pgx.CollectRows(rows, scan)
		return err
	}
}

// pipeline runs statements in one round trip and passes their rows on, one statement after the other. If a read returns
// before the last row, the statement is canceled in the server, because the remaining rows may be many. An error leaves
// a transaction open that the steps began.
func (db session) pipeline(ctx context.Context, steps ...step) error {
	stmtCtx, cancel := db.store.withTimeout(ctx)
	defer cancel()
	steps = db.withTrace(steps)
	batch, err := db.prepare(stmtCtx, steps)
	if err != nil {
		return withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
	}

	results := db.conn.PgConn().ExecBatch(stmtCtx, batch)
	for _, s := range steps {
		if !results.NextResult() {
			break // Close returns the error
		}
		if s.read == nil {
			_, err = results.ResultReader().Close()
		} else {
			err = readResult(pgx.RowsFromResultReader(db.conn.TypeMap(), results.ResultReader()), s.read, cancel)
		}
		if err != nil {
			break
		}
	}
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}

	return timeoutCause(ctx, stmtCtx, err)
}

// readResult passes rows to read. It calls cancel if read ends before the last row.
func readResult(rows pgx.Rows, read func(rows pgx.Rows) error, cancel context.CancelFunc) error {
	defer rows.Close()
	err := read(rows)
	if isComplete := rows.CommandTag() != (pgconn.CommandTag{}); err != nil && !isComplete {
		cancel()
	}

	return err
}

// prepare returns the statements with their arguments. It prepares those that the connection does not know yet. The
// driver's own batches would run them unprepared on a pool in the simple protocol.
func (db session) prepare(ctx context.Context, steps []step) (*pgconn.Batch, error) {
	var batch pgconn.Batch
	var args pgx.ExtendedQueryBuilder
	for _, s := range steps {
		sql := db.label(s.sql)
		prepared, err := db.conn.Prepare(ctx, sql, sql)
		if err != nil {
			return nil, err
		}
		if err := args.Build(db.conn.TypeMap(), prepared, s.args); err != nil {
			return nil, err
		}

		batch.ExecPrepared(prepared.Name, args.ParamValues, args.ParamFormats, args.ResultFormats)
	}

	return &batch, nil
}

// withTrace returns the steps with one that names the connection after the trace until the transaction ends, which the
// steps begin: with their first one, or as the transaction of the pipeline.
func (db session) withTrace(steps []step) []step {
	if db.trace == "" || db.conn.PgConn().TxStatus() != idle {
		return steps
	}

	first := 0
	if sql := steps[0].sql; sql == begin || sql == beginSnapshot {
		first = 1
	}

	return slices.Insert(slices.Clone(steps), first, stepOf(setApplicationName, db.trace))
}

// idle is the status of a connection without a transaction.
const idle = 'I'

// transaction runs f inside a transaction, which it commits if f returns nil and rolls back otherwise.
func (db session) transaction(ctx context.Context, f func() error) error {
	if err := db.exec(ctx, begin); err != nil {
		return err
	}

	err := f()
	if err == nil {
		err = db.exec(ctx, commit)
	}
	db.endTransaction(ctx)

	return err
}

// endTransaction rolls back a transaction that is open, also where ctx is done. If that fails, releasing the connection
// closes it, which rolls back.
func (db session) endTransaction(ctx context.Context) {
	if db.conn.IsClosed() || db.conn.PgConn().TxStatus() == idle {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.store.cfg.ConnectTimeout)
	defer cancel()
	_ = db.exec(ctx, rollback)
}

// forgetStatements drops the prepared statements if err is of one that was prepared for other columns of the tables.
func (db session) forgetStatements(ctx context.Context, err error) {
	const featureNotSupported = "0A000"
	if server, ok := errors.AsType[*pgconn.PgError](err); !ok || server.Code != featureNotSupported {
		return
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.store.cfg.ConnectTimeout)
	defer cancel()
	_ = db.conn.DeallocateAll(ctx) // if that fails, the connection is closed
}
