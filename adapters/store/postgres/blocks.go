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

// blockChange counts the changes of a write in a block: the rows that it inserted, deleted or gave other values.
type blockChange struct {
	added                  int    // rows inserted, less rows deleted
	first                  rowKey // of all changed rows
	written                rowKey // the last of the rows that were written
	hasWritten, hasDeleted bool
	exact                  *block // the block after the write if it was counted; else nil
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

// setExact records blocks that were counted after the write, if a row or the count changed.
func (c *blockChanges) setExact(counted map[int64]block, stored []block) {
	before := byNumber(stored)
	for number, b := range counted {
		isAsBefore := b.rows == before[number].rows && b.last == before[number].last
		if c.blocks[number] == nil && isAsBefore {
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
	series       int32 // its number, or that of the symbol of ticks; only of rows that a statement returned
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

	switch {
	case rows.added < 0:
		b.hasDeleted = true
	case !b.hasWritten || rows.last.compare(b.written) > 0:
		b.written, b.hasWritten = rows.last, true
	}
}

// scanChangedRows reads a row that a statement returns which changes stored rows.
func scanChangedRows(row pgx.CollectableRow) (r changedRows, err error) {
	var first, last []int64
	if err = row.Scan(&r.series, &r.block, &r.count, &r.added, &first, &last); err != nil {
		return r, err
	}

	r.first, r.last = rowKey{first[0], first[1]}, rowKey{last[0], last[1]}

	return r, nil
}

// block is a row of marketdata.blocks.
type block struct {
	number   int64
	rows     int
	last     rowKey         // the last row of the block
	version  domain.Version // before the write
	hash     *int64         // nil where the rows are in this database
	appended bool           // the write only added rows behind the last one
}

// scanBlock reads a block that was counted.
func scanBlock(row pgx.CollectableRow) (b block, err error) {
	var last time.Time
	err = row.Scan(&b.number, &b.rows, &last, &b.last.seq)
	b.last.micros = last.UnixMicro()
	return b, err
}

func byNumber(blocks []block) map[int64]block {
	numbered := make(map[int64]block, len(blocks))
	for _, b := range blocks {
		numbered[b.number] = b
	}

	return numbered
}

// apply returns the blocks after the changes, and the numbers of those without rows.
func (c *blockChanges) apply(stored []block) (blocks []block, empty []int64) {
	before := byNumber(stored)
	for _, number := range slices.Sorted(maps.Keys(c.blocks)) {
		b := c.blocks[number].apply(before[number])
		b.number = number
		if b.rows > 0 {
			blocks = append(blocks, b)
		} else {
			empty = append(empty, number)
		}
	}

	return blocks, empty
}

// apply returns a block after the change. old has no rows if the block did not exist.
func (c *blockChange) apply(old block) block {
	exists := old.rows > 0
	b := block{rows: old.rows + c.added, last: old.last, appended: exists && c.first.compare(old.last) > 0}
	switch {
	case c.exact != nil:
		return block{rows: c.exact.rows, last: c.exact.last, appended: b.appended && b.rows == c.exact.rows}
	case c.hasWritten && (!exists || c.written.compare(old.last) >= 0):
		b.last = c.written
	}

	return b
}

// countBlocks counts the blocks in which rows were deleted, and all blocks that a replacement overlaps. Sums of changes
// would keep a wrong count for ever, as of a block that lost rows with a dropped partition.
func (w *writer) countBlocks(ctx context.Context, changes []*change) error {
	var steps []step
	counted := make([]map[int64]block, len(changes))
	for i, c := range changes {
		counted[i] = c.countKnown()
		if numbers := c.uncountedBlocks(counted[i]); len(numbers) > 0 {
			steps = append(steps, w.countStored(c, numbers, counted[i]))
		}
	}
	if len(steps) > 0 {
		if err := w.db.pipeline(ctx, steps...); err != nil {
			return err
		}
	}

	for i, c := range changes {
		c.changes.setExact(counted[i], c.blocks)
	}

	return nil
}

// countKnown returns the blocks that must be counted, with the rows of a replacement.
func (c *change) countKnown() map[int64]block {
	counted := map[int64]block{}
	for number, changed := range c.changes.blocks {
		if changed.hasDeleted {
			counted[number] = block{number: number}
		}
	}
	if !c.replace {
		return counted
	}

	for _, b := range c.blocks {
		counted[b.number] = block{number: b.number}
	}
	for rows := range c.changes.byBlock(c.key, 0, c.rows) {
		counted[rows.block] = block{number: rows.block, rows: rows.count, last: rows.last}
	}

	return counted
}

// uncountedBlocks returns the numbers of the blocks that the change does not replace as a whole.
func (c *change) uncountedBlocks(counted map[int64]block) (numbers []int64) {
	for number := range counted {
		if !c.replace || !c.r.Covers(c.layout.Range(number, number+1)) {
			numbers = append(numbers, number)
		}
	}

	return numbers
}

// countStored returns the step that counts the stored rows of blocks.
func (w *writer) countStored(c *change, numbers []int64, counted map[int64]block) step {
	var starts, ends []time.Time
	for _, number := range numbers {
		counted[number] = block{number: number} // the statement returns no block without rows
		within := c.layout.Range(number, number+1)
		starts, ends = append(starts, within.Start), append(ends, within.End)
	}

	q := statement{sql: w.table.sql.countRows, args: append(w.table.keyArgs(c.series), numbers, starts, ends)}

	return step{q, func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, scanBlock)
		for _, b := range found {
			counted[b.number] = b
		}

		return err
	}}
}

// blockArgs returns the arguments of upsertBlocks for blocks.
func blockArgs(blocks []block) []any {
	n := len(blocks)
	numbers, rows, lastSeqs := make([]int64, n), make([]int64, n), make([]int64, n)
	lastTimes, appended, hashes := make([]time.Time, n), make([]bool, n), make([]*int64, n)
	for i, b := range blocks {
		hashes[i] = b.hash
		numbers[i], rows[i], appended[i] = b.number, int64(b.rows), b.appended
		lastTimes[i], lastSeqs[i] = domain.Micros(b.last.micros).Time(), b.last.seq
	}

	return []any{numbers, rows, lastTimes, lastSeqs, appended, hashes}
}
