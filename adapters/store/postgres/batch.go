package postgres

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.BatchReader = (*Store)(nil)

const opReadBatch = "read batch"

// Limits of one statement of a batch. A batch is split because each statement has the whole StatementTimeout and uses
// one connection. A query that may return more than batchBars bars has a statement to itself.
const (
	batchQueries = 1000
	batchBars    = 1_000_000
)

// ReadBatch implements ports.BatchReader. The queries of one statement, and the states of their series, are of one
// snapshot.
func (s *Store) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	read := func(yield func(ports.BatchBars, int) error) error {
		if err := validateBatch(queries); err != nil || len(queries) == 0 {
			return err
		}

		found, err := s.relations(ctx)
		if err != nil {
			return err
		}

		for from := 0; from < len(queries); {
			part := queries[from : from+statementLen(queries[from:])]
			p := &batchPieces{queries: part, firstQuery: from, yield: yield}
			if err := p.read(ctx, s, found.isVersioned()); err != nil {
				return err
			}

			from += len(part)
		}

		return nil
	}

	return singleUse(ctx, s, opReadBatch, batchSubject(queries), read)
}

// batchPieces yields the pieces of the queries of one statement, and the state of each query before its bars.
type batchPieces struct {
	queries    []ports.BarQuery
	firstQuery int                   // index in the batch of queries[0]
	states     []*domain.SeriesState // by query; none where the tables keep no versions
	next       int                   // the first query whose state was not yielded
	yield      func(piece ports.BatchBars, bars int) error
}

// read reads the states and the bars in one snapshot.
func (p *batchPieces) read(ctx context.Context, s *Store, isVersioned bool) error {
	steps := []step{stepOf(beginSnapshot)}
	if isVersioned {
		states := make([]stateQuery, len(p.queries))
		for i, q := range p.queries {
			states[i] = barState(q)
		}
		steps = append(steps, step{manyStates(states...), p.readStates})
	}

	d := &batchDecoder{queries: p.queries}
	steps = append(steps, step{
		statement{sql: selectBatch, args: batchArgs(p.queries)},
		func(rows pgx.Rows) error { return decodePieces(rows, d, p.put) },
	}, stepOf(commit))
	err := s.readSnapshot(ctx, opReadBatch, func(db session) error { return db.pipeline(ctx, steps...) })
	if err == nil {
		err = p.yieldStates(len(p.states))
	}

	return err
}

func (p *batchPieces) readStates(rows pgx.Rows) (err error) {
	p.states, err = scanStates(rows, len(p.queries))
	return err
}

// put yields bars of a query, after the states of the queries before it.
func (p *batchPieces) put(piece ports.BatchBars, bars int) error {
	if err := p.yieldStates(min(piece.Query, len(p.states))); err != nil {
		return err
	}

	if p.next == piece.Query && p.next < len(p.states) {
		piece.State = p.states[p.next]
		p.next++
	}
	piece.Query += p.firstQuery

	return p.yield(piece, bars)
}

// yieldStates yields the states before a query that were not yielded, because their queries have no bars.
func (p *batchPieces) yieldStates(end int) error {
	for ; p.next < end; p.next++ {
		empty := domain.EmptySeries(p.queries[p.next].Key)
		piece := ports.BatchBars{Query: p.firstQuery + p.next, Bars: empty, State: p.states[p.next]}
		if err := p.yield(piece, 0); err != nil {
			return err
		}
	}

	return nil
}

// batchSubject names a batch in errors.
func batchSubject(queries []ports.BarQuery) string {
	switch len(queries) {
	case 0:
		return ""
	case 1:
		return queries[0].Key.String()
	}

	return fmt.Sprintf("%s and %d more", queries[0].Key, len(queries)-1)
}

func validateBatch(queries []ports.BarQuery) error {
	for i, q := range queries {
		if err := q.Key.Validate(); err != nil {
			return fmt.Errorf("query %d: %w", i, err)
		}
	}

	return nil
}

// statementLen returns how many of the queries fit the next statement: at least one.
func statementLen(queries []ports.BarQuery) int {
	bars := int64(0)
	for i, q := range queries {
		bars += q.MaxBars()
		if i == batchQueries || i > 0 && bars > batchBars {
			return i
		}
	}

	return len(queries)
}

// batchArgs returns the arguments of selectBatch.
func batchArgs(queries []ports.BarQuery) []any {
	n := len(queries)
	symbols, priceTypes, grids := make([]string, n), make([]string, n), make([]string, n)
	starts, ends := make([]time.Time, n), make([]time.Time, n)
	firsts, lasts := make([]int64, n), make([]int64, n)
	for i, q := range queries {
		symbols[i], priceTypes[i], grids[i] = string(q.Key.Symbol), q.Key.PriceType.String(), q.Key.Grid.String()
		starts[i], ends[i] = q.Range.Start, q.Range.End
		firsts[i], lasts[i] = int64(q.First), int64(q.Last)
	}

	return []any{symbols, priceTypes, grids, starts, ends, firsts, lasts}
}

// batchDecoder decodes bars, each followed by the number of its query within the statement, from 1. A piece has bars of
// one query.
type batchDecoder struct {
	queries []ports.BarQuery // of the statement
	number  int64            // of the current query; 0 before the first row
	bars    barDecoder       // of the current query
}

var batchTypes = slices.Concat(barTypes[:], []uint32{pgtype.Int8OID})

// errBatchOrder reports rows that contradict the ORDER BY of selectBatch.
var errBatchOrder error = malformedError("rows of a batch are not in the order of its queries")

func (d *batchDecoder) columns() []uint32 { return batchTypes }

func (d *batchDecoder) len() int { return d.bars.len() }

func (d *batchDecoder) add(row [][]byte) error {
	bar, count := row[:len(barTypes)], row[len(barTypes)]
	number, err := decodeInt64(count)
	switch {
	case err != nil:
		return err
	case number < d.number || number < 1 || number > int64(len(d.queries)):
		return errBatchOrder
	case number > d.number && d.len() > 0:
		return errPieceEnds
	case number > d.number:
		q := d.queries[number-1]
		d.number, d.bars = number, barDecoder{
			key: q.Key, isStored: true, capacity: int(min(pieceBars, q.MaxBars())),
		}
	}

	return d.bars.add(bar)
}

func (d *batchDecoder) take() (ports.BatchBars, error) {
	bars, err := d.bars.take()
	return ports.BatchBars{Query: int(d.number) - 1, Bars: bars}, err
}
