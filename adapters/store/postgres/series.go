package postgres

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

// barSeries and tickSeries return the texts that identify a series: symbol, kind and grid.
func barSeries(key domain.SeriesKey) []string {
	return []string{string(key.Symbol), key.PriceType.String(), key.Grid.String()}
}

func tickSeries(symbol domain.Symbol, kind domain.TickKind) []string {
	return []string{string(symbol), string(kind), ""}
}

// isVersioned reports whether the tables keep versions. Views in their place keep none. It looks once, but again after
// it found no tables, because they may be created later.
func (s *Store) isVersioned(ctx context.Context) (bool, error) {
	if known := s.versioned.Load(); known != nil {
		return *known, nil
	}

	var found *bool
	err := s.withConn(ctx, func(conn *pgx.Conn) error {
		return session{store: s, conn: conn}.queryRow(ctx, selectVersioned, nil, &found)
	})
	if err != nil || found == nil {
		return false, err
	}

	s.versioned.Store(found)

	return *found, nil
}

// KeepsVersions reports whether reads yield states. They yield none where views stand in place of the tables; tables
// that do not exist yet will keep versions.
func (s *Store) KeepsVersions(ctx context.Context) (bool, error) {
	isVersioned, err := s.isVersioned(ctx)
	areViews := !isVersioned && s.versioned.Load() != nil

	return err == nil && !areViews, translate(ctx, "read tables", "", err)
}

// requireVersions returns an error for views in place of the tables. Where there are no tables, the server refuses the
// statements that follow.
func (s *Store) requireVersions(ctx context.Context) error {
	isVersioned, err := s.isVersioned(ctx)
	if err == nil && !isVersioned && s.versioned.Load() != nil {
		err = &schemaError{"marketdata.series", "a view, so that the store is read-only and has no versions", "a table"}
	}

	return err
}

// series is a row of marketdata.series.
type series struct {
	symbolID, id int32
	uid          int64 // tells apart series that had one id before and after a restore
}

// errSeriesReplaced reports that the series does not exist any more: the database was restored.
var errSeriesReplaced = errors.New("the series was replaced while it was written; write again")

// findSeries looks the series of a change up, in one round trip after the given steps.
func (w *writer) findSeries(ctx context.Context, names []string, before ...step) (found bool, err error) {
	find := step{statement{sql: selectSeries, args: []any{names[0], names[1], names[2]}}, func(rows pgx.Rows) error {
		for rows.Next() {
			found = true
			if err := rows.Scan(&w.series.symbolID, &w.series.id, &w.series.uid); err != nil {
				return err
			}
		}

		return rows.Err()
	}}
	err = w.db.pipeline(ctx, append(before, find)...)

	return found, err
}

// addSeries adds the series and its symbol, unless another writer does, in statements of their own: the transaction of
// the write then locks nothing but its series.
func (w *writer) addSeries(ctx context.Context, names []string) (found bool, err error) {
	m := domain.NewSymbolMeta(domain.Symbol(names[0]))
	if err := w.db.exec(ctx, insertSymbol, symbolArgs(m)...); err != nil {
		return false, err
	}
	if err := w.db.exec(ctx, insertSeries, names[0], names[1], names[2], int64(rand.Uint64())); err != nil {
		return false, err
	}

	return w.findSeries(ctx, names)
}

// lock begins the transaction and gives the series its next version, which locks it until the transaction ends. Then it
// reads what is stored around r, and runs the other steps.
func (w *writer) lock(ctx context.Context, r domain.Range, others ...step) error {
	w.version = domain.Version{}.Next()
	var revisions []int64
	id, symbolID := w.series.id, w.series.symbolID
	from, to := w.changes.layout.Span(r)
	err := w.db.pipeline(ctx, append([]step{
		stepOf(begin),
		{
			statement{sql: lockSeries, args: []any{symbolID, id, w.series.uid, int64(w.version.Nonce)}},
			collectRows(&revisions, pgx.RowTo[int64]),
		},
		{
			statement{sql: selectTouchingRanges, args: []any{symbolID, id, r.Start, r.End}},
			collectRows(&w.coverage, scanRange),
		},
		{
			statement{sql: selectBlocks, args: []any{symbolID, id, from, to}},
			collectRows(&w.blocks, scanStoredBlock),
		},
	}, others...)...)
	switch {
	case err != nil:
		return err
	case len(revisions) != 1:
		return errSeriesReplaced
	}

	w.version.Revision = revisions[0]

	return nil
}
