package postgres

import (
	"cmp"
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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
	if !q.other.Range.Empty() {
		return manyStates(*q)
	}

	from, to := q.layout.Span(q.within)
	args := []any{q.series[0], q.series[1], q.series[2], from, to, q.maxRows()}
	switch {
	case q.first > 0:
		return statement{sql: selectFirstState, args: args}
	case q.last > 0:
		return statement{sql: selectLastState, args: args}
	}

	return statement{sql: selectState, args: args}
}

// maxRows returns how many rows the read returns at most, nil without a limit.
func (q *stateQuery) maxRows() *int64 {
	if limit := int64(max(q.first, q.last)); limit > 0 {
		return &limit
	}
	return nil
}

// manyStates returns the statement on the states of many series.
func manyStates(queries ...stateQuery) statement {
	return statement{sql: selectManyStates, args: manyStateArgs(queries)}
}

// manyStateArgs returns the arguments for the states of many series, one array for each column.
func manyStateArgs(queries []stateQuery) []any {
	var symbols, kinds, grids []string
	var froms, tos, revisions, nonces, otherFroms, otherTos []int64
	var maxRows, otherRows []*int64
	var isLast []bool
	for _, q := range queries {
		symbols, kinds, grids = append(symbols, q.series[0]), append(kinds, q.series[1]), append(grids, q.series[2])
		from, to := q.layout.Span(q.within)
		froms, tos, maxRows = append(froms, from), append(tos, to), append(maxRows, q.maxRows())

		known, rows := q.other.Known, q.maxRows()
		if !q.other.Range.Empty() {
			from, to = q.layout.Span(q.within.Hull(q.other.Range))
			rows = nil
		}
		revisions, nonces = append(revisions, known.Revision), append(nonces, int64(known.Nonce))
		otherFroms, otherTos, otherRows = append(otherFroms, from), append(otherTos, to), append(otherRows, rows)
		isLast = append(isLast, q.last > 0)
	}

	return []any{
		symbols, kinds, grids, froms, tos, maxRows, revisions, nonces, otherFroms, otherTos, otherRows, isLast,
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
		read, err := s.readStates(ctx, op, part)
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
func (s *Store) readStates(ctx context.Context, op string, queries []stateQuery) ([]*domain.SeriesState, error) {
	if err := s.requireVersions(ctx); err != nil {
		return nil, err
	}

	var states []*domain.SeriesState
	q := statement{sql: selectChangedStates, args: manyStateArgs(queries)}
	err := s.query(ctx, op, q, func(rows pgx.Rows) (err error) {
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

// stateTypes are the types of the columns of a statement on states: the number of the query, from 1; revision and nonce
// of the series; its coverage, as pairs; its blocks, as quadruples of number, rows, revision and nonce; and the tail of
// the last one. An array without an element is NULL.
var stateTypes = [...]uint32{
	pgtype.Int8OID, pgtype.Int8OID, pgtype.Int8OID,
	pgtype.TimestamptzArrayOID, pgtype.Int8ArrayOID, pgtype.Int8ArrayOID,
}

// scanStates reads the states of n queries. A query without a row has the state of a series that nobody ever wrote.
func scanStates(rows pgx.Rows, n int) ([]*domain.SeriesState, error) {
	states := emptyStates(n)
	for rows.Next() {
		if err := checkColumns(rows.FieldDescriptions(), stateTypes[:]...); err != nil {
			return nil, err
		}

		row, err := rawValues(rows)
		if err != nil {
			return nil, err
		}

		query, err := decodeInt64(row[0])
		if err == nil && (query < 1 || query > int64(n)) {
			err = errBatchOrder
		}
		if err == nil {
			err = decodeState(row[1:], states[query-1])
		}
		if err != nil {
			return nil, err
		}
	}

	return states, rows.Err()
}

// decodeState decodes the columns from the revision on.
func decodeState(row [][]byte, state *domain.SeriesState) error {
	revision, err1 := decodeInt64(row[0])
	nonce, err2 := decodeInt64(row[1])
	ranges, err3 := decodeInt64s(row[2])
	blocks, err4 := decodeInt64s(row[3])
	tail, err5 := decodeInt64s(row[4])
	if err := cmp.Or(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	if len(ranges)%2 != 0 || len(blocks)%4 != 0 {
		return errArray
	}

	state.Version = domain.Version{Revision: revision, Nonce: uint64(nonce)}
	for pair := range slices.Chunk(ranges, 2) {
		start, end := domain.Micros(pair[0]+epochMicros), domain.Micros(pair[1]+epochMicros)
		state.Coverage = append(state.Coverage, domain.Range{Start: start.Time(), End: end.Time()})
	}
	for b := range slices.Chunk(blocks, 4) {
		version := domain.Version{Revision: b[2], Nonce: uint64(b[3])}
		state.Blocks = append(state.Blocks, domain.BlockState{Index: b[0], Rows: int(b[1]), Version: version})
	}
	for _, nonce := range tail {
		state.Tail = append(state.Tail, uint64(nonce))
	}

	return nil
}
