package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// pageSymbols is the largest number of symbols that one statement reads.
const pageSymbols = 10_000

// Symbols implements ports.SymbolCatalog.
func (s *Store) Symbols(ctx context.Context, q ports.SymbolQuery) iter.Seq2[domain.SymbolMeta, error] {
	return ports.PagedSymbols(q, pageSymbols, func(page ports.SymbolQuery) ([]domain.SymbolMeta, error) {
		return s.readSymbols(ctx, page)
	})
}

func (s *Store) readSymbols(ctx context.Context, q ports.SymbolQuery) ([]domain.SymbolMeta, error) {
	const op = "read symbols"
	valid := validSymbols(q.Symbols)
	if len(q.Symbols) > 0 && len(valid) == 0 || !canMatch(q.Pattern) {
		return nil, translate(ctx, op, "", ctx.Err())
	}

	text, args := selectSymbols(valid, q)
	rows, err := queryAll(ctx, s.reader, (*symbolRow).targets, text, args...)
	err = cmp.Or(s.frozen.check(), err)
	if err != nil {
		return nil, translate(ctx, op, "", withPhase(ports.PhaseQuery, err))
	}

	metas := make([]domain.SymbolMeta, 0, len(rows))
	for _, row := range rows {
		meta, err := row.meta()
		if err != nil {
			return nil, translate(ctx, op, row.Symbol, invalidRow(err))
		}

		metas = append(metas, meta)
	}

	return metas, nil
}

// statementSymbols is the maximum number of symbols that one statement writes: large enough that the overhead of a
// statement is negligible.
const statementSymbols = 64

// PutSymbols implements ports.SymbolWriter. It rejects text that is not UTF-8 or contains a zero byte, because SQLite
// would change it.
func (s *Store) PutSymbols(ctx context.Context, metas ...domain.SymbolMeta) error {
	const op = "put symbols"
	if len(metas) == 0 {
		return translate(ctx, op, "", ctx.Err())
	}

	rows := make([]symbolRow, 0, len(metas))
	for _, m := range metas {
		if err := validateMeta(m); err != nil {
			return translate(ctx, op, string(m.Symbol), err)
		}
		rows = append(rows, newSymbolRow(m))
	}

	return translate(ctx, op, "", s.transact(ctx, func(tx *sql.Tx) error {
		statements := preparedStatements{tx: tx}
		defer statements.close()
		for batch := range slices.Chunk(rows, statementSymbols) {
			var args []any
			for _, row := range batch {
				args = append(args, row.args()...)
			}
			if err := statements.exec(ctx, upsertSymbols(len(batch)), args...); err != nil {
				return err
			}
		}

		return nil
	}))
}

// validateMeta returns an error if m is invalid or contains text that SQLite would change.
func validateMeta(m domain.SymbolMeta) error {
	if err := m.Validate(); err != nil {
		return err
	}

	for _, text := range [...]string{m.Venue, m.Base, m.Quote} {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return fmt.Errorf("text %q: SQLite stores only UTF-8 without zero bytes: %w", text, domain.ErrInvalid)
		}
	}

	return nil
}

// validSymbols returns the valid ones of the symbols, because the store contains no others.
func validSymbols(symbols []domain.Symbol) []string {
	var valid []string
	for _, s := range symbols {
		if s.Validate() == nil {
			valid = append(valid, string(s))
		}
	}

	return valid
}

// canMatch reports whether a valid symbol can match the pattern: all bytes except the wildcards * and ? must be valid
// in a symbol. A pattern that can match therefore contains no other characters that are special to GLOB.
func canMatch(pattern string) bool {
	for _, part := range strings.FieldsFunc(pattern, func(r rune) bool { return r == '*' || r == '?' }) {
		if domain.Symbol(part).Validate() != nil {
			return false
		}
	}

	return true
}
