package postgres

import (
	"context"
	"database/sql/driver"

	"github.com/jackc/pgx/v5/stdlib"
)

// labeledConnector opens connections whose statements are labeled with the operation, also those that bun writes.
type labeledConnector struct {
	driver.Connector // of stdlib
	op               string
}

// Connect implements driver.Connector.
func (c labeledConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}

	return labeledConn{conn.(*stdlib.Conn), c.op}, nil
}

// labeledConn labels the statements of a connection.
type labeledConn struct {
	*stdlib.Conn
	op string
}

// ExecContext implements driver.ExecerContext.
func (c labeledConn) ExecContext(ctx context.Context, sql string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.ExecContext(ctx, label(c.op, sql), args)
}

// QueryContext implements driver.QueryerContext.
func (c labeledConn) QueryContext(ctx context.Context, sql string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.QueryContext(ctx, label(c.op, sql), args)
}

// PrepareContext implements driver.ConnPrepareContext.
func (c labeledConn) PrepareContext(ctx context.Context, sql string) (driver.Stmt, error) {
	return c.Conn.PrepareContext(ctx, label(c.op, sql))
}

// BeginTx implements driver.ConnBeginTx. The migrator sets no options.
func (c labeledConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	_, err := c.ExecContext(ctx, begin, nil)
	return labeledTx{ctx, c}, err
}

// labeledTx is a transaction of a labeledConn.
type labeledTx struct {
	ctx  context.Context //nolint:containedctx // driver.Tx passes none
	conn labeledConn
}

// Commit implements driver.Tx.
func (t labeledTx) Commit() error { return t.end(commit) }

// Rollback implements driver.Tx.
func (t labeledTx) Rollback() error { return t.end(rollback) }

func (t labeledTx) end(sql string) error {
	_, err := t.conn.ExecContext(t.ctx, sql, nil)
	return err
}
