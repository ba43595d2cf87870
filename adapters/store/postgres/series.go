package postgres

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

// barSeries, ledgerSeries and tickSeries return the texts that identify a series: symbol, kind and grid.
func barSeries(key domain.SeriesKey) []string {
	return []string{string(key.Symbol), key.PriceType.String(), key.Grid.String()}
}

// ledgerPrefix begins the kind of a series whose bars are in another store, with a ledger here. The bars of the same
// key in this store are another series, so that neither store takes the coverage of the other for its own.
const ledgerPrefix = "ledger "

func ledgerSeries(key domain.SeriesKey) []string {
	return []string{string(key.Symbol), ledgerPrefix + key.PriceType.String(), key.Grid.String()}
}

func tickSeries(symbol domain.Symbol, kind domain.TickKind) []string {
	return []string{string(symbol), string(kind), ""}
}

// series is a row of marketdata.series.
type series struct {
	symbolID, id int32
	uid          int64 // tells apart series that had one id before and after a restore
}

// compare orders series as transactions lock them.
func (s series) compare(o series) int {
	return cmp.Or(cmp.Compare(s.symbolID, o.symbolID), cmp.Compare(s.id, o.id))
}

// errSeriesReplaced reports that the series does not exist any more: the database was restored.
var errSeriesReplaced = errors.New("the series was replaced while it was written; write again")

// resolve creates the partitions of a table that do not exist, and finds the series of the records that have none yet.
// It adds those that do not exist, unless the record deletes.
func (db session) resolve(ctx context.Context, records []*record, table string, partitions []time.Time) error {
	known := &db.store.lookups
	known.resolve(records)
	unresolved := filter(records, (*record).isUnresolved)
	var steps []step
	if partitions = known.missingPartitions(table, partitions); len(partitions) > 0 {
		steps = append(steps, stepOf(ensurePartitions, table, partitions))
	}
	if len(unresolved) > 0 {
		steps = append(steps, findSeries(unresolved))
	}
	if len(steps) == 0 {
		return nil
	}
	if err := db.pipeline(ctx, append([]step{stepOf(planByKeys)}, steps...)...); err != nil {
		return err
	}

	known.addPartitions(table, partitions)
	missing := filter(unresolved, func(r *record) bool { return r.isUnresolved() && !r.deletes })
	if len(missing) > 0 {
		if err := db.addSeries(ctx, missing); err != nil {
			return err
		}
	}
	known.add(unresolved)

	return nil
}

// findSeries returns the step that finds the series of the records.
func findSeries(records []*record) step {
	symbols, kinds, grids := seriesNames(records)
	return step{statement{sql: selectSeries, args: []any{symbols, kinds, grids}}, func(rows pgx.Rows) error {
		var n int64
		var found series
		_, err := pgx.ForEachRow(rows, []any{&n, &found.symbolID, &found.id, &found.uid}, func() error {
			records[n-1].series = found
			return nil
		})

		return err
	}}
}

// addSeries adds the series of the records and their symbols, unless another writer does, in a transaction of its own:
// the transaction of the write then locks nothing but its series.
func (db session) addSeries(ctx context.Context, records []*record) error {
	symbols, kinds, grids := seriesNames(records)
	metas, uids := make([]domain.SymbolMeta, len(records)), make([]int64, len(records))
	for i, symbol := range symbols {
		metas[i], uids[i] = domain.NewSymbolMeta(domain.Symbol(symbol)), int64(rand.Uint64())
	}

	return db.pipeline(ctx,
		stepOf(planByKeys),
		stepOf(lockNewSeries),
		stepOf(insertSymbols, symbolArrays(metas)...),
		stepOf(insertSeries, symbols, kinds, grids, uids),
		findSeries(records),
	)
}

// seriesNames returns one array each of the symbols, kinds and grids of the records.
func seriesNames(records []*record) (symbols, kinds, grids []string) {
	for _, r := range records {
		symbols, kinds, grids = append(symbols, r.names[0]), append(kinds, r.names[1]), append(grids, r.names[2])
	}

	return symbols, kinds, grids
}
