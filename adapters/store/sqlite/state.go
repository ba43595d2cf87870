package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// snapshot is a transaction that reads one state of the file.
type snapshot struct{ *sql.Tx }

// readSnapshot runs read on one state of the file.
func (s *Store) readSnapshot(ctx context.Context, read func(snapshot) error) error {
	tx, err := s.reader.BeginTx(ctx, nil)
	if err != nil {
		return withPhase(ports.PhaseAcquire, err)
	}

	defer func() { _ = tx.Rollback() }() // it wrote nothing

	return read(snapshot{tx})
}

// statePieces yields the pieces of a read with the state before them.
type statePieces[D ports.Rows] struct {
	state *domain.SeriesState // nil once it was yielded
	empty D                   // what the state comes with where there are no rows
	yield func(ports.Piece[D]) bool
}

// read yields the rows that readRows passes to put, and the state of the series, from one snapshot.
func (p *statePieces[D]) read(ctx context.Context, s *Store, q stateQuery, readRows func(snapshot) error) error {
	return s.readSnapshot(ctx, func(tx snapshot) (err error) {
		if p.state, err = s.readState(ctx, tx, q); err != nil {
			return err
		}
		if err := readRows(tx); err != nil {
			return err
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

// stateQuery selects the state of a series.
type stateQuery struct {
	series seriesRow
	layout domain.BlockLayout
	within domain.Range // that is read
	ports.StateQuery
}

// readState returns the state of a series; that of one without a row is empty.
func (s *Store) readState(ctx context.Context, tx snapshot, q stateQuery) (*domain.SeriesState, error) {
	state := &domain.SeriesState{}
	var id, nonce int64
	stmt := tx.StmtContext(ctx, s.seriesStmt) //nolint:sqlclosecheck // the end of the transaction closes it
	row := stmt.QueryRowContext(ctx, q.series.Symbol, q.series.Grid, q.series.Kind)
	err := row.Scan(&id, &state.Version.Revision, &nonce)
	if errors.Is(err, sql.ErrNoRows) {
		return state, nil
	}
	if err != nil {
		return nil, withPhase(ports.PhaseQuery, err)
	}

	state.Version.Nonce = uint64(nonce)
	if state.Version == q.Known {
		return state, nil
	}

	from, to := q.layout.Span(spanOf(q.within, q.Range))
	rows, err := tx.StmtContext(ctx, s.stateStmt).QueryContext(ctx, id, from, to) //nolint:sqlclosecheck // as above
	if err != nil {
		return nil, withPhase(ports.PhaseQuery, err)
	}

	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	for rows.Next() {
		var row stateRow
		if err := rows.Scan(&row.a, &row.b, &row.revision, &row.nonce); err != nil {
			return nil, withPhase(ports.PhaseRead, err)
		}
		row.addTo(state)
	}
	if err := rows.Err(); err != nil {
		return nil, withPhase(ports.PhaseRead, err)
	}

	return state, nil
}

// stateRow is a row of selectState: a covered range, or a block where it has a version.
type stateRow struct {
	a, b            int64
	revision, nonce sql.Null[int64]
}

func (r stateRow) addTo(state *domain.SeriesState) {
	if !r.revision.Valid {
		covered := domain.Range{Start: domain.Micros(r.a).Time(), End: domain.Micros(r.b).Time()}
		state.Coverage = append(state.Coverage, covered)
		return
	}

	state.Blocks = append(state.Blocks, domain.BlockState{
		Index: r.a, Rows: int(r.b), Version: domain.Version{Revision: r.revision.V, Nonce: uint64(r.nonce.V)},
	})
}

// spanOf returns the range from the first to the last instant of both.
func spanOf(a, b domain.Range) domain.Range {
	switch {
	case a.Empty():
		return b
	case b.Empty():
		return a
	}

	if b.Start.Before(a.Start) {
		a.Start = b.Start
	}
	if b.End.After(a.End) {
		a.End = b.End
	}

	return a
}

// blockChanges are the blocks in which a write changed a row.
type blockChanges struct {
	layout domain.BlockLayout
	added  map[int64]int      // by block: rows inserted less rows deleted
	lost   map[int64]struct{} // blocks that lost rows of an unreadable chunk, which must be counted
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
		c.lost[i] = struct{}{}
		c.added[i] += 0 // the block changed
	}
}

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
