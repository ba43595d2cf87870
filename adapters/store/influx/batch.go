package influx

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var _ ports.BatchReader = (*Store)(nil)

// batchBars is how many bars the queries of one request have at most, as far as they tell, so that the server's own limit of time is
// for no more than a read of one query may need too. A query that may have more bars has a request to itself.
const batchBars = 250_000

// ReadBatch implements ports.BatchReader. A request holds as many statements, one a query, as the text of a query may, and is proved
// whole statement by statement. The server runs one statement after the other: it opens the series of each when its turn comes, so
// that an overwritten bar is told as in a read of its own.
func (s *Store) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	bars := func(piece ports.BatchBars) int { return piece.Bars.Len() }
	return sequence(s, ctx, "read batch", batchSubject(queries), bars, func(yield func(ports.BatchBars) bool) error {
		return s.readBatch(ctx, queries, yield)
	})
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

func (s *Store) readBatch(ctx context.Context, queries []ports.BarQuery, yield func(ports.BatchBars) bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	readers, err := s.readers(ctx, queries, yield)
	if err != nil {
		return err
	}

	return s.readRows(ctx, readers)
}

// readers is a reader for each query that may have bars.
func (s *Store) readers(ctx context.Context, queries []ports.BarQuery, yield func(ports.BatchBars) bool) ([]*barReader, error) {
	var keys []domain.SeriesKey
	var of []int // the numbers of their queries
	for i, q := range queries {
		if !q.Range.Intersect(representable).Empty() {
			keys, of = append(keys, q.Key), append(of, i)
		}
	}

	wheres, err := s.where(ctx, keys)
	if err != nil {
		return nil, err
	}

	var readers []*barReader
	for n, i := range of {
		if wheres[n] == nil {
			continue
		}

		q := queries[i]
		q.Range = q.Range.Intersect(representable)
		readers = append(readers, &barReader{
			alive: ctx.Err, layout: s.layout, key: q.Key, where: wheres[n], span: nanos(q.Range), limit: max(q.First, q.Last),
			descending: q.Last > 0, size: s.chunkSize, most: q.MaxBars(), piece: &piece{key: q.Key, descending: q.Last > 0},
			yield: func(bars domain.Series) bool { return yield(ports.BatchBars{Query: i, Bars: bars}) },
		})
	}

	return readers, nil
}

const (
	readTries = 7
	readPause = 5 * time.Millisecond // doubled from try to try
)

// readRows has the readers decode all rows, one reader after the other. From a row that is no bar, and may be one in a moment, it
// reads on: what came before stays. Only a row that stays so, try after try, is what the store holds.
func (s *Store) readRows(ctx context.Context, readers []*barReader) error {
	for try := 1; len(readers) > 0; {
		rows := readers[0].rows
		ended, err := s.readRequest(ctx, readers)
		readers = readers[ended:]
		var unsettled *unsettledError
		switch {
		case err == nil:
			try = 1
			continue
		case !errors.As(err, &unsettled):
			return err
		case ended > 0 || readers[0].rows > rows:
			try = 1
		}
		if try == readTries {
			return unsettled.err
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(readPause << try):
		}

		readers[0].resume(unsettled.at)
		try++
	}
	return nil
}

// readRequest reads, in one request, for as many of the readers as have a place in it, and returns how many have come to their end.
func (s *Store) readRequest(ctx context.Context, readers []*barReader) (ended int, err error) {
	st := join(batchLen(readers), func(b *builder, i int) { readers[i].statement(b) })
	st.chunked = true
	endUntil := func(statement int) error {
		for ; ended < statement; ended++ {
			if err := readers[ended].finish(); err != nil {
				return err
			}
		}
		return nil
	}
	err = s.query(ctx, st, func(t table) error {
		if err := endUntil(t.statement); err != nil {
			return err
		}
		return readers[ended].begin(t)
	}, func(d *decoder) error { return readers[ended].row(d) })
	if err == nil {
		err = endUntil(st.statements)
	}

	return ended, err
}

// batchLen is how many of the readers the next request is for at most.
func batchLen(readers []*barReader) int {
	bars := int64(0)
	for i, r := range readers {
		if bars += r.most; i > 0 && bars > batchBars {
			return i
		}
	}

	return len(readers)
}
