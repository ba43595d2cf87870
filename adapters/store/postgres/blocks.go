package postgres

import (
	"cmp"
	"context"
	"iter"
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
	exact                  *block // the block after the write where that is known without what was stored; else nil
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
	for inserted := range c.byBlock(key, from, to) {
		c.add(inserted)
	}
}

// byBlock yields the rows of a change from one to another, block by block, as inserted rows.
func (c *blockChanges) byBlock(key func(i int) rowKey, from, to int) iter.Seq[changedRows] {
	return func(yield func(changedRows) bool) {
		for from < to {
			first := key(from)
			block := c.layout.Index(domain.Micros(first.micros))
			n := 1
			for from+n < to && c.layout.Index(domain.Micros(key(from+n).micros)) == block {
				n++
			}

			if !yield(changedRows{block: block, count: n, added: n, first: first, last: key(from + n - 1)}) {
				return
			}
			from += n
		}
	}
}

// setExact records what the blocks that a replacement covers have after it: its rows, and no others. A wrong count of
// stored rows ends there; they count more than there are after a partition was dropped, for example.
func (c *blockChanges) setExact(replacement change, stored []block) {
	before, after := map[int64]block{}, map[int64]block{}
	for _, b := range stored {
		before[b.number], after[b.number] = b, block{number: b.number}
	}
	for rows := range c.byBlock(replacement.key, 0, replacement.rows) {
		after[rows.block] = block{number: rows.block, rows: rows.count, last: rows.last}
	}

	for number, b := range after {
		start, end := c.layout.Bounds(number)
		isWhole := replacement.r.Covers(domain.Range{Start: start.Time(), End: end.Time()})
		if isChanged := c.blocks[number] != nil || b != before[number]; !isWhole || !isChanged {
			continue
		}

		if c.blocks[number] == nil {
			c.blocks[number] = &blockChange{first: before[number].last} // not behind the last row
		}
		c.blocks[number].exact = &b
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
		b, isLastUnknown := c.blocks[number].apply(before[number])
		if b.rows <= 0 {
			empty = append(empty, number)
			continue
		}

		b.number = number
		if isLastUnknown {
			unknown = append(unknown, len(blocks))
		}
		blocks = append(blocks, b)
	}

	return blocks, empty, unknown
}

// apply returns a block after the change, and whether its last row must be looked up. old has no rows if the block did
// not exist.
func (c *blockChange) apply(old block) (b block, isLastUnknown bool) {
	exists := old.rows > 0
	b = block{rows: old.rows + c.added, last: old.last, appended: exists && c.first.compare(old.last) > 0}
	switch {
	case c.exact != nil:
		return block{rows: c.exact.rows, last: c.exact.last, appended: b.appended && b.rows == c.exact.rows}, false
	case c.hasWritten && (!exists || c.written.compare(old.last) >= 0):
		b.last = c.written
	case c.hasDeleted:
		return b, c.deleted.compare(old.last) >= 0
	}

	return b, false
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
