package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.Ledger = (*Store)(nil)

// ledgerWriter changes the record of a series whose bars are in another store. What is stored was read under the lock
// of the series.
type ledgerWriter struct {
	writer
	intents []storedIntent // that overlap the range
}

// storedIntent is a row of marketdata.intents.
type storedIntent struct {
	id      int64
	r       domain.Range
	expires time.Time
	owner   string
	isLive  bool
}

func scanIntent(row pgx.CollectableRow) (i storedIntent, err error) {
	err = row.Scan(&i.id, &i.r.Start, &i.r.End, &i.expires, &i.owner, &i.isLive)
	i.r.Start, i.r.End = i.r.Start.UTC(), i.r.End.UTC()
	return i, err
}

// changeLedger runs one transaction on a series, which it adds if it does not exist. plan returns the statements of the
// change, or an error, which rolls back. An error of the ledger is returned as it is.
func (s *Store) changeLedger(
	ctx context.Context, op string, key domain.SeriesKey, r domain.Range, plan func(w *ledgerWriter) ([]step, error),
) error {
	err := validateBars(domain.EmptySeries(key), r)
	if err == nil {
		err = s.requireVersions(ctx)
	}
	for attempt := 1; err == nil; attempt++ {
		err = s.tryChangeLedger(ctx, key, r, plan)
		if err == nil || attempt == maxAttempts || !isRepeatable(err) || !sleep(ctx, rand.N(10*time.Millisecond<<attempt)) {
			break
		}
		err = nil
	}

	var held *ports.IntentHeldError
	if errors.As(err, &held) {
		return held
	}
	for _, plain := range []error{ports.ErrLedgerChanged, ports.ErrIntentLost} {
		if errors.Is(err, plain) {
			return plain
		}
	}

	return translate(ctx, op, key.String(), err)
}

func (s *Store) tryChangeLedger(
	ctx context.Context, key domain.SeriesKey, r domain.Range, plan func(w *ledgerWriter) ([]step, error),
) error {
	return s.withConn(ctx, func(conn *pgx.Conn) error {
		w := &ledgerWriter{writer: writer{
			db: session{store: s, conn: conn}, changes: newBlockChanges(domain.BarBlocks(key.Grid)),
		}}
		err := w.change(ctx, key, r, plan)
		w.db.endTransaction(ctx)
		w.db.forgetStatements(ctx, err)

		return withPhase(ports.PhaseQuery, err)
	})
}

func (w *ledgerWriter) change(
	ctx context.Context, key domain.SeriesKey, r domain.Range, plan func(w *ledgerWriter) ([]step, error),
) error {
	found, err := w.findSeries(ctx, barSeries(key))
	if err == nil && !found {
		found, err = w.addSeries(ctx, barSeries(key))
	}
	if err == nil && !found {
		err = errSeriesReplaced
	}
	if err != nil {
		return err
	}

	overlapping := statement{sql: selectIntents, args: []any{w.series.symbolID, w.series.id, r.Start, r.End}}
	if err := w.lock(ctx, r, step{overlapping, collectRows(&w.intents, scanIntent)}); err != nil {
		return err
	}
	steps, err := plan(w)
	if err != nil {
		return err
	}

	return w.db.pipeline(ctx, append(steps, stepOf(commit))...)
}

// BeginIntents implements ports.Ledger.
func (s *Store) BeginIntents(ctx context.Context, plans []ports.IntentPlan) []ports.BegunIntent {
	begun := make([]ports.BegunIntent, len(plans))
	for i, plan := range plans {
		begun[i].Intent, begun[i].Err = s.beginIntent(ctx, plan)
	}

	return begun
}

func (s *Store) beginIntent(ctx context.Context, plan ports.IntentPlan) (ports.Intent, error) {
	intent := ports.Intent{ID: rand.Uint64(), Key: plan.Key, Range: plan.Range, Deletes: plan.Deletes}
	err := s.changeLedger(ctx, "begin intent", plan.Key, plan.Read, func(w *ledgerWriter) ([]step, error) {
		if err := w.checkPlan(&plan); err != nil {
			return nil, err
		}

		blocks, empty := w.keptBlocks(plan.Kept)
		steps := append(w.storeBlocks(blocks, empty), w.takeOver(plan.Range)...)
		steps = append(steps, w.coverRange(change{r: plan.Range, replace: true})...)

		return append(steps, w.addIntent(intent, plan)), nil
	})

	return intent, err
}

// checkPlan compares the plan with what is stored.
func (w *ledgerWriter) checkPlan(plan *ports.IntentPlan) error {
	for _, i := range w.intents {
		if i.isLive && !i.r.Intersect(plan.Range).Empty() {
			return &ports.IntentHeldError{Range: i.r, Owner: i.owner, Expires: i.expires.UTC()}
		}
	}

	versions := make(map[int64]domain.Version, len(w.blocks))
	for _, b := range w.blocks {
		versions[b.number] = b.version
	}
	if !plan.IsCurrent(w.coverage, versions) {
		return ports.ErrLedgerChanged
	}

	return nil
}

// coverRange returns the statements that change the coverage, of which more may have been read than the change needs.
func (w *ledgerWriter) coverRange(c change) []step {
	w.coverage = slices.DeleteFunc(w.coverage, func(r domain.Range) bool {
		return r.End.Before(c.r.Start) || r.Start.After(c.r.End)
	})

	return w.changeCoverage(c)
}

// keptBlocks returns the blocks that lose bars, and the numbers of those that lose all.
func (w *ledgerWriter) keptBlocks(kept []ports.BlockSum) (blocks []block, empty []int64) {
	for _, k := range kept {
		i := slices.IndexFunc(w.blocks, func(b block) bool { return b.number == k.Index })
		switch {
		case k.Bars == 0:
			empty = append(empty, k.Index)
		case k.Bars != w.blocks[i].rows:
			hash := int64(k.Hash)
			blocks = append(blocks, block{number: k.Index, rows: k.Bars, last: rowKey{micros: int64(k.Last)}, hash: &hash})
		}
	}

	return blocks, empty
}

// takeOver returns the statements that take r from the intents, which have expired. What is left of one tells people of
// a write that did not finish; its writer cannot renew it, because it has not its whole range any more.
func (w *ledgerWriter) takeOver(r domain.Range) (steps []step) {
	for _, i := range w.intents {
		if i.r.Intersect(r).Empty() {
			continue
		}

		steps = append(steps, stepOf(deleteIntent, w.series.symbolID, w.series.id, i.r.Start))
		for _, rest := range i.r.Subtract([]domain.Range{r}) {
			steps = append(steps, stepOf(insertIntent, w.series.symbolID, w.series.id, i.id,
				rest.Start, rest.End, i.owner, i.expires))
		}
	}

	return steps
}

// addIntent returns the statement that adds the intent. It took what was covered.
func (w *ledgerWriter) addIntent(intent ports.Intent, plan ports.IntentPlan) step {
	var start, end *time.Time
	if covered := domain.ClipRanges(plan.Coverage, plan.Range); len(covered) > 0 && !plan.Deletes {
		start, end = &covered[0].Start, &covered[len(covered)-1].End
	}

	return stepOf(insertNewIntent, w.series.symbolID, w.series.id, int64(intent.ID),
		plan.Range.Start, plan.Range.End, start, end, plan.Owner)
}

// FinishIntents implements ports.Ledger.
func (s *Store) FinishIntents(ctx context.Context, intents []ports.FinishedIntent) []error {
	failed := make([]error, len(intents))
	for i, finished := range intents {
		failed[i] = s.finishIntent(ctx, finished.Intent, finished.Added)
	}

	return failed
}

func (s *Store) finishIntent(ctx context.Context, intent ports.Intent, added []ports.BlockSum) error {
	return s.changeLedger(ctx, "finish intent", intent.Key, intent.Range, func(w *ledgerWriter) ([]step, error) {
		isIntent := func(i storedIntent) bool { return i.id == int64(intent.ID) && i.r.Equal(intent.Range) }
		if !slices.ContainsFunc(w.intents, isIntent) {
			return nil, ports.ErrIntentLost
		}

		steps := []step{stepOf(deleteIntent, w.series.symbolID, w.series.id, intent.Range.Start)}
		if intent.Deletes {
			return steps, nil
		}

		steps = append(steps, w.changeCoverage(change{r: intent.Range})...)

		return append(steps, w.storeBlocks(w.grownBlocks(added), nil)...), nil
	})
}

// grownBlocks returns the blocks with the added bars.
func (w *ledgerWriter) grownBlocks(added []ports.BlockSum) (blocks []block) {
	for _, a := range added {
		b := block{number: a.Index, rows: a.Bars, last: rowKey{micros: int64(a.Last)}}
		hash := int64(a.Hash)
		b.hash = &hash
		if i := slices.IndexFunc(w.blocks, func(b block) bool { return b.number == a.Index }); i >= 0 {
			old := w.blocks[i]
			b.rows += old.rows
			b.appended = int64(a.First) > old.last.micros
			b.last.micros = max(b.last.micros, old.last.micros)
			if hash += deref(old.hash); old.hash == nil {
				b.hash = nil
			}
		}
		blocks = append(blocks, b)
	}

	return blocks
}

// deref returns the value of p, 0 where there is none.
func deref(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// RenewIntents implements ports.Ledger.
func (s *Store) RenewIntents(ctx context.Context, intents []ports.Intent) error {
	for _, intent := range intents {
		found, err := s.updateIntent(ctx, renewIntent, intent)
		if err == nil && !found {
			return ports.ErrIntentLost
		}
		if err != nil {
			return translate(ctx, "renew intent", intent.Key.String(), err)
		}
	}

	return nil
}

// AbandonIntents implements ports.Ledger.
func (s *Store) AbandonIntents(ctx context.Context, intents []ports.Intent) error {
	for _, intent := range intents {
		if _, err := s.updateIntent(ctx, abandonIntent, intent); err != nil {
			return translate(ctx, "abandon intent", intent.Key.String(), err)
		}
	}

	return nil
}

func (s *Store) updateIntent(ctx context.Context, sql string, intent ports.Intent) (found bool, err error) {
	names := barSeries(intent.Key)
	args := []any{names[0], names[1], names[2], int64(intent.ID), intent.Range.Start, intent.Range.End}
	ids, err := collect(ctx, s, sql, args, pgx.RowTo[int64])

	return len(ids) == 1, err
}

// ReadLedger implements ports.Ledger. Where views are in place of the tables, no series exists.
func (s *Store) ReadLedger(ctx context.Context, queries []ports.SeriesQuery) ([]ports.LedgerRecord, error) {
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

	records := make([]ports.LedgerRecord, len(queries))
	for i := range records {
		records[i].State = &domain.SeriesState{}
	}
	for from := 0; hasLedger && from < len(queries); from += batchQueries {
		to := min(from+batchQueries, len(queries))
		err := s.query(ctx, selectLedger, ledgerArgs(queries[from:to]), func(rows pgx.Rows) error {
			return scanLedger(rows, queries[from:to], records[from:to])
		})
		if err != nil {
			return nil, translate(ctx, op, "", err)
		}
	}

	return records, translate(ctx, op, "", ctx.Err())
}

// ledgerArgs returns the arguments of selectLedger.
func ledgerArgs(queries []ports.SeriesQuery) []any {
	var symbols, kinds, grids []string
	var revisions, nonces, froms, tos []int64
	for _, q := range queries {
		names := barSeries(q.Key)
		symbols, kinds, grids = append(symbols, names[0]), append(kinds, names[1]), append(grids, names[2])
		revisions = append(revisions, q.State.Known.Revision)
		nonces = append(nonces, int64(q.State.Known.Nonce))
		from, to := domain.BarBlocks(q.Key.Grid).Span(q.State.Range)
		froms, tos = append(froms, from), append(tos, to)
	}

	return []any{symbols, kinds, grids, revisions, nonces, froms, tos}
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
func scanLedger(rows pgx.Rows, queries []ports.SeriesQuery, records []ports.LedgerRecord) error {
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

func (r *ledgerRow) record(known domain.Version) ports.LedgerRecord {
	record := ports.LedgerRecord{Taken: rangesOf(r.takenStarts, r.takenEnds)}
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
		record.Hashes = append(record.Hashes, ports.BlockHash{Sum: uint64(deref(hash)), Known: hash != nil})
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

// LedgerSeries implements ports.Ledger.
func (s *Store) LedgerSeries(ctx context.Context, symbols ...domain.Symbol) ([]ports.LedgerSeries, error) {
	const op = "ledger series"
	if hasLedger, err := s.KeepsVersions(ctx); err != nil || !hasLedger {
		return nil, err
	}

	sql, args := selectLedgerSeries, []any(nil)
	if len(symbols) > 0 {
		sql, args = selectLedgerSeriesOfSymbols, []any{symbolTexts(symbols)}
	}
	rows, err := collect(ctx, s, sql, args, scanLedgerSeries)
	if err != nil {
		return nil, translate(ctx, op, "", err)
	}

	slices.SortFunc(rows, func(a, b ports.LedgerSeries) int { return a.Key.Compare(b.Key) })
	var merged []ports.LedgerSeries
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
func scanLedgerSeries(row pgx.CollectableRow) (l ports.LedgerSeries, err error) {
	var grid, priceType string
	var start, end *time.Time
	if err = row.Scan(&l.Key.Symbol, &grid, &priceType, &start, &end); err != nil {
		return l, err
	}

	if start != nil {
		l.Coverage = []domain.Range{{Start: start.UTC(), End: end.UTC()}}
	}
	l.Key, err = parseSeries(l.Key.Symbol, grid, priceType)

	return l, err
}
