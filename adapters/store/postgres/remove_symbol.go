package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.SymbolRemover = (*Store)(nil)

// RemoveSymbol implements ports.SymbolRemover. A write to InfluxDB that did not finish counts as data. Views in place
// of the tables are ErrSchema.
func (s *Store) RemoveSymbol(ctx context.Context, symbol domain.Symbol) error {
	const op = "remove symbol"
	err := symbol.Validate()
	if err == nil {
		err = s.requireVersions(ctx)
	}
	if err == nil {
		var series []string
		q := statement{sql: removeSymbol, args: []any{string(symbol)}}
		series, err = collect(ctx, s, op, q, pgx.RowTo[string])
		if err == nil && len(series) > 0 {
			err = &ports.SymbolInUseError{Series: series}
		}
	}

	return translate(ctx, op, string(symbol), err)
}
