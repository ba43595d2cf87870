package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// barSeries and tickSeries return the texts that identify a series: symbol, kind and grid.
func barSeries(key domain.SeriesKey) []string {
	return []string{string(key.Symbol), key.PriceType.String(), key.Grid.String()}
}

func tickSeries(symbol domain.Symbol, kind domain.TickKind) []string {
	return []string{string(symbol), string(kind), ""}
}

// versioning records whether the tables keep versions: nil until it is known.
type versioning struct{ known atomic.Pointer[bool] }

// isVersioned reports whether the tables keep versions. Views in their place keep none. It looks once, but again after
// it found no tables, because they may be created later.
func (s *Store) isVersioned(ctx context.Context) (bool, error) {
	if known := s.versions.known.Load(); known != nil {
		return *known, nil
	}

	var found *bool
	err := s.withConn(ctx, func(conn *pgx.Conn) error {
		_, err := session{store: s, conn: conn}.queryRow(ctx, selectVersioned, nil, &found)
		return err
	})
	if err != nil || found == nil {
		return false, err
	}

	s.versions.known.Store(found)

	return *found, nil
}

// checkWritable refuses a write to views in place of the tables.
func (s *Store) checkWritable(ctx context.Context) error {
	isVersioned, err := s.isVersioned(ctx)
	if err == nil && !isVersioned && s.versions.known.Load() != nil {
		err = &schemaError{"marketdata.series", "a view, which makes the store read-only", "a table"}
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

// findSeries returns the series. If create is set, it adds a series that does not exist, and its symbol, in statements
// of their own: a later transaction then locks nothing but its series.
func (db session) findSeries(ctx context.Context, names []string, create bool) (s series, found bool, err error) {
	find := func() (bool, error) {
		return db.queryRow(ctx, selectSeries, []any{names[0], names[1], names[2]}, &s.symbolID, &s.id, &s.uid)
	}
	if found, err = find(); err != nil || found || !create {
		return s, found, err
	}

	m := domain.NewSymbolMeta(domain.Symbol(names[0]))
	if _, err := db.exec(ctx, insertSymbol, symbolArgs(m)...); err != nil {
		return s, false, err
	}
	if _, err := db.exec(ctx, insertSeries, names[0], names[1], names[2], int64(rand.Uint64())); err != nil {
		return s, false, err
	}

	found, err = find()

	return s, found, err
}

// lock gives the series its next version, which locks it until the transaction ends.
func (db session) lock(ctx context.Context, s series) (domain.Version, error) {
	version := domain.Version{}.Next()
	args := []any{s.symbolID, s.id, s.uid, int64(version.Nonce)}
	found, err := db.queryRow(ctx, lockSeries, args, &version.Revision)
	if err == nil && !found {
		err = withPhase(ports.PhaseQuery, errSeriesReplaced)
	}

	return version, err
}
