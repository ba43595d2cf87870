package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// Symbols implements ports.SymbolCatalog.
func (s *Store) Symbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	const op = "read symbols"
	wanted := validSymbols(q.Symbols)
	if len(q.Symbols) > 0 && len(wanted) == 0 || !matchesSome(q.Pattern) {
		return nil, translate(ctx, op, "", ctx.Err())
	}

	text, args := selectSymbols(wanted, q.Pattern, q.Limit)
	rows, err := queryAll(ctx, s.read, (*symbolRow).into, text, args...)
	if err != nil {
		return nil, translate(ctx, op, "", inPhase(ports.PhaseQuery, err))
	}

	metas := make([]domain.SymbolMeta, 0, len(rows))
	for _, row := range rows {
		meta, err := row.meta()
		if err != nil {
			return nil, translate(ctx, op, row.Symbol, unreadable(err))
		}

		metas = append(metas, meta)
	}

	return metas, nil
}

// statementSymbols is how many symbols one statement writes, so that its own cost does not show.
const statementSymbols = 64

// PutSymbols implements ports.SymbolWriter. A text that is not UTF-8, or holds a zero byte, is refused: SQLite would not keep it as
// it is.
func (s *Store) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	const op = "put symbols"
	if len(metas) == 0 {
		return translate(ctx, op, "", ctx.Err())
	}

	rows := make([]symbolRow, 0, len(metas))
	for _, m := range metas {
		if err := storable(m); err != nil {
			return translate(ctx, op, string(m.Symbol), err)
		}
		rows = append(rows, newSymbolRow(m))
	}

	return translate(ctx, op, "", s.update(ctx, func(tx *sql.Tx) error {
		statements := statements{tx: tx}
		defer statements.close()
		for some := range slices.Chunk(rows, statementSymbols) {
			var args []any
			for _, row := range some {
				args = append(args, row.args()...)
			}
			if err := statements.exec(ctx, upsertSymbols(len(some)), args...); err != nil {
				return err
			}
		}

		return nil
	}))
}

func newSymbolRow(m domain.SymbolMeta) symbolRow {
	return symbolRow{
		Symbol: string(m.Symbol), Venue: m.Venue, Base: m.Base, Quote: m.Quote,
		Tick: m.Tick.String(), Lot: m.Lot.String(), Zone: m.Zone,
	}
}

func (r symbolRow) meta() (domain.SymbolMeta, error) {
	m := domain.SymbolMeta{Symbol: domain.Symbol(r.Symbol), Venue: r.Venue, Base: r.Base, Quote: r.Quote, Zone: r.Zone}
	var err error
	if m.Tick, err = domain.ParseDecimal(r.Tick); err != nil {
		return m, err
	}
	if m.Lot, err = domain.ParseDecimal(r.Lot); err != nil {
		return m, err
	}

	return m, m.Validate()
}

// storable refuses what is not valid, and texts that would come back altered.
func storable(m domain.SymbolMeta) error {
	if err := m.Validate(); err != nil {
		return err
	}

	for _, text := range [...]string{m.Venue, m.Base, m.Quote} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("text %q: neither UTF-8 without zero bytes; the store cannot keep it: %w", text, domain.ErrInvalid)
		}
	}

	return nil
}

// validSymbols is those that can be in the store at all, as texts.
func validSymbols(symbols []domain.Symbol) []string {
	var valid []string
	for _, s := range symbols {
		if s.Validate() == nil {
			valid = append(valid, string(s))
		}
	}

	return valid
}

// matchesSome reports whether a symbol could match: outside its wildcards the pattern has to have the bytes of a symbol. That also
// leaves nothing in it that GLOB reads in its own way.
func matchesSome(pattern string) bool {
	for _, part := range strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' || r == '?' }) {
		if domain.Symbol(part).Validate() != nil {
			return false
		}
	}
	return true
}
