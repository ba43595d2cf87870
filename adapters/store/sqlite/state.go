package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sort"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// snapshot is a transaction that reads one state of the file.
type snapshot struct{ *sql.Tx }

// storedSeries is a series in a snapshot.
type storedSeries struct {
	snapshot

	id int64
}

// readSnapshot runs read on one state of the file.
func (s *Store) readSnapshot(ctx context.Context, read func(snapshot) error) error {
	tx, err := s.reader.BeginTx(ctx, nil)
	if err != nil {
		return withPhase(ports.PhaseAcquire, err)
	}

	defer func() { _ = tx.Rollback() }() // it wrote nothing

	err = read(snapshot{tx})
	if changed := s.frozen.check(); changed != nil {
		return changed
	}

	return err
}

// statePieces yields the pieces of a read with the state before them.
type statePieces[D ports.Rows] struct {
	state *domain.SeriesState // nil once it was yielded
	empty D                   // comes with the state where there are no rows
	yield func(ports.Piece[D]) bool
}

// read yields the rows that readRows passes to put, and the state of the series, from one snapshot. readRows is not
// called for a series that was never written.
func (p *statePieces[D]) read(ctx context.Context, s *Store, q stateQuery, readRows func(storedSeries) error) error {
	return s.readSnapshot(ctx, func(tx snapshot) error {
		id, state, err := s.readState(ctx, tx, q)
		if err != nil {
			return err
		}

		p.state = state
		if id != 0 {
			if err := readRows(storedSeries{tx, id}); err != nil {
				return err
			}
		}

		if p.state != nil {
			p.put(p.empty)
		}

		return ctx.Err() // the caller may have canceled the context while it used the last piece
	})
}

// put yields rows. It reports whether to go on.
func (p *statePieces[D]) put(rows D) bool {
	piece := ports.Piece[D]{Rows: rows, State: p.state}
	p.state = nil
	return p.yield(piece)
}

// stateQuery selects the state of a series for a read.
type stateQuery struct {
	series      seriesRow
	layout      domain.BlockLayout
	within      domain.Range // of the read
	first, last int          // of the read
	other       ports.StateQuery
}

// readState returns the id and the state of a series; those of one without a row are 0 and empty.
func (s *Store) readState(ctx context.Context, tx snapshot, q stateQuery) (int64, *domain.SeriesState, error) {
	state := &domain.SeriesState{}
	id, err := s.readCoverage(ctx, tx, q.series, state)
	if err != nil || id == 0 {
		return 0, state, err
	}

	part := q
	if state.Version != q.other.Known && !q.other.Range.Empty() {
		part.within, part.first, part.last = q.within.Hull(q.other.Range), 0, 0
	}

	return id, state, s.readBlocks(ctx, tx, id, part, state)
}

// readCoverage adds version and coverage to the state, and returns the id of the series; 0 if there is none.
func (s *Store) readCoverage(ctx context.Context, tx snapshot, r seriesRow, state *domain.SeriesState) (int64, error) {
	stmt := tx.StmtContext(ctx, s.coverageStmt) //nolint:sqlclosecheck // the end of the transaction closes it
	rows, err := stmt.QueryContext(ctx, r.Symbol, r.Grid, r.Kind)
	if err != nil {
		return 0, withPhase(ports.PhaseQuery, err)
	}

	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	var id, nonce int64
	for rows.Next() {
		var start, end sql.Null[int64] // NULL without coverage
		if err := rows.Scan(&id, &state.Version.Revision, &nonce, &start, &end); err != nil {
			return 0, withPhase(ports.PhaseRead, err)
		}
		if start.Valid {
			state.Coverage = append(state.Coverage, extentRow{domain.Micros(start.V), domain.Micros(end.V)}.timeRange())
		}
	}
	if err := rows.Err(); err != nil {
		return 0, withPhase(ports.PhaseRead, err)
	}

	state.Version.Nonce = uint64(nonce)

	return id, nil
}

// readBlocks adds the blocks of the read to the state. With first or last it ends once the blocks have as many rows,
// of which those in a block that the range cuts do not count.
func (s *Store) readBlocks(ctx context.Context, tx snapshot, id int64, q stateQuery, state *domain.SeriesState) error {
	stmt := s.blocksStmt
	if q.last > 0 {
		stmt = s.lastBlocksStmt
	}
	from, to := q.layout.Span(q.within)
	rows, err := tx.StmtContext(ctx, stmt).QueryContext(ctx, id, from, to) //nolint:sqlclosecheck // as above
	if err != nil {
		return withPhase(ports.PhaseQuery, err)
	}

	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	left := q.first + q.last
	for rows.Next() {
		var b domain.BlockState
		var nonce int64
		if err := rows.Scan(&b.Index, &b.Rows, &b.Version.Revision, &nonce); err != nil {
			return withPhase(ports.PhaseRead, err)
		}

		b.Version.Nonce = uint64(nonce)
		state.Blocks = append(state.Blocks, b)
		if isCut := b.Index == from || b.Index == to-1; left > 0 && !isCut {
			if left -= b.Rows; left <= 0 {
				break
			}
		}
	}
	if err := rows.Err(); err != nil {
		return withPhase(ports.PhaseRead, err)
	}
	if q.last > 0 {
		slices.Reverse(state.Blocks)
	}

	return nil
}

// blockChanges are the blocks in which a write changed a row.
type blockChanges struct {
	layout domain.BlockLayout
	added  map[int64]int      // by block: rows inserted less rows deleted
	lost   map[int64]struct{} // blocks whose rows must be counted, because nobody knows which are gone
}

func newBlockChanges(layout domain.BlockLayout) blockChanges {
	return blockChanges{layout: layout, added: map[int64]int{}}
}

// add records that one row of every time was inserted (1), deleted (-1) or given other values (0). times ascend.
func (c *blockChanges) add(times []int64, rows int) {
	for len(times) > 0 {
		i := c.layout.Index(domain.Micros(times[0]))
		n := sort.Search(len(times), func(k int) bool { return c.layout.Index(domain.Micros(times[k])) > i })
		c.added[i] += n * rows
		times = times[n:]
	}
}

// lose records that rows from first to last were deleted, and nobody knows which.
func (c *blockChanges) lose(first, last domain.Micros) {
	if c.lost == nil {
		c.lost = map[int64]struct{}{}
	}
	for i := c.layout.Index(first); i <= c.layout.Index(last); i++ {
		start, _ := c.layout.Bounds(i)
		c.lost[i] = struct{}{}
		c.add([]int64{int64(start)}, 0)
	}
}

// findMiscounted records the stored blocks of r, counted whole, that have other numbers of rows than the changes say:
// the rows of some were deleted by another program.
func (c *blockChanges) findMiscounted(
	ctx context.Context, tx *sql.Tx, series int64, r domain.Range,
	countRows func(ctx context.Context, start, end domain.Micros) (int, error),
) error {
	from, to := c.layout.Span(r)
	blocks, err := queryAll(ctx, tx, (*blockRow).targets, selectBlocks, series, from, to)
	if err != nil {
		return err
	}

	for _, b := range blocks {
		start, end := c.layout.Bounds(b.index)
		if !r.Covers(domain.Range{Start: start.Time(), End: end.Time()}) {
			continue
		}

		n, err := countRows(ctx, start, end)
		if err != nil {
			return fmt.Errorf("count block %d: %w", b.index, err)
		}
		if n != b.rows+c.added[b.index] {
			c.lose(start, start)
		}
	}

	return nil
}

// blockRow is a row of selectBlocks.
type blockRow struct {
	index           int64
	rows            int
	revision, nonce int64
}

func (r *blockRow) targets() []any { return []any{&r.index, &r.rows, &r.revision, &r.nonce} }

// saveVersion gives the series its next version if a row or the coverage changed, and the changed blocks with it.
// countRows returns how many rows a block has.
func (c *blockChanges) saveVersion(
	ctx context.Context, tx *sql.Tx, series int64, coverageChanged bool,
	countRows func(ctx context.Context, start, end domain.Micros) (int, error),
) error {
	if len(c.added) == 0 && !coverageChanged {
		return nil
	}

	version := domain.Version{}.Next()
	nonce := int64(version.Nonce)
	if err := tx.QueryRowContext(ctx, updateVersion, series, nonce).Scan(&version.Revision); err != nil {
		return err
	}

	for i, rows := range c.added {
		if _, isLost := c.lost[i]; isLost {
			start, end := c.layout.Bounds(i)
			n, err := countRows(ctx, start, end)
			if err != nil {
				return fmt.Errorf("count block %d: %w", i, err)
			}
			if _, err := tx.ExecContext(ctx, deleteBlock, series, i); err != nil {
				return err
			}
			rows = n
		}
		if _, err := tx.ExecContext(ctx, upsertBlock, series, i, rows, version.Revision, nonce); err != nil {
			return err
		}
	}
	if len(c.added) == 0 {
		return nil
	}

	_, err := tx.ExecContext(ctx, deleteEmptyBlocks, series)

	return err
}
