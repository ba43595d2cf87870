package postgres

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// ReadLedger implements ledger.Ledger. Where views are in place of the tables, no series exists.
func (s *Store) ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]ledger.Record, error) {
	const op = "read ledger"
	for _, q := range queries {
		if err := q.Key.Validate(); err != nil {
			return nil, translate(ctx, op, q.Key.String(), err)
		}
	}
	hasLedger, err := s.KeepsVersions(ctx)
	if err != nil {
		return nil, err
	}

	records := make([]ledger.Record, len(queries))
	for i := range records {
		records[i].State = &domain.SeriesState{}
	}
	for from := 0; hasLedger && from < len(queries); from += batchQueries {
		to := min(from+batchQueries, len(queries))
		err := s.query(ctx, op, ledgerQuery(queries[from:to]), func(rows pgx.Rows) error {
			return scanLedger(rows, queries[from:to], records[from:to])
		})
		if err != nil {
			return nil, translate(ctx, op, "", err)
		}
	}

	return records, translate(ctx, op, "", ctx.Err())
}

// ledgerQuery returns the statement for the records of series.
func ledgerQuery(queries []ports.SeriesQuery) statement {
	var symbols, kinds, grids []string
	var revisions, nonces, froms, tos []int64
	for _, q := range queries {
		names := ledgerSeries(q.Key)
		symbols, kinds, grids = append(symbols, names[0]), append(kinds, names[1]), append(grids, names[2])
		revisions = append(revisions, q.State.Known.Revision)
		nonces = append(nonces, int64(q.State.Known.Nonce))
		from, to := domain.BarBlocks(q.Key.Grid).Span(q.State.Range)
		froms, tos = append(froms, from), append(tos, to)
	}

	return statement{sql: selectLedger, args: []any{symbols, kinds, grids, revisions, nonces, froms, tos}}
}

// ledgerRow is a row of selectLedger. An array without an element is NULL.
type ledgerRow struct {
	query                      int64 // from 1
	revision, nonce            int64
	starts, ends               []time.Time // of the coverage
	numbers, revisions, nonces []int64     // of the blocks
	rows                       []int32     // of the blocks
	hashes                     []*int64    // of the blocks
	tail                       []int64     // of the last block
	takenStarts, takenEnds     []time.Time
}

// scanLedger reads the records of the queries whose series exist.
func scanLedger(rows pgx.Rows, queries []ports.SeriesQuery, records []ledger.Record) error {
	for rows.Next() {
		var r ledgerRow
		if err := rows.Scan(
			&r.query, &r.revision, &r.nonce, &r.starts, &r.ends, &r.numbers, &r.rows, &r.revisions, &r.nonces, &r.hashes,
			&r.tail, &r.takenStarts, &r.takenEnds,
		); err != nil {
			return err
		}
		if r.query < 1 || r.query > int64(len(records)) {
			return errBatchOrder
		}

		records[r.query-1] = r.record(queries[r.query-1].State.Known)
	}

	return rows.Err()
}

func (r *ledgerRow) record(known domain.Version) ledger.Record {
	record := ledger.Record{Taken: rangesOf(r.takenStarts, r.takenEnds)}
	version := domain.Version{Revision: r.revision, Nonce: uint64(r.nonce)}
	if version == known && known != (domain.Version{}) {
		return record
	}

	record.State = &domain.SeriesState{Version: version, Coverage: rangesOf(r.starts, r.ends)}
	for i, number := range r.numbers {
		changed := domain.Version{Revision: r.revisions[i], Nonce: uint64(r.nonces[i])}
		block := domain.BlockState{Index: number, Rows: int(r.rows[i]), Version: changed}
		record.State.Blocks = append(record.State.Blocks, block)
		hash := r.hashes[i]
		record.Hashes = append(record.Hashes, ledger.BlockHash{Sum: uint64(deref(hash)), Known: hash != nil})
	}
	for _, nonce := range r.tail {
		record.State.Tail = append(record.State.Tail, uint64(nonce))
	}

	return record
}

func rangesOf(starts, ends []time.Time) (ranges []domain.Range) {
	for i, start := range starts {
		ranges = append(ranges, domain.Range{Start: start.UTC(), End: ends[i].UTC()})
	}

	return ranges
}

// LedgerSeries implements ledger.Ledger.
func (s *Store) LedgerSeries(ctx context.Context, symbols ...domain.Symbol) ([]ledger.Series, error) {
	const op = "ledger series"
	if hasLedger, err := s.KeepsVersions(ctx); err != nil || !hasLedger {
		return nil, err
	}

	q := statement{sql: selectLedgerSeries}
	if len(symbols) > 0 {
		q = statement{sql: selectLedgerSeriesOfSymbols, args: []any{symbolTexts(symbols)}}
	}
	rows, err := collect(ctx, s, op, q, scanLedgerSeries)
	if err != nil {
		return nil, translate(ctx, op, "", err)
	}

	slices.SortFunc(rows, func(a, b ledger.Series) int { return a.Key.Compare(b.Key) })
	var merged []ledger.Series
	for _, row := range rows {
		if n := len(merged); n > 0 && merged[n-1].Key == row.Key {
			merged[n-1].Coverage = append(merged[n-1].Coverage, row.Coverage...)
		} else {
			merged = append(merged, row)
		}
	}
	for i := range merged {
		merged[i].Coverage = domain.MergeRanges(merged[i].Coverage)
	}

	return merged, nil
}

// scanLedgerSeries reads a series with one range of its coverage, or none.
func scanLedgerSeries(row pgx.CollectableRow) (l ledger.Series, err error) {
	var grid, priceType string
	var start, end *time.Time
	if err = row.Scan(&l.Key.Symbol, &grid, &priceType, &start, &end); err != nil {
		return l, err
	}

	if start != nil {
		l.Coverage = []domain.Range{{Start: start.UTC(), End: end.UTC()}}
	}
	l.Key, err = parseSeries(l.Key.Symbol, grid, strings.TrimPrefix(priceType, ledgerPrefix))

	return l, err
}

// UnfinishedWrites implements ledger.Ledger. Where views are in place of the tables, there are none.
func (s *Store) UnfinishedWrites(ctx context.Context) ([]ports.UnfinishedWrite, error) {
	if hasLedger, err := s.KeepsVersions(ctx); err != nil || !hasLedger {
		return nil, err
	}

	const op = "unfinished writes"
	q := statement{sql: selectExpiredIntents, args: []any{ports.MaxUnfinished}}
	writes, err := collect(ctx, s, op, q, scanUnfinished)

	return writes, translate(ctx, op, "", err)
}

func scanUnfinished(row pgx.CollectableRow) (w ports.UnfinishedWrite, err error) {
	var grid, priceType string
	if err = row.Scan(
		&w.Key.Symbol, &grid, &priceType, &w.Range.Start, &w.Range.End, &w.Owner, &w.Expired,
	); err != nil {
		return w, err
	}

	w.Range.Start, w.Range.End, w.Expired = w.Range.Start.UTC(), w.Range.End.UTC(), w.Expired.UTC()
	w.Key, err = parseSeries(w.Key.Symbol, grid, strings.TrimPrefix(priceType, ledgerPrefix))

	return w, err
}
