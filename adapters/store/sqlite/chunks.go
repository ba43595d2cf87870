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

// chunkWriter modifies the chunks of one series in one transaction, and counts the changes.
//
// The chunks of a series divide all time into slots. The slot of a chunk extends from its first bar to the first bar of
// the next chunk; the slot of the first chunk also includes all time before it. A bar is written to the chunk of its
// slot, which is decoded, changed and packed again; no other chunk is touched. A chunk that grows beyond codec.MaxBars
// is divided. Appending bars one by one therefore fills the last chunk before a new one begins, and results in the same
// chunks as a bulk load.
type chunkWriter struct {
	statements preparedStatements
	series     int64
	key        domain.SeriesKey
	onConflict ports.ConflictPolicy
	conflicts  ports.ConflictError
	report     ports.WriteReport
	blocks     blockChanges
	packed     []byte // scratch for a chunk
}

func newChunkWriter(
	tx *sql.Tx, series int64, key domain.SeriesKey, onConflict ports.ConflictPolicy,
) *chunkWriter {
	return &chunkWriter{
		statements: preparedStatements{tx: tx}, series: series, key: key, onConflict: onConflict,
		blocks: newBlockChanges(domain.BarBlocks(key.Grid)),
	}
}

func (w *chunkWriter) close() { w.statements.close() }

// chunkSlot is a slot and its chunk.
type chunkSlot struct {
	id  int64 // 0 if the series has no chunks
	row chunkRow
}

// end returns the start of the next slot.
func (s *chunkSlot) end() domain.Micros {
	if s.row.next.Valid {
		return s.row.next.V
	}
	return math.MaxInt64
}

// write inserts the bars.
func (w *chunkWriter) write(ctx context.Context, bars domain.Series) error {
	for bars.Len() > 0 {
		times := bars.Columns().OpenMicros
		slot, err := w.findSlot(ctx, domain.Micros(times[0]))
		if err != nil {
			return err
		}

		stored, err := slot.bars(w.key)
		if err != nil {
			return fmt.Errorf("%w; to repair it, replace the bars from %s to %s",
				err, slot.row.first.V.Time(), slot.row.last.V.Time())
		}

		n := slot.countBars(times)
		m := w.merge(stored, bars.Slice(0, n), true)
		if w.conflicts.Rows == 0 {
			err = w.rewrite(ctx, &slot, stored, m)
		}
		if err != nil {
			return err
		}

		bars = bars.Slice(n, bars.Len())
	}
	if w.conflicts.Rows > 0 {
		return &w.conflicts
	}

	return nil
}

// replace replaces all bars in r by the given ones. It drops a chunk that cannot be read if all its bars are in r, and
// does not count its bars.
func (w *chunkWriter) replace(ctx context.Context, bars domain.Series, r domain.Range) error {
	start, end := r.Micros()
	for at := start; at < end; {
		slot, err := w.findSlot(ctx, at)
		if err != nil {
			return err
		}

		stored, err := slot.bars(w.key)
		repaired := err != nil && start <= slot.row.first.V && slot.row.last.V < end
		if err != nil && !repaired {
			return err
		}

		n := slot.countBars(bars.Columns().OpenMicros)
		inRange := stored.Clip(r)
		m := w.merge(inRange, bars.Slice(0, n), false)
		if inRange.Len() < stored.Len() {
			times := stored.Columns().OpenMicros
			from := sort.Search(len(times), func(i int) bool { return times[i] >= int64(start) })
			before, after := stored.Slice(0, from), stored.Slice(from+inRange.Len(), stored.Len())
			m.parts = append([]domain.Series{before}, append(m.parts, after)...)
		}

		if repaired {
			m.isChanged = true
			w.blocks.lose(slot.row.first.V, slot.row.last.V)
		}
		if err := w.rewrite(ctx, &slot, stored, m); err != nil {
			return err
		}

		bars = bars.Slice(n, bars.Len())
		at = slot.end()
	}

	return nil
}

// findSlot returns the slot of an open time.
func (w *chunkWriter) findSlot(ctx context.Context, openTime domain.Micros) (chunkSlot, error) {
	stmt, err := w.statements.prepare(ctx, selectSlot) //nolint:sqlclosecheck // w.close closes it
	if err != nil {
		return chunkSlot{}, err
	}

	var slot chunkSlot
	err = stmt.QueryRowContext(ctx, w.series, openTime).Scan(append(slot.row.targets(), &slot.id)...)
	if errors.Is(err, sql.ErrNoRows) {
		return slot, nil
	}

	return slot, err
}

// bars decodes the chunk of the slot.
func (s *chunkSlot) bars(key domain.SeriesKey) (domain.Series, error) {
	if s.id == 0 {
		return domain.EmptySeries(key), nil
	}

	chunk, err := s.row.open(key)
	if err != nil {
		return domain.EmptySeries(key), err
	}

	bars, err := decodeChunk(chunk, key)
	if err != nil {
		return domain.EmptySeries(key), err
	}

	return bars, nil
}

// countBars returns the number of the ascending open times that are before the end of the slot.
func (s *chunkSlot) countBars(times []int64) int {
	end := s.end()
	return sort.Search(len(times), func(i int) bool { return times[i] >= int64(end) })
}

// mergedBars is the new bars of a slot.
type mergedBars struct {
	parts     []domain.Series // in order of time; parts may be empty
	isChanged bool            // the bars differ from the stored ones
}

// merge merges the bars into the stored ones and counts the changes. Stored bars with other open times are kept if
// keepOthers is true, or else deleted.
func (w *chunkWriter) merge(stored, bars domain.Series, keepOthers bool) mergedBars {
	var m mergedBars
	reportBefore := w.report
	for stored.Len() > 0 || bars.Len() > 0 {
		onlyOld, onlyNew, both := nextRun(stored.Columns().OpenMicros, bars.Columns().OpenMicros)
		switch {
		case onlyOld > 0:
			if keepOthers {
				m.parts = append(m.parts, stored.Slice(0, onlyOld))
			} else {
				w.report.Deleted += onlyOld
				w.blocks.add(stored.Columns().OpenMicros[:onlyOld], -1)
			}
		case onlyNew > 0:
			w.report.Inserted += onlyNew
			w.blocks.add(bars.Columns().OpenMicros[:onlyNew], 1)
			m.parts = append(m.parts, bars.Slice(0, onlyNew))
		default:
			different := timesOfDifferences(stored.Slice(0, both), bars.Slice(0, both))
			w.report.Unchanged += both - len(different)
			if w.overwrites(different) {
				m.parts = append(m.parts, bars.Slice(0, both))
			} else {
				m.parts = append(m.parts, stored.Slice(0, both))
			}
		}

		stored = stored.Slice(onlyOld+both, stored.Len())
		bars = bars.Slice(onlyNew+both, bars.Len())
	}

	reportBefore.Unchanged, reportBefore.Kept = w.report.Unchanged, w.report.Kept
	m.isChanged = w.report != reportBefore

	return m
}

// overwrites counts stored bars with other values, and reports whether the written ones take their place.
func (w *chunkWriter) overwrites(times []int64) bool {
	switch {
	case w.onConflict == ports.ConflictReplace:
		w.report.Changed += len(times)
		w.blocks.add(times, 0)
		return true
	case w.onConflict == ports.ConflictKeep:
		w.report.Kept += len(times)
	case len(times) > 0:
		w.conflicts.Add(domain.Micros(times[0]).Time(), len(times))
	}

	return false
}

// nextRun compares two ascending lists of times, at least one of which is not empty. It returns the number of first
// times that are only in a, only in b, or in both; exactly one of the numbers is not 0.
func nextRun(a, b []int64) (onlyA, onlyB, both int) {
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

// rewrite writes the new bars of the slot, in as few chunks as possible. If the bars need several chunks, the chunk at
// the end at which the series grows is the one that is not full. In the middle of the series all get the same number of
// bars, so that each can grow.
func (w *chunkWriter) rewrite(ctx context.Context, slot *chunkSlot, stored domain.Series, m mergedBars) error {
	if !m.isChanged {
		return nil
	}

	bars, err := joinParts(w.key, m.parts)
	if err != nil {
		return err
	}

	n := bars.Len()
	count := (n + codec.MaxBars - 1) / codec.MaxBars
	boundary := func(i int) int { return i * n / count }
	switch now, before := bars.Range(), stored.Range(); {
	case !slot.row.next.Valid && now.End.After(before.End):
		boundary = func(i int) int { return min(i*codec.MaxBars, n) }
	case now.Start.Before(before.Start):
		boundary = func(i int) int { return max(0, n-(count-i)*codec.MaxBars) }
	}

	for i := range count {
		if err := w.putChunk(ctx, slot.id, bars.Slice(boundary(i), boundary(i+1))); err != nil {
			return err
		}
		slot.id = 0 // the first chunk replaces the stored one, the others are inserted
	}
	if count == 0 && slot.id != 0 {
		return w.statements.exec(ctx, deleteChunk, slot.id)
	}

	return nil
}

// putChunk replaces the chunk with the id, or inserts one if the id is 0.
func (w *chunkWriter) putChunk(ctx context.Context, id int64, bars domain.Series) (err error) {
	if w.packed, err = codec.Append(w.packed[:0], bars); err != nil {
		return err
	}

	n := bars.Len()
	times := bars.Columns().OpenMicros
	if id != 0 {
		return w.statements.exec(ctx, updateChunk, times[0], times[n-1], n, w.packed, id)
	}

	return w.statements.exec(ctx, insertChunk, w.series, times[0], times[n-1], n, w.packed)
}

// joinParts joins parts in order of time. It does not copy a single part.
func joinParts(key domain.SeriesKey, parts []domain.Series) (domain.Series, error) {
	if len(parts) == 1 {
		return parts[0], nil
	}

	n := 0
	for _, p := range parts {
		n += p.Len()
	}
	b := domain.NewSeriesBuilder(key, n)
	for _, p := range parts {
		if err := b.AppendSeries(p); err != nil {
			return domain.Series{}, err
		}
	}

	return b.Series()
}

// saveVersion gives the series its next version if a bar or the coverage changed.
func (w *chunkWriter) saveVersion(ctx context.Context, coverageChanged bool) error {
	return w.blocks.saveVersion(ctx, w.statements.tx, w.series, coverageChanged, w.countBars)
}

// countBars returns the number of readable bars from start to end.
func (w *chunkWriter) countBars(ctx context.Context, start, end domain.Micros) (int, error) {
	tx := w.statements.tx
	rows, err := queryAll(ctx, tx, (*chunkRow).targets, selectChunks, w.series, int64(start), int64(end))
	if err != nil {
		return 0, err
	}

	n := 0
	for _, row := range rows {
		if c, err := row.open(w.key); err == nil {
			n += c.Clip(domain.Range{Start: start.Time(), End: end.Time()}).Len()
		}
	}

	return n, nil
}
