package postgres

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// A write changes the rows of its series in the transaction that transaction.go draws:
//
//	which ranges have rows                     one round trip, for coverage that is new and for rows that are covered
//	for each batch of BatchRows covered rows   where the table has rows
//	    COPY into the stage, take conflicts out of it, for a replacement DELETE the other rows, merge
//	DELETE rows that are not covered           if there are any, because they count as absent
//	for each batch of BatchRows other rows
//	    COPY into the table                    several times as fast as a merge
//	count blocks                               with a deleted row, and for a replacement those that its range cuts
//
// The partitions are created beforehand, because in the write's transaction they would block other writers until it
// ends.

// rowOperation writes, replaces or deletes rows of one table.
type rowOperation struct{ table *table }

func (o rowOperation) partitions(changes []*change) (table string, starts []time.Time) {
	var last domain.Range
	for _, c := range changes {
		for row := 0; row < c.rows; {
			if at := c.timeOf(row); !last.Contains(at) {
				last = o.table.partitionOf(at)
				starts = append(starts, last.Start)
			}
			row = max(row+1, c.rowAt(last.End))
		}
	}

	return o.table.name, starts
}

func (rowOperation) read([]*change) []step { return nil }

// apply writes the rows, and lets the records follow. Stored rows that the coverage does not contain count as absent.
func (o rowOperation) apply(ctx context.Context, db session, changes []*change) ([]step, error) {
	w := &writer{db: db, table: o.table, changes: make(map[int32]*change, len(changes))}
	for _, c := range changes {
		c.report, c.conflicts, c.changes = ports.WriteReport{}, ports.ConflictError{}, newBlockChanges(c.layout)
		w.changes[w.idOf(c)] = c
	}

	err := w.changeRows(ctx, changes)
	if err != nil {
		return nil, err
	}

	written := filter(changes, accepted)
	if err := w.countBlocks(ctx, written); err != nil {
		return nil, err
	}

	for _, c := range written {
		if c.deletes {
			c.uncover(c.r)
		} else {
			c.cover(c.r)
		}
		c.changedBlocks, c.emptyBlocks = c.changes.apply(c.blocks)
	}

	return nil, nil
}

// accepted reports whether the change was not refused.
func accepted(c *change) bool { return c.err == nil }

// writer changes rows of series that are locked.
type writer struct {
	db       session
	table    *table
	changes  map[int32]*change // by the number of the series, or of the symbol of ticks
	isStaged bool              // the stage exists and may have rows of this transaction
}

// idOf returns the number that identifies a change to the statements of the table.
func (w *writer) idOf(c *change) int32 {
	if w.table.hasSeries {
		return c.series.id
	}
	return c.series.symbolID
}

// segment is a part of a change.
type segment struct {
	change   *change
	from, to int          // rows
	r        domain.Range // contains the rows and no other of the change
}

func (g segment) rows() int { return g.to - g.from }

// changeRows writes or deletes the rows of the changes.
func (w *writer) changeRows(ctx context.Context, changes []*change) error {
	var covered, other, uncovered []segment
	for _, c := range changes {
		if c.deletes {
			continue
		}

		size := w.db.store.cfg.BatchRows
		for _, r := range c.r.Subtract(c.coverage) {
			uncovered = append(uncovered, segment{change: c, r: r})
			other = append(other, c.segments(r, size)...)
		}
		for _, r := range domain.ClipRanges(c.coverage, c.r) {
			covered = append(covered, c.segments(r, size)...)
		}
	}

	isStored, err := w.haveRows(ctx, slices.Concat(covered, uncovered))
	if err != nil {
		return err
	}

	var stored, stale []segment // stale rows are not covered
	for i, g := range covered {
		if isStored[i] {
			stored = append(stored, g)
		} else {
			other = append(other, g)
		}
	}
	for i, g := range uncovered {
		if isStored[len(covered)+i] {
			stale = append(stale, g)
		}
	}

	return w.writeSegments(ctx, changes, stored, stale, other)
}

// haveRows reports of each segment whether rows are stored in its range.
func (w *writer) haveRows(ctx context.Context, segments []segment) ([]bool, error) {
	isStored := make([]bool, len(segments))
	if len(segments) == 0 {
		return isStored, nil
	}

	var of seriesArrays
	var starts, ends []time.Time
	for _, g := range segments {
		of.add(g.change.series)
		starts, ends = append(starts, g.r.Start), append(ends, g.r.End)
	}
	args := []any{of.symbolIDs, of.ids, starts, ends}
	if !w.table.hasSeries {
		args = slices.Delete(args, 1, 2)
	}
	positions, err := queryRows(ctx, w.db, statement{sql: w.table.sql.rangesWithRows, args: args}, pgx.RowTo[int64])
	for _, n := range positions {
		isStored[n-1] = true
	}

	return isStored, err
}

// writeSegments merges segments into the stored rows, deletes the stale rows, and inserts the other segments. The
// merges come first, because a change that they refuse must not change anything. A change that has several batches is
// alone, so that then the transaction changes nothing.
func (w *writer) writeSegments(ctx context.Context, changes []*change, stored, stale, other []segment) error {
	size := w.db.store.cfg.BatchRows
	for _, policy := range []ports.ConflictPolicy{ports.ConflictFail, ports.ConflictReplace, ports.ConflictKeep} {
		hasPolicy := func(g segment) bool { return g.change.onConflict == policy }
		for batch := range batches(filter(stored, hasPolicy), size) {
			if err := w.mergeBatch(ctx, batch, policy); err != nil {
				return err
			}
		}
	}
	for _, c := range changes {
		if c.conflicts.Rows > 0 {
			c.err = &c.conflicts
		}
	}

	isAccepted := func(g segment) bool { return accepted(g.change) }
	if err := w.deleteRows(ctx, changes, filter(stale, isAccepted)); err != nil {
		return err
	}
	for batch := range batches(filter(other, isAccepted), size) {
		if err := w.insertBatch(ctx, batch); err != nil {
			return err
		}
	}

	return nil
}

// batches yields the segments in batches that have at most size rows, or one segment.
func batches(segments []segment, size int) iter.Seq[[]segment] {
	return func(yield func([]segment) bool) {
		for len(segments) > 0 {
			n, rows := 1, segments[0].rows()
			for n < len(segments) && rows+segments[n].rows() <= size {
				rows += segments[n].rows()
				n++
			}

			if !yield(segments[:n]) {
				return
			}
			segments = segments[n:]
		}
	}
}

// deleteRows deletes the rows of the changes that delete, and stale rows, which do not count.
func (w *writer) deleteRows(ctx context.Context, changes []*change, stale []segment) error {
	var steps []step
	for _, g := range stale {
		steps = append(steps, w.changeStored(w.table.sql.delete, g.change, g.r, nil))
	}
	for _, c := range changes {
		if c.deletes {
			steps = append(steps, w.changeStored(w.table.sql.delete, c, c.r, &c.report.Deleted))
		}
	}
	if len(steps) == 0 {
		return nil
	}

	return w.db.pipeline(ctx, steps...)
}

// changeStored returns the step that deletes stored rows of a range. It adds their number to deleted, unless that is
// nil.
func (w *writer) changeStored(sql string, c *change, r domain.Range, deleted *int) step {
	args := append(w.table.keyArgs(c.series), r.Start, r.End, c.layout.LengthMicros())
	return step{statement{sql: sql, args: args}, func(rows pgx.Rows) error {
		changed, err := pgx.CollectRows(rows, scanChangedRows)
		for _, rows := range changed {
			c.changes.add(rows)
			if deleted != nil {
				*deleted += rows.count
			}
		}

		return err
	}}
}

// mergeBatch merges segments of changes with one policy into the stored rows of their series.
func (w *writer) mergeBatch(ctx context.Context, batch []segment, policy ports.ConflictPolicy) error {
	if err := w.fillStage(ctx, batch); err != nil {
		return err
	}
	if policy != ports.ConflictReplace {
		if isEmpty, err := w.unstageConflicts(ctx, batch); err != nil || isEmpty {
			return err
		}
	}

	var steps []step
	for _, g := range batch {
		c := g.change
		if c.report.Unchanged += g.rows(); c.replace {
			steps = append(steps, w.changeStored(w.table.sql.deleteOthers, c, g.r, &c.report.Deleted))
		}
	}

	merge := step{statement{sql: w.table.sql.merge}, func(rows pgx.Rows) error {
		changed, err := pgx.CollectRows(rows, scanChangedRows)
		for _, rows := range changed {
			w.changes[rows.series].addMerged(rows)
		}

		return err
	}}

	return w.db.pipeline(ctx, append(steps, merge)...)
}

// addMerged records rows that a merge inserted or changed.
func (c *change) addMerged(rows changedRows) {
	c.changes.add(rows)
	c.report.Inserted += rows.added
	c.report.Changed += rows.count - rows.added
	c.report.Unchanged -= rows.count
}

// unstageConflicts takes the rows out of the stage that are stored with other values, and all rows of a change that
// fails for that reason. It reports whether no change of the batch has rows left to merge.
func (w *writer) unstageConflicts(ctx context.Context, batch []segment) (isEmpty bool, err error) {
	find := step{statement{sql: w.table.sql.unstageConflicts}, func(found pgx.Rows) error {
		var id int32
		var rows int
		var first time.Time
		_, err := pgx.ForEachRow(found, []any{&id, &rows, &first}, func() error {
			w.changes[id].addConflicts(first.UTC(), rows)
			return nil
		})

		return err
	}}
	if err := w.db.pipeline(ctx, find); err != nil {
		return false, err
	}

	var refused []int32
	isEmpty = true
	for _, g := range batch {
		if g.change.conflicts.Rows > 0 {
			refused = append(refused, w.idOf(g.change))
		} else {
			isEmpty = false
		}
	}
	if len(refused) > 0 && !isEmpty {
		err = w.db.exec(ctx, w.table.sql.unstageSeries, refused)
	}

	return isEmpty, err
}

// addConflicts records rows that are stored with other values: as kept, or as a reason to fail.
func (c *change) addConflicts(first time.Time, rows int) {
	if c.onConflict == ports.ConflictFail {
		c.conflicts.Add(first, rows)
		return
	}

	c.report.Kept += rows
	c.report.Unchanged -= rows
}

// insertBatch sends rows to the table, each after the numbers that identify the series.
func (w *writer) insertBatch(ctx context.Context, batch []segment) error {
	for _, g := range batch {
		g.change.changes.addInserted(g.change.key, g.from, g.to)
		g.change.report.Inserted += g.rows()
	}

	return w.copyRows(ctx, batch, false)
}

// fillStage makes the rows of a batch the only rows of the stage.
func (w *writer) fillStage(ctx context.Context, batch []segment) error {
	prepare := w.table.sql.createStage
	if w.isStaged {
		prepare = w.table.sql.truncateStage
	}
	if err := w.db.exec(ctx, prepare); err != nil {
		return err
	}

	w.isStaged = true

	return w.copyRows(ctx, batch, true)
}

// copyRows sends the rows of a batch to the table or to the stage.
func (w *writer) copyRows(ctx context.Context, batch []segment, toStage bool) error {
	sql, fields, rows := w.table.sql.copyTable, w.table.fields+1, 0
	if w.table.hasSeries {
		fields++
	}
	if toStage {
		sql, fields = w.table.sql.copyStage, fields+1
	}
	for _, g := range batch {
		rows += g.rows()
	}

	next := 0 // of the segment
	stream := newCopyStream(rows, uint16(fields), func(b []byte, _ int) []byte {
		for next == batch[0].rows() {
			batch, next = batch[1:], 0
		}
		c, row := batch[0].change, batch[0].from+next
		next++

		b = appendInt32(b, c.series.symbolID)
		if w.table.hasSeries {
			b = appendInt32(b, c.series.id)
		}
		if toStage {
			b = appendInt64(b, c.layout.Index(domain.Micros(c.key(row).micros)))
		}

		return c.appendRow(b, row)
	})

	stmtCtx, cancel := w.db.store.withTimeout(ctx)
	defer cancel()
	_, err := w.db.conn.PgConn().CopyFrom(stmtCtx, stream, w.db.label(sql))

	return withPhase(ports.PhaseQuery, timeoutCause(ctx, stmtCtx, err))
}
