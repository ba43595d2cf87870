package sqlite

import (
	"context"
	"database/sql"
)

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// queryAll returns all rows of a query. targets returns the pointers to scan the columns of a row into.
func queryAll[R any](ctx context.Context, db querier, targets func(*R) []any, text string, args ...any) ([]R, error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, err
	}

	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	var all []R
	for rows.Next() {
		var row R
		if err := rows.Scan(targets(&row)...); err != nil {
			return nil, err
		}
		all = append(all, row)
	}

	return all, rows.Err()
}

// preparedStatements prepares each statement of a transaction once.
type preparedStatements struct {
	tx     *sql.Tx
	byText map[string]*sql.Stmt
}

// prepare returns a statement, which close closes.
func (s *preparedStatements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if stmt := s.byText[text]; stmt != nil {
		return stmt, nil
	}

	stmt, err := s.tx.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}

	if s.byText == nil {
		s.byText = map[string]*sql.Stmt{}
	}
	s.byText[text] = stmt

	return stmt, nil
}

func (s *preparedStatements) exec(ctx context.Context, text string, args ...any) error {
	stmt, err := s.prepare(ctx, text) //nolint:sqlclosecheck // s.close closes it
	if err != nil {
		return err
	}

	_, err = stmt.ExecContext(ctx, args...)

	return err
}

func (s *preparedStatements) close() {
	for _, stmt := range s.byText {
		_ = stmt.Close() // the transaction reports errors of its statements
	}
}
