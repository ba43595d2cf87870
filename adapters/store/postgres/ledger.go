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
	"github.com/gal-friday/marketdata/ports/ledger"
)

var _ ledger.Ledger = (*Store)(nil)

// intentChange is the change that a transaction makes to an intent and to the record of its series. Its bars are in
// another store.
type intentChange struct {
	record
	intent ledger.Intent
	plan   ledger.IntentPlan // of an intent that begins
	added  []ledger.BlockSum // of an intent that ends

	overlapping []storedIntent // with the range of an intent that begins, stored when the transaction locked the series
	isEnded     bool           // an intent that ends had its whole range, and is deleted
}

// storedIntent is a row of marketdata.intents.
type storedIntent struct {
	id                 int64
	r                  domain.Range
	tookStart, tookEnd *time.Time
	expires            *time.Time // nil for an intent that begins
	owner              string
	isLive             bool
}

// newIntentChange returns a change of the record that needs the coverage and the blocks of r.
func newIntentChange(op string, intent ledger.Intent, r domain.Range) *intentChange {
	key := intent.Key
	c := &intentChange{intent: intent}
	c.record = record{op: op, names: ledgerSeries(key), layout: domain.BarBlocks(key.Grid), r: r}
	c.err = validateBars(domain.EmptySeries(key), r)

	return c
}

// changeLedger runs an operation on the changes that have no error, batchSeries of them in one transaction.
func (s *Store) changeLedger(ctx context.Context, op operation[*intentChange], changes []*intentChange) {
	valid := filter(changes, func(c *intentChange) bool { return c.err == nil })
	if err := s.requireVersions(ctx); err != nil {
		setError(valid, err)
		return
	}

	for part := range slices.Chunk(valid, batchSeries) {
		changeSeries(ctx, s, op, part)
	}
}

// ledgerError returns an error of the ledger as it is, and translates another one.
func ledgerError(ctx context.Context, c *intentChange) error {
	if held, ok := errors.AsType[*ledger.HeldError](c.err); ok {
		return held
	}
	for _, plain := range []error{ledger.ErrChanged, ledger.ErrIntentLost} {
		if errors.Is(c.err, plain) {
			return plain
		}
	}

	return translate(ctx, c.op, c.intent.Key.String(), c.err)
}

// intentOperation is the part that the operations on intents share.
type intentOperation struct{}

func (intentOperation) partitions([]*intentChange) (table string, starts []time.Time) { return "", nil }

// BeginIntents implements ledger.Ledger. The intents share one random number.
func (s *Store) BeginIntents(ctx context.Context, plans []ledger.IntentPlan) []ledger.BegunIntent {
	const op = "begin intent"
	id := rand.Uint64()
	changes := make([]*intentChange, len(plans))
	for i, plan := range plans {
		intent := ledger.Intent{ID: id, Key: plan.Key, Range: plan.Range, Deletes: plan.Deletes}
		changes[i] = newIntentChange(op, intent, plan.Read)
		changes[i].plan = plan
		changes[i].needsNoBlocks = len(plan.Coverage)+len(plan.Kept) == 0
	}

	s.changeLedger(ctx, beginIntents{}, changes)
	begun := make([]ledger.BegunIntent, len(plans))
	for i, c := range changes {
		begun[i] = ledger.BegunIntent{Intent: c.intent, Err: ledgerError(ctx, c)}
	}

	return begun
}

// beginIntents begins intents. A series gets a version only if it loses coverage or an older intent, or if it is new.
type beginIntents struct{ intentOperation }

// read reads the intents that overlap.
func (beginIntents) read(changes []*intentChange) []step {
	for _, c := range changes {
		c.overlapping = nil
	}

	q := statement{sql: selectIntents, args: rangeArgs(recordsOf(changes))}

	return []step{{q, func(rows pgx.Rows) error {
		var n int64
		var i storedIntent
		targets := []any{&n, &i.id, &i.r.Start, &i.r.End, &i.expires, &i.owner, &i.isLive}
		_, err := pgx.ForEachRow(rows, targets, func() error {
			stored := i
			stored.r.Start, stored.r.End = i.r.Start.UTC(), i.r.End.UTC()
			changes[n-1].overlapping = append(changes[n-1].overlapping, stored)

			return nil
		})

		return err
	}}}
}

func (beginIntents) apply(_ context.Context, _ session, changes []*intentChange) ([]step, error) {
	var rows intentRows
	for _, c := range changes {
		if c.err = c.checkPlan(); c.err != nil {
			continue
		}

		c.keepBlocks()
		c.isTouched = rows.takeOver(c) || c.isNew()
		rows.add(c.series, c.newIntent())
		c.uncoverPlanned()
	}

	return rows.steps(), nil
}

// intentRows are the rows of marketdata.intents that a transaction deletes and inserts.
type intentRows struct {
	deletedOf, insertedOf seriesArrays
	deleted               []time.Time // start times
	inserted              []storedIntent
}

func (r *intentRows) add(s series, i storedIntent) {
	r.insertedOf.add(s)
	r.inserted = append(r.inserted, i)
}

func (r *intentRows) delete(s series, start time.Time) {
	r.deletedOf.add(s)
	r.deleted = append(r.deleted, start)
}

// takeOver takes the range of the plan from the intents, which have expired. What is left of one tells people of a
// write that did not finish; its writer cannot renew it, because it has not its whole range any more. It reports
// whether there was one.
func (r *intentRows) takeOver(c *intentChange) (found bool) {
	for _, i := range c.overlapping {
		if i.r.Intersect(c.plan.Range).Empty() {
			continue
		}

		found = true
		r.delete(c.series, i.r.Start)
		for _, rest := range i.r.Subtract([]domain.Range{c.plan.Range}) {
			r.add(c.series, storedIntent{id: i.id, r: rest, owner: i.owner, expires: i.expires})
		}
	}

	return found
}

// steps returns the statements that delete and insert the rows.
func (r *intentRows) steps() (steps []step) {
	if len(r.deleted) > 0 {
		steps = append(steps, stepOf(deleteIntents, r.deletedOf.symbolIDs, r.deletedOf.ids, r.deleted))
	}
	if len(r.inserted) == 0 {
		return steps
	}

	n := len(r.inserted)
	ids, owners := make([]int64, n), make([]string, n)
	starts, ends := make([]time.Time, n), make([]time.Time, n)
	tookStarts, tookEnds, expires := make([]*time.Time, n), make([]*time.Time, n), make([]*time.Time, n)
	for k, i := range r.inserted {
		ids[k], owners[k], starts[k], ends[k] = i.id, i.owner, i.r.Start, i.r.End
		tookStarts[k], tookEnds[k], expires[k] = i.tookStart, i.tookEnd, i.expires
	}

	return append(steps, stepOf(insertIntents, r.insertedOf.symbolIDs, r.insertedOf.ids,
		ids, starts, ends, tookStarts, tookEnds, owners, expires))
}

// checkPlan compares the plan with the stored coverage and blocks.
func (c *intentChange) checkPlan() error {
	for _, i := range c.overlapping {
		if i.isLive && !i.r.Intersect(c.plan.Range).Empty() {
			return &ledger.HeldError{Range: i.r, Owner: i.owner, Expires: i.expires.UTC()}
		}
	}

	versions := make(map[int64]domain.Version, len(c.blocks))
	for _, b := range c.blocks {
		versions[b.number] = b.version
	}
	if !c.plan.IsCurrent(c.coverage, versions) {
		return ledger.ErrChanged
	}

	return nil
}

// uncoverPlanned uncovers the range of the plan. More of the coverage may have been read than the range touches.
func (c *intentChange) uncoverPlanned() {
	c.coverage = slices.DeleteFunc(c.coverage, func(r domain.Range) bool {
		return r.End.Before(c.plan.Range.Start) || r.Start.After(c.plan.Range.End)
	})
	c.uncover(c.plan.Range)
}

// keepBlocks takes the bars from the blocks that the plan does not keep.
func (c *intentChange) keepBlocks() {
	for _, k := range c.plan.Kept {
		i := slices.IndexFunc(c.blocks, func(b block) bool { return b.number == k.Index })
		switch {
		case k.Bars == 0:
			c.emptyBlocks = append(c.emptyBlocks, k.Index)
		case k.Bars != c.blocks[i].rows:
			hash := int64(k.Hash)
			b := block{number: k.Index, rows: k.Bars, last: rowKey{micros: int64(k.Last)}, hash: &hash}
			c.changedBlocks = append(c.changedBlocks, b)
		}
	}
}

// newIntent returns the intent that begins. It took what was covered.
func (c *intentChange) newIntent() storedIntent {
	i := storedIntent{id: int64(c.intent.ID), r: c.plan.Range, owner: c.plan.Owner}
	if covered := domain.ClipRanges(c.plan.Coverage, c.plan.Range); len(covered) > 0 && !c.plan.Deletes {
		i.tookStart, i.tookEnd = &covered[0].Start, &covered[len(covered)-1].End
	}

	return i
}

// FinishIntents implements ledger.Ledger.
func (s *Store) FinishIntents(ctx context.Context, intents []ledger.FinishedIntent) []error {
	changes := make([]*intentChange, len(intents))
	for i, finished := range intents {
		changes[i] = newIntentChange("finish intent", finished.Intent, finished.Intent.Range)
		changes[i].added = finished.Added
	}

	s.changeLedger(ctx, finishIntents{}, changes)
	failed := make([]error, len(intents))
	for i, c := range changes {
		failed[i] = ledgerError(ctx, c)
	}

	return failed
}

// finishIntents ends intents.
type finishIntents struct{ intentOperation }

func (finishIntents) read([]*intentChange) []step { return nil }

func (finishIntents) apply(ctx context.Context, db session, changes []*intentChange) ([]step, error) {
	if err := db.pipeline(ctx, endIntentsOf(changes)); err != nil {
		return nil, err
	}

	for _, c := range changes {
		if !c.isEnded {
			c.err = ledger.ErrIntentLost
			continue
		}

		c.isTouched = true
		if !c.intent.Deletes {
			c.cover(c.intent.Range)
			c.growBlocks()
		}
	}

	return nil, nil
}

// endIntentsOf returns the step that deletes the intents that have their whole range.
func endIntentsOf(changes []*intentChange) step {
	ids := make([]int64, len(changes))
	for i, c := range changes {
		c.isEnded, ids[i] = false, int64(c.intent.ID)
	}

	args := append(rangeArgs(recordsOf(changes)), ids)

	return step{statement{sql: endIntents, args: args}, func(rows pgx.Rows) error {
		var n int64
		_, err := pgx.ForEachRow(rows, []any{&n}, func() error {
			changes[n-1].isEnded = true
			return nil
		})

		return err
	}}
}

// growBlocks adds the bars that were added to the blocks.
func (c *intentChange) growBlocks() {
	for _, a := range c.added {
		b := block{number: a.Index, rows: a.Bars, last: rowKey{micros: int64(a.Last)}}
		hash := int64(a.Hash)
		b.hash = &hash
		if i := slices.IndexFunc(c.blocks, func(b block) bool { return b.number == a.Index }); i >= 0 {
			old := c.blocks[i]
			b.rows += old.rows
			b.appended = int64(a.First) > old.last.micros
			b.last.micros = max(b.last.micros, old.last.micros)
			if hash += deref(old.hash); old.hash == nil {
				b.hash = nil
			}
		}
		c.changedBlocks = append(c.changedBlocks, b)
	}
}

// deref returns the value of p, 0 where there is none.
func deref(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

// RenewIntents implements ledger.Ledger.
func (s *Store) RenewIntents(ctx context.Context, intents []ledger.Intent) error {
	const op = "renew intents"
	found, err := s.updateIntents(ctx, op, renewIntents, intents)
	switch {
	case err != nil:
		return translate(ctx, op, intents[0].Key.String(), err)
	case found < len(intents):
		return ledger.ErrIntentLost
	}

	return nil
}

// AbandonIntents implements ledger.Ledger.
func (s *Store) AbandonIntents(ctx context.Context, intents []ledger.Intent) error {
	const op = "abandon intents"
	if _, err := s.updateIntents(ctx, op, abandonIntents, intents); err != nil {
		return translate(ctx, op, intents[0].Key.String(), err)
	}

	return nil
}

// updateIntents runs a statement on the intents that have their whole range, and returns how many it found.
func (s *Store) updateIntents(
	ctx context.Context, op, sql string, intents []ledger.Intent,
) (found int, err error) {
	if len(intents) == 0 {
		return 0, nil
	}

	var symbols, kinds, grids []string
	var ids []int64
	var starts, ends []time.Time
	for _, i := range intents {
		names := ledgerSeries(i.Key)
		symbols, kinds, grids = append(symbols, names[0]), append(kinds, names[1]), append(grids, names[2])
		ids, starts, ends = append(ids, int64(i.ID)), append(starts, i.Range.Start), append(ends, i.Range.End)
	}

	var updated []int64
	err = s.withConn(ctx, op, func(db session) error {
		return db.pipeline(ctx, stepOf(planByKeys), step{
			statement{sql: sql, args: []any{symbols, kinds, grids, ids, starts, ends}},
			collectRows(&updated, pgx.RowTo[int64]),
		})
	})

	return len(updated), withPhase(ports.PhaseQuery, err)
}
