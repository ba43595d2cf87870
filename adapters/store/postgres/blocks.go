package postgres

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
)

// rowKey orders the rows of a series. The sequence number of a bar is 0.
type rowKey struct{ micros, seq int64 }

func (k rowKey) compare(o rowKey) int {
	return cmp.Or(cmp.Compare(k.micros, o.micros), cmp.Compare(k.seq, o.seq))
}

// blockChange is what a write changed in a block: the rows that it inserted, deleted or gave other values.
type blockChange struct {
	added                  int    // rows inserted, less rows deleted
	first                  rowKey // of all changed rows
	written, deleted       rowKey // the last of the rows that were written, and of those that were deleted
	hasWritten, hasDeleted bool
}

// blockChanges are the changes of a write by block.
type blockChanges struct {
	layout domain.BlockLayout
	blocks map[int64]*blockChange
}

func newBlockChanges(layout domain.BlockLayout) blockChanges {
	return blockChanges{layout, map[int64]*blockChange{}}
}

// addInserted records that all rows of a change from one to another were inserted.
func (c *blockChanges) addInserted(key func(i int) rowKey, from, to int) {
	for from < to {
		first := key(from)
		block := c.layout.Index(domain.Micros(first.micros))
		n := 1
		for from+n < to && c.layout.Index(domain.Micros(key(from+n).micros)) == block {
			n++
		}

		c.add(changedRows{block: block, count: n, added: n, first: first, last: key(from + n - 1)})
		from += n
	}
}

// changedRows are the rows of one block that one statement changed.
type changedRows struct {
	block        int64
	count, added int // added is count less where rows got other values, and negative where they were deleted
	first, last  rowKey
}

// add records changed rows.
func (c *blockChanges) add(rows changedRows) {
	b := c.blocks[rows.block]
	if b == nil {
		b = &blockChange{first: rows.first}
		c.blocks[rows.block] = b
	}

	b.added += rows.added
	if rows.first.compare(b.first) < 0 {
		b.first = rows.first
	}

	last, has := &b.written, &b.hasWritten
	if rows.added < 0 {
		last, has = &b.deleted, &b.hasDeleted
	}
	if !*has || rows.last.compare(*last) > 0 {
		*last, *has = rows.last, true
	}
}

// scanChangedRows reads a row that a statement returns which changes stored rows.
func scanChangedRows(row pgx.CollectableRow) (r changedRows, err error) {
	var first, last []int64
	if err = row.Scan(&r.block, &r.count, &r.added, &first, &last); err != nil {
		return r, err
	}

	r.first, r.last = rowKey{first[0], first[1]}, rowKey{last[0], last[1]}

	return r, nil
}

// block is a row of marketdata.blocks without its version.
type block struct {
	number   int64
	rows     int
	last     rowKey // the last row of the block
	appended bool   // the write only added rows behind the last one
}

func scanBlock(row pgx.CollectableRow) (b block, err error) {
	var last time.Time
	err = row.Scan(&b.number, &b.rows, &last, &b.last.seq)
	b.last.micros = last.UnixMicro()
	return b, err
}

// changeBlocks returns the statements that give the changed blocks the version of the write.
func (w *writer) changeBlocks(ctx context.Context) (steps []step, err error) {
	blocks, empty, unknown := w.changes.apply(w.blocks)
	if err := w.findLastRows(ctx, blocks, unknown); err != nil {
		return nil, err
	}

	if len(empty) > 0 {
		steps = append(steps, stepOf(deleteBlocks, w.series.symbolID, w.series.id, empty))
	}
	if len(blocks) > 0 {
		args := []any{
			w.series.symbolID, w.series.id, w.version.Revision, int64(w.version.Nonce), domain.MaxTail,
		}
		steps = append(steps, stepOf(upsertBlocks, append(args, blockArgs(blocks)...)...))
	}

	return steps, nil
}

// apply returns the blocks after the changes, the numbers of those without rows, and the positions of the blocks whose
// last row must be looked up, because their last one was deleted.
func (c *blockChanges) apply(stored []block) (blocks []block, empty []int64, unknown []int) {
	before := map[int64]block{}
	for _, b := range stored {
		before[b.number] = b
	}

	for _, number := range slices.Sorted(maps.Keys(c.blocks)) {
		change := c.blocks[number]
		old, exists := before[number]
		b := block{number, old.rows + change.added, old.last, exists && change.first.compare(old.last) > 0}
		isBehind := change.hasWritten && (!exists || change.written.compare(old.last) >= 0)
		switch {
		case b.rows <= 0:
			empty = append(empty, number)
			continue
		case isBehind:
			b.last = change.written
		case change.hasDeleted && change.deleted.compare(old.last) >= 0:
			unknown = append(unknown, len(blocks))
		}

		blocks = append(blocks, b)
	}

	return blocks, empty, unknown
}

// findLastRows looks up the last rows of the blocks at the positions.
func (w *writer) findLastRows(ctx context.Context, blocks []block, positions []int) error {
	if len(positions) == 0 {
		return nil
	}

	starts, ends := make([]time.Time, len(positions)), make([]time.Time, len(positions))
	for i, position := range positions {
		start, end := w.changes.layout.Bounds(blocks[position].number)
		starts[i], ends[i] = start.Time(), end.Time()
	}

	q := statement{sql: w.table.sql.selectLastRows, args: append(w.table.keyArgs(w.series), starts, ends)}
	_, err := queryRows(ctx, w.db, q, func(row pgx.CollectableRow) (struct{}, error) {
		var n int
		var last time.Time
		var seq int64
		err := row.Scan(&n, &last, &seq)
		if err == nil {
			blocks[positions[n-1]].last = rowKey{last.UnixMicro(), seq}
		}

		return struct{}{}, err
	})

	return err
}

// blockArgs returns the arguments of upsertBlocks for blocks.
func blockArgs(blocks []block) []any {
	n := len(blocks)
	numbers, rows, lastSeqs := make([]int64, n), make([]int64, n), make([]int64, n)
	lastTimes, appended := make([]time.Time, n), make([]bool, n)
	for i, b := range blocks {
		numbers[i], rows[i], appended[i] = b.number, int64(b.rows), b.appended
		lastTimes[i], lastSeqs[i] = domain.Micros(b.last.micros).Time(), b.last.seq
	}

	return []any{numbers, rows, lastTimes, lastSeqs, appended}
}
