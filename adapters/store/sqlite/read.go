package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ReadBars implements ports.BarReader. It yields one Series per chunk. The whole sequence is one snapshot of the store,
// whatever is written meanwhile. The caller must not leave a sequence unfinished for long, because SQLite cannot
// recycle its log before the snapshot ends. A read of the last bars reads backwards and therefore buffers packed chunks
// until it finds the first bar.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return singleUse(ctx, "read bars", q.Key.String(), func(yield func(ports.Piece[domain.Series]) bool) error {
		state := stateQuery{newSeriesRow(q.Key), domain.BarBlocks(q.Key.Grid), q.Range, q.First, q.Last, q.State}
		pieces := statePieces[domain.Series]{empty: domain.EmptySeries(q.Key), yield: yield}
		return pieces.read(ctx, s, state, func(series storedSeries) error {
			return s.readBars(ctx, series, q, pieces.put)
		})
	})
}

// singleUse returns a sequence of the pieces that read yields; an error of read is its last pair. read must stop when
// yield returns false. The second use of the sequence is an error.
func singleUse[D ports.Rows](
	ctx context.Context, op, subject string, read func(yield func(ports.Piece[D]) bool) error,
) ports.Sequence[D] {
	var used atomic.Bool
	return func(yield func(ports.Piece[D], error) bool) {
		if used.Swap(true) {
			err := fmt.Errorf("the sequence was already used; read again: %w", domain.ErrInvalid)
			yield(ports.Piece[D]{}, translate(ctx, op, subject, err))
			return
		}

		stopped := false
		err := read(func(p ports.Piece[D]) bool {
			stopped = !yield(p, nil)
			return !stopped
		})
		if err != nil && !stopped {
			yield(ports.Piece[D]{}, translate(ctx, op, subject, err))
		}
	}
}

func (s *Store) readBars(
	ctx context.Context, series storedSeries, q ports.BarQuery, yield func(domain.Series) bool,
) error {
	if q.Last > 0 {
		return s.readLastBars(ctx, series, q, yield)
	}

	left := q.First
	stmt := series.StmtContext(ctx, s.chunksStmt)
	read := chunkRead{stmt: stmt, targets: (*chunkRow).borrowTargets, series: series.id, query: q}

	return read.run(ctx, func(c codec.Chunk) (more bool, err error) {
		if q.First > 0 {
			c = c.Slice(0, min(left, c.Len()))
			left -= c.Len()
		}

		bars, err := decodeChunk(c, q.Key)

		return err == nil && yield(bars) && (q.First == 0 || left > 0), err
	})
}

func (s *Store) readLastBars(
	ctx context.Context, series storedSeries, q ports.BarQuery, yield func(domain.Series) bool,
) error {
	var chunks []codec.Chunk // newest first
	left := q.Last
	stmt := series.StmtContext(ctx, s.lastChunksStmt)
	read := chunkRead{stmt: stmt, targets: (*chunkRow).targets, series: series.id, query: q}
	if err := read.run(ctx, func(c codec.Chunk) (more bool, err error) {
		c = c.Slice(max(0, c.Len()-left), c.Len())
		left -= c.Len()
		chunks = append(chunks, c)
		return left > 0, nil
	}); err != nil {
		return err
	}

	for _, c := range slices.Backward(chunks) {
		bars, err := decodeChunk(c, q.Key)
		if err != nil || !yield(bars) {
			return err
		}
	}

	return nil
}

// chunkRead is one read of chunks.
type chunkRead struct {
	stmt    *sql.Stmt             // takes the parameters of selectChunks
	targets func(*chunkRow) []any // of each row
	series  int64                 // the id
	query   ports.BarQuery
}

// run yields the chunks, clipped to the range of the query and without empty ones, until yield returns false or an
// error.
func (r chunkRead) run(ctx context.Context, yield func(codec.Chunk) (more bool, err error)) error {
	key := r.query.Key
	start, end := r.query.Range.Micros()
	rows, err := r.stmt.QueryContext(ctx, r.series, start, end)
	if err != nil {
		return withPhase(ports.PhaseQuery, err)
	}

	defer func() { _ = rows.Close() }() // rows.Err reports the same errors
	var row chunkRow
	for rows.Next() {
		if err := rows.Scan(r.targets(&row)...); err != nil {
			return withPhase(ports.PhaseRead, err)
		}

		c, err := row.open(key)
		if err != nil {
			return err
		}
		if c = c.Clip(r.query.Range); c.Len() == 0 {
			continue
		}
		if more, err := yield(c); err != nil || !more {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return withPhase(ports.PhaseRead, err)
	}

	return nil
}

// chunkRow is a row of chunks, which another program may have modified.
type chunkRow struct {
	first, last sql.Null[domain.Micros]
	bars        sql.Null[int64]
	data        []byte
	next        sql.Null[domain.Micros] // the first open time of the next chunk of the series, if there is one
}

// targets returns the pointers to scan chunkAndNext into. Scan copies the blob.
func (r *chunkRow) targets() []any { return []any{&r.first, &r.last, &r.bars, &r.data, &r.next} }

// borrowTargets is targets without a copy of the blob, which is valid until the next row.
func (r *chunkRow) borrowTargets() []any {
	return []any{&r.first, &r.last, &r.bars, (*sql.RawBytes)(&r.data), &r.next}
}

// open verifies the blob, that the other columns agree with it, and that the next chunk begins after it.
func (r *chunkRow) open(key domain.SeriesKey) (codec.Chunk, error) {
	c, err := codec.Open(r.data)
	if err != nil {
		return c, corruptError(fmt.Errorf("chunk from %s: %w", r.first.V.Time(), err))
	}
	if first, last := c.Bounds(); first != r.first.V || last != r.last.V || int64(c.Len()) != r.bars.V {
		return c, corruptError(fmt.Errorf("chunk from %s: it contains %d bars from %s to %s, but its row says %d to %s",
			r.first.V.Time(), c.Len(), first.Time(), last.Time(), r.bars.V, r.last.V.Time()))
	}
	if r.next.Valid && r.next.V <= r.last.V {
		rule := domain.RuleOutOfOrder
		if r.next.V == r.last.V {
			rule = domain.RuleDuplicate
		}

		return c, corruptError(&domain.RuleError{Rule: rule, Key: key, At: r.next.V.Time(),
			Detail: "a chunk begins here, but the one before it ends at " + r.last.V.Time().Format(time.RFC3339Nano)})
	}

	return c, nil
}

// decodeChunk returns the bars of a stored chunk.
func decodeChunk(c codec.Chunk, key domain.SeriesKey) (domain.Series, error) {
	bars, err := c.Series(key)
	if err != nil {
		return domain.Series{}, corruptError(err)
	}

	return bars, nil
}
