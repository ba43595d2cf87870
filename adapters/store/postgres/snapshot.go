package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gal-friday/marketdata/ports"
)

// snapshot is a read-only transaction on one connection. All its statements see one state of the tables.
type snapshot struct{ db session }

// snapshotRead is a statement of a snapshot, and what reads its rows. read may return before the last row.
type snapshotRead struct {
	statement
	read func(rows pgx.Rows) error
}

// The first and the last statement of a snapshot.
var (
	begunSnapshot = snapshotRead{statement{sql: beginSnapshot}, readNothing}
	endedSnapshot = snapshotRead{statement{sql: commit}, readNothing}
)

func readNothing(rows pgx.Rows) error {
	rows.Close()
	return rows.Err()
}

// readSnapshot calls f with a connection for the statements of a snapshot. It rolls back a transaction that f left open.
func (s *Store) readSnapshot(ctx context.Context, f func(sn *snapshot) error) error {
	return s.withConn(ctx, func(conn *pgx.Conn) error {
		sn := snapshot{session{store: s, conn: conn}}
		err := f(&sn)
		if !conn.IsClosed() && conn.PgConn().TxStatus() != idleTransaction {
			sn.db.rollback(ctx)
		}
		if isStaleStatement(err) {
			err = errors.Join(err, conn.DeallocateAll(context.WithoutCancel(ctx)))
		}

		return err
	})
}

// idleTransaction is the status of a connection without a transaction.
const idleTransaction = 'I'

// isStaleStatement reports whether the server refused a prepared statement because the tables have other columns since.
func isStaleStatement(err error) bool {
	const featureNotSupported = "0A000"
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == featureNotSupported
}

// run runs the statements in one round trip and passes their rows on, one statement after the other. If a read returns
// before the last row, the statement is canceled in the server, because the remaining rows may be many.
func (sn *snapshot) run(ctx context.Context, reads ...snapshotRead) error {
	stmtCtx, cancel := sn.db.store.withTimeout(ctx)
	defer cancel()
	batch, err := sn.prepare(stmtCtx, reads)
	if err != nil {
		return withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
	}

	results := sn.db.conn.PgConn().ExecBatch(stmtCtx, batch)
	for _, r := range reads {
		if !results.NextResult() {
			break // Close returns the error
		}

		rows := pgx.RowsFromResultReader(sn.db.conn.TypeMap(), results.ResultReader())
		err = r.read(rows)
		if isComplete := rows.CommandTag() != (pgconn.CommandTag{}); err != nil && !isComplete {
			cancel()
		}
		if rows.Close(); err != nil {
			break
		}
	}
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}

	return withPhase(ports.PhaseRead, timeoutCause(ctx, stmtCtx, err))
}

// prepare returns the statements with their arguments. It prepares those that the connection does not know yet. The
// driver's own batches would run them unprepared on a pool in the simple protocol.
func (sn *snapshot) prepare(ctx context.Context, reads []snapshotRead) (*pgconn.Batch, error) {
	var batch pgconn.Batch
	var args pgx.ExtendedQueryBuilder
	for _, r := range reads {
		prepared, err := sn.db.conn.Prepare(ctx, r.sql, r.sql)
		if err != nil {
			return nil, err
		}
		if err := args.Build(sn.db.conn.TypeMap(), prepared, r.args); err != nil {
			return nil, err
		}

		batch.ExecPrepared(prepared.Name, args.ParamValues, args.ParamFormats, args.ResultFormats)
	}

	return &batch, nil
}
