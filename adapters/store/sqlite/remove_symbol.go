package sqlite

import (
	"context"
	"database/sql"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.SymbolRemover = (*Store)(nil)

// RemoveSymbol implements ports.SymbolRemover. It deletes the series with all of their rows, because a later series may
// get the same number.
func (s *Store) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	err := symbol.Validate()
	if err == nil {
		err = s.transact(ctx, func(tx *sql.Tx) error { return removeSymbol(ctx, tx, string(symbol)) })
	}

	return translate(ctx, "remove symbol", string(symbol), err)
}

func removeSymbol(ctx context.Context, tx *sql.Tx, symbol string) error {
	target := func(name *string) []any { return []any{name} }
	covered, err := queryAll(ctx, tx, target, selectCovered, symbol)
	if err != nil {
		return err
	}
	if len(covered) > 0 {
		return &ports.SymbolInUseError{Series: covered}
	}

	for _, table := range []string{"blocks", "chunks", "trades", "quotes"} {
		if _, err := tx.ExecContext(ctx, deleteRowsOf(table), symbol); err != nil {
			return err
		}
	}
	for _, statement := range []string{deleteSeries, deleteSymbol} {
		if _, err := tx.ExecContext(ctx, statement, symbol); err != nil {
			return err
		}
	}

	return nil
}
