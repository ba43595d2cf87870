package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.StateReader = (*Store)(nil)

// stateQuery selects the state of a series for a read of its rows.
type stateQuery struct {
	series      []string // symbol, kind and grid
	layout      domain.BlockLayout
	within      domain.Range // of the read
	first, last int          // of the read
	other       ports.StateQuery
}

func barState(q ports.BarQuery) stateQuery {
	return stateQuery{barSeries(q.Key), domain.BarBlocks(q.Key.Grid), q.Range, q.First, q.Last, q.State}
}

// statement returns the statement on the state.
func (q *stateQuery) statement() statement {
	b := q.blocks()
	args := []any{
		q.series[0], q.series[1], q.series[2], q.other.Known.Revision, int64(q.other.Known.Nonce),
		b.from, b.to, b.maxRows, b.otherFrom, b.otherTo, b.otherRows,
	}
	switch {
	case q.first > 0:
		return statement{sql: selectFirstState, args: args}
	case q.last > 0:
		return statement{sql: selectLastState, args: args}
	}

	return statement{sql: selectState, args: args}
}

// stateBlocks are the blocks to select: those of a read, of at most maxRows rows, and those to select where the caller
// does not know the version. A nil number of rows is no limit.
type stateBlocks struct {
	from, to           int64
	maxRows            *int64
	otherFrom, otherTo int64
	otherRows          *int64
}

func (q *stateQuery) blocks() (b stateBlocks) {
	b.from, b.to = q.layout.Span(q.within)
	if limit := int64(max(q.first, q.last)); limit > 0 {
		b.maxRows = &limit
	}

	b.otherFrom, b.otherTo, b.otherRows = b.from, b.to, b.maxRows
	if !q.other.Range.Empty() {
		b.otherFrom, b.otherTo = q.layout.Span(q.within.Hull(q.other.Range))
		b.otherRows = nil
	}

	return b
}

// manyStateArgs returns the arguments for the states of many series.
func manyStateArgs(queries []stateQuery) []any {
	n := len(queries)
	var symbols, kinds, grids = make([]string, n), make([]string, n), make([]string, n)
	var revisions, nonces, froms, tos, otherFroms, otherTos []int64
	var maxRows, otherRows []*int64
	var isLast []bool
	for i, q := range queries {
		b := q.blocks()
		symbols[i], kinds[i], grids[i] = q.series[0], q.series[1], q.series[2]
		revisions = append(revisions, q.other.Known.Revision)
		nonces = append(nonces, int64(q.other.Known.Nonce))
		froms, tos, maxRows = append(froms, b.from), append(tos, b.to), append(maxRows, b.maxRows)
		otherFroms, otherTos = append(otherFroms, b.otherFrom), append(otherTos, b.otherTo)
		otherRows = append(otherRows, b.otherRows)
		isLast = append(isLast, q.last > 0)
	}

	return []any{
		symbols, kinds, grids, revisions, nonces, froms, tos, maxRows, otherFroms, otherTos, otherRows, isLast,
	}
}

// ReadStates implements ports.StateReader. The states of batchQueries series are of one snapshot. Views in place of the
// tables are ErrSchema, because they have no states: see KeepsVersions.
func (s *Store) ReadStates(ctx context.Context, queries []ports.SeriesQuery) ([]*domain.SeriesState, error) {
	const op = "read states"
	selected := make([]stateQuery, len(queries))
	for i, q := range queries {
		if err := q.Key.Validate(); err != nil {
			return nil, translate(ctx, op, q.Key.String(), err)
		}
		selected[i] = stateQuery{
			series: barSeries(q.Key), layout: domain.BarBlocks(q.Key.Grid), within: q.State.Range, other: q.State,
		}
	}

	states := make([]*domain.SeriesState, 0, len(queries))
	for from := 0; from < len(queries); from += batchQueries {
		part := selected[from:min(from+batchQueries, len(queries))]
		read, err := s.readStates(ctx, part)
		if err != nil {
			return nil, translate(ctx, op, "", err)
		}

		for i, state := range read {
			if known := part[i].other.Known; state.Version == known && known != (domain.Version{}) {
				state = nil
			}
			states = append(states, state)
		}
	}

	return states, translate(ctx, op, "", ctx.Err())
}

// readStates reads the states of many series in one statement; those with a known version come without their parts.
func (s *Store) readStates(ctx context.Context, queries []stateQuery) ([]*domain.SeriesState, error) {
	if err := s.requireVersions(ctx); err != nil {
		return nil, err
	}

	var states []*domain.SeriesState
	err := s.query(ctx, selectStates, manyStateArgs(queries), func(rows pgx.Rows) (err error) {
		states, err = scanStates(rows, len(queries))
		return err
	})

	return states, err
}

// emptyStates returns the states of n series that nobody ever wrote.
func emptyStates(n int) []*domain.SeriesState {
	states := make([]*domain.SeriesState, n)
	for i := range states {
		states[i] = &domain.SeriesState{}
	}

	return states
}

// scanStates reads the states of n queries. A query without a row has the state of a series that nobody ever wrote.
func scanStates(rows pgx.Rows, n int) ([]*domain.SeriesState, error) {
	states := emptyStates(n)
	for rows.Next() {
		var r stateRow
		if err := rows.Scan(
			&r.query, &r.revision, &r.nonce, &r.starts, &r.ends, &r.numbers, &r.rows, &r.revisions, &r.nonces, &r.tail,
		); err != nil {
			return nil, err
		}
		if r.query < 1 || r.query > int64(n) {
			return nil, errBatchOrder
		}

		states[r.query-1] = r.state()
	}

	return states, rows.Err()
}

// stateRow is a row of a statement of stateSQL. An array without an element is NULL.
type stateRow struct {
	query                      int64 // from 1
	revision, nonce            int64
	starts, ends               []time.Time // of the coverage
	numbers, revisions, nonces []int64     // of the blocks
	rows                       []int32     // of the blocks
	tail                       []int64     // of the last block
}

func (r *stateRow) state() *domain.SeriesState {
	s := &domain.SeriesState{Version: domain.Version{Revision: r.revision, Nonce: uint64(r.nonce)}}
	for i, start := range r.starts {
		s.Coverage = append(s.Coverage, domain.Range{Start: start.UTC(), End: r.ends[i].UTC()})
	}

	if len(r.numbers) > 0 {
		s.Blocks = make([]domain.BlockState, len(r.numbers))
	}
	for i, number := range r.numbers {
		version := domain.Version{Revision: r.revisions[i], Nonce: uint64(r.nonces[i])}
		s.Blocks[i] = domain.BlockState{Index: number, Rows: int(r.rows[i]), Version: version}
	}

	for _, nonce := range r.tail {
		s.Tail = append(s.Tail, uint64(nonce))
	}

	return s
}
