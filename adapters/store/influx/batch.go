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

// maxRequestBars limits how many bars the statements of one request may return together, because the server's time
// limit applies to the whole request. A statement that may return more has a request of its own.
const maxRequestBars = 250_000

// ReadBatch implements ports.BatchReader. A request has as many statements, one for each query, as its limits allow,
// and the result of each statement is proved complete. The server runs one statement after the other.
func (s *Store) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	op := operation{name: "read batch"}
	if len(queries) > 0 {
		op.subject = batchSubject(queries[0].Key, len(queries))
	}
	bars := func(piece ports.BatchBars) int { return piece.Bars.Len() }

	return singleUse(ctx, s, op, bars, func(yield func(ports.BatchBars) bool) error {
		return s.readBatch(ctx, queries, maxReadAttempts, yield)
	})
}

// batchSubject names a batch of n series in errors, by the first of them.
func batchSubject(first domain.SeriesKey, n int) string {
	if n == 1 {
		return first.String()
	}

	return fmt.Sprintf("%s and %d more", first, n-1)
}

// readBatch reads a row that is incomplete so many times.
func (s *Store) readBatch(
	ctx context.Context, queries []ports.BarQuery, attempts int, yield func(ports.BatchBars) bool,
) error {
	if err := ctx.Err(); err != nil {
		return err
	}

	readers, err := s.newReaders(ctx, queries, yield)
	if err != nil {
		return err
	}

	return s.readAll(ctx, readers, attempts)
}

// newReaders returns a reader for each query that may have bars.
func (s *Store) newReaders(
	ctx context.Context, queries []ports.BarQuery, yield func(ports.BatchBars) bool,
) ([]*barReader, error) {
	var keys []domain.SeriesKey
	var queryOfKey []int // index of the query of each key
	for i, q := range queries {
		if !q.Range.Intersect(storable).Empty() {
			keys, queryOfKey = append(keys, q.Key), append(queryOfKey, i)
		}
	}

	wheres, err := s.selectSeries(ctx, keys)
	if err != nil {
		return nil, err
	}

	var readers []*barReader
	for n, i := range queryOfKey {
		if wheres[n] == nil {
			continue
		}

		q := queries[i]
		q.Range = q.Range.Intersect(storable)
		descending := q.Last > 0
		readers = append(readers, &barReader{
			ctxErr: ctx.Err, layout: s.layout, key: q.Key,
			selection: barSelection{
				where: wheres[n], span: nanoSpan(q.Range), limit: max(q.First, q.Last), descending: descending,
			},
			pieceBars: s.chunkSize, maxBars: q.MaxBars(),
			builder: pieceBuilder{key: q.Key, descending: descending},
			yield:   func(bars domain.Series) bool { return yield(ports.BatchBars{Query: i, Bars: bars}) },
		})
	}

	return readers, nil
}

const (
	maxReadAttempts = 7
	readPause       = 5 * time.Millisecond // doubled after each attempt
)

// readAll reads the rows of all readers, one reader after the other. At an incomplete row it pauses and goes on from
// that row; the rows before it are not read again. It returns the error of a row that is still incomplete after so many
// attempts, or when the deadline is near, because the caller must hear of a corrupt row and not of the time that was
// spent on it.
func (s *Store) readAll(ctx context.Context, readers []*barReader, attempts int) error {
	for attempt := 1; len(readers) > 0; {
		rows := readers[0].rows
		finished, err := s.readOnce(ctx, readers)
		readers = readers[finished:]

		var incomplete *incompleteRowError
		switch {
		case err == nil:
			attempt = 1
			continue
		case !errors.As(err, &incomplete):
			return err
		case finished > 0 || readers[0].rows > rows: // progress
			attempt = 1
		}
		pause := readPause << attempt
		if attempt == attempts || endsWithin(ctx, 2*pause) {
			return incomplete.err
		}

		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}

		readers[0].resumeAt(incomplete.at)
		attempt++
	}

	return nil
}

// endsWithin reports whether the deadline of ctx passes within d.
func endsWithin(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < d
}

// readOnce sends one request for as many of the readers as its limits allow. It returns how many readers are finished.
func (s *Store) readOnce(ctx context.Context, readers []*barReader) (finished int, err error) {
	q := joinStatements(requestLen(readers), func(i, firstParam int) query { return readers[i].query(firstParam) })
	q.chunked = true
	h := batchHandler{readers: readers}
	if err = s.runQuery(ctx, q, &h); err == nil {
		err = h.finishUntil(q.statements)
	}

	return h.finished, err
}

// requestLen returns how many of the readers the next request may be for: the first ones, at least one.
func requestLen(readers []*barReader) int {
	bars := int64(0)
	for i, r := range readers {
		if bars += r.maxBars; i > 0 && bars > maxRequestBars {
			return i
		}
	}

	return len(readers)
}

// batchHandler passes the rows of each statement to its reader. Statement i of the query is the one of readers[i].
type batchHandler struct {
	readers  []*barReader
	finished int // how many readers are finished
}

// finishUntil finishes the readers before the one of the statement.
func (h *batchHandler) finishUntil(statement int) error {
	for ; h.finished < statement; h.finished++ {
		if err := h.readers[h.finished].finish(); err != nil {
			return err
		}
	}

	return nil
}

func (h *batchHandler) beginTable(t table) error {
	if err := h.finishUntil(t.statement); err != nil {
		return err
	}
	return h.readers[h.finished].beginTable(t)
}

func (h *batchHandler) decodeRow(d *decoder) error {
	return h.readers[h.finished].decodeRow(d)
}
