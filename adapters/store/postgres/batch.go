package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gal-friday/marketdata/ports"
)

var _ ports.BatchReader = (*Store)(nil)

// Limits of one statement of a batch. A batch is split because each statement has the whole StatementTimeout and uses
// one connection. A query that may return more than batchBars bars has a statement to itself.
const (
	batchQueries = 1000
	batchBars    = 1_000_000
)

// ReadBatch implements ports.BatchReader. The queries of one statement see the tables at one instant.
func (s *Store) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	read := func(yield func(ports.BatchBars, int) error) error {
		if err := validateBatch(queries); err != nil {
			return err
		}

		for from := 0; from < len(queries); {
			part := queries[from : from+statementLen(queries[from:])]
			d := &batchDecoder{queries: part, firstQuery: from}
			err := s.query(ctx, selectBatch, batchArgs(part), func(rows pgx.Rows) error {
				return decodePieces(rows, d, yield)
			})
			if err != nil {
				return err
			}

			from += len(part)
		}

		return nil
	}

	return singleUse(ctx, s, "read batch", batchSubject(queries), read)
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
	queries    []ports.BarQuery // of the statement
	firstQuery int              // index in the batch of queries[0]
	number     int64            // of the current query; 0 before the first row
	bars       barDecoder       // of the current query
}

var batchTypes = slices.Concat(barTypes[:], []uint32{pgtype.Int8OID})

// errBatchOrder reports rows that contradict the ORDER BY of selectBatch.
var errBatchOrder = errors.New("rows of a batch are not in the order of its queries")

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
		d.number, d.bars = number, barDecoder{key: q.Key, capacity: int(min(pieceBars, q.MaxBars()))}
	}

	return d.bars.add(bar)
}

func (d *batchDecoder) take() (ports.BatchBars, error) {
	bars, err := d.bars.take()
	return ports.BatchBars{Query: d.firstQuery + int(d.number) - 1, Bars: bars}, err
}
