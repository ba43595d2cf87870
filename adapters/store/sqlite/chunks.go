package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// chunks changes the chunks of one series, in one transaction, and counts what it does.
//
// The chunks divide all time into cells: a chunk's cell is from its first bar to the next chunk's first, and the first chunk has what
// is before it too. A bar goes into the chunk of its cell, which is decoded, changed and packed anew; no other chunk is touched. One
// that grows beyond codec.MaxBars is cut. So a bar appended makes the last chunk longer until it is full, and what a series of such
// bars leaves behind is what a bulk load does.
type chunks struct {
	statements
	series int64
	key    domain.SeriesKey
	report ports.WriteReport
	packed []byte // room for a chunk
}

// cell is a chunk and its cell.
type cell struct {
	id  int64 // 0 where the series has no chunk
	row chunkRow
}

// end is where the next cell begins.
func (c *cell) end() int64 {
	if c.row.next.Valid {
		return c.row.next.V
	}
	return math.MaxInt64
}

// write puts the bars in the place of those of the same open times.
func (c *chunks) write(ctx context.Context, bars domain.Series) error {
	for bars.Len() > 0 {
		times := bars.Columns().OpenMicros
		cell, err := c.cell(ctx, times[0])
		if err != nil {
			return err
		}

		held, err := cell.bars(c.key)
		if err != nil {
			return fmt.Errorf("%w; to mend it, replace the bars from %s to %s", err, microTime(cell.row.first.V), microTime(cell.row.last.V))
		}

		n := cell.bound(times)
		m := c.merge(held, bars.Slice(0, n), true)
		if err := c.reseal(ctx, &cell, held, &m); err != nil {
			return err
		}

		bars = bars.Slice(n, bars.Len())
	}
	return nil
}

// replace puts the bars in the place of all in r. A chunk that cannot be read, and lies in r, is dropped uncounted.
func (c *chunks) replace(ctx context.Context, bars domain.Series, r domain.Range) error {
	start, end := r.Micros()
	for at := start; at < end; {
		cell, err := c.cell(ctx, at)
		if err != nil {
			return err
		}

		held, err := cell.bars(c.key)
		mended := err != nil && start <= cell.row.first.V && cell.row.last.V < end
		if err != nil && !mended {
			return err
		}

		n := cell.bound(bars.Columns().OpenMicros)
		within := held.Clip(r)
		m := c.merge(within, bars.Slice(0, n), false)
		if within.Len() < held.Len() {
			from := sort.Search(held.Len(), func(i int) bool { return held.Columns().OpenMicros[i] >= start })
			m.pieces = append([]domain.Series{held.Slice(0, from)}, append(m.pieces, held.Slice(from+within.Len(), held.Len()))...)
		}

		m.changed = m.changed || mended
		if err := c.reseal(ctx, &cell, held, &m); err != nil {
			return err
		}

		bars = bars.Slice(n, bars.Len())
		at = cell.end()
	}

	return nil
}

// cell finds the cell of an open time.
func (c *chunks) cell(ctx context.Context, at int64) (cell, error) {
	stmt, err := c.prepare(ctx, selectCell) //nolint:sqlclosecheck // close does it
	if err != nil {
		return cell{}, err
	}

	var found cell
	err = stmt.QueryRowContext(ctx, c.series, at).Scan(append(found.row.into(), &found.id)...)
	if errors.Is(err, sql.ErrNoRows) {
		return found, nil
	}

	return found, err
}

// bars decodes the cell's chunk.
func (c *cell) bars(key domain.SeriesKey) (domain.Series, error) {
	if c.id == 0 {
		return domain.EmptySeries(key), nil
	}

	chunk, err := c.row.open(key)
	if err != nil {
		return domain.EmptySeries(key), err
	}

	bars, err := series(chunk, key)
	if err != nil {
		return domain.EmptySeries(key), err
	}

	return bars, nil
}

// bound is how many of the ascending times lie before the cell's end.
func (c *cell) bound(times []int64) int {
	end := c.end()
	return sort.Search(len(times), func(i int) bool { return times[i] >= end })
}

// merged is what a cell is to hold: pieces in order of time, some perhaps empty.
type merged struct {
	pieces  []domain.Series
	changed bool // it is not what the cell holds
}

// merge lays the bars over those held and counts them. What of the held is not among the bars is kept or dropped.
func (c *chunks) merge(held, bars domain.Series, keep bool) merged {
	var m merged
	before := c.report
	for held.Len() > 0 || bars.Len() > 0 {
		old, fresh := held.Columns().OpenMicros, bars.Columns().OpenMicros
		heldAlone, freshAlone, both := runs(old, fresh)
		switch {
		case heldAlone > 0:
			if keep {
				m.pieces = append(m.pieces, held.Slice(0, heldAlone))
			} else {
				c.report.Deleted += heldAlone
			}
		case freshAlone > 0:
			c.report.Inserted += freshAlone
			m.pieces = append(m.pieces, bars.Slice(0, freshAlone))
		default:
			fresh := bars.Slice(0, both)
			n := differing(held.Slice(0, both), fresh)
			c.report.Changed += n
			c.report.Unchanged += both - n
			m.pieces = append(m.pieces, fresh)
		}

		held = held.Slice(heldAlone+both, held.Len())
		bars = bars.Slice(freshAlone+both, bars.Len())
	}

	before.Unchanged = c.report.Unchanged
	m.changed = c.report != before
	return m
}

// runs is how many times, both lists ascending, come first in a alone, in b alone, or in both alike; one of the three is not 0.
func runs(a, b []int64) (aAlone, bAlone, both int) {
	switch {
	case len(b) == 0:
		return len(a), 0, 0
	case len(a) == 0:
		return 0, len(b), 0
	case a[0] < b[0]:
		return sort.Search(len(a), func(i int) bool { return a[i] >= b[0] }), 0, 0
	case b[0] < a[0]:
		return 0, sort.Search(len(b), func(i int) bool { return b[i] >= a[0] }), 0
	}

	for both < len(a) && both < len(b) && a[both] == b[both] {
		both++
	}
	return 0, 0, both
}

// reseal writes what the cell is to hold, in as few chunks as hold it. Where a cell is cut, the side to which the series grows gets the
// chunk that is not full; in the middle all get alike, so that each has room for more.
func (c *chunks) reseal(ctx context.Context, cell *cell, held domain.Series, m *merged) error {
	if !m.changed {
		return nil
	}

	bars, err := join(c.key, m.pieces)
	if err != nil {
		return err
	}

	n := bars.Len()
	count := (n + codec.MaxBars - 1) / codec.MaxBars
	cut := func(i int) int { return i * n / count }
	switch r, before := bars.Range(), held.Range(); {
	case !cell.row.next.Valid && r.End.After(before.End):
		cut = func(i int) int { return min(i*codec.MaxBars, n) }
	case r.Start.Before(before.Start):
		cut = func(i int) int { return max(0, n-(count-i)*codec.MaxBars) }
	}

	for i := range count {
		if err := c.put(ctx, cell.id, bars.Slice(cut(i), cut(i+1))); err != nil {
			return err
		}
		cell.id = 0 // the first takes the chunk's place, the others are new
	}
	if count == 0 && cell.id != 0 {
		return c.exec(ctx, deleteChunk, cell.id)
	}

	return nil
}

// put writes one chunk, in the place of the one with that id, or, where it is 0, a new one.
func (c *chunks) put(ctx context.Context, id int64, bars domain.Series) (err error) {
	if c.packed, err = codec.Append(c.packed[:0], bars); err != nil {
		return err
	}

	n := bars.Len()
	times := bars.Columns().OpenMicros
	if id != 0 {
		return c.exec(ctx, updateChunk, times[0], times[n-1], n, c.packed, id)
	}

	return c.exec(ctx, insertChunk, c.series, times[0], times[n-1], n, c.packed)
}

// join puts pieces in order of time together. One alone is not copied.
func join(key domain.SeriesKey, pieces []domain.Series) (domain.Series, error) {
	if len(pieces) == 1 {
		return pieces[0], nil
	}

	n := 0
	for _, p := range pieces {
		n += p.Len()
	}
	b := domain.NewSeriesBuilder(key, n)
	for _, p := range pieces {
		if err := b.AppendSeries(p); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}
