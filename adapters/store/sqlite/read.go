package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/adapters/codec"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// ReadBars implements ports.BarReader. A piece is what a chunk has of the answer. The whole sequence is one state of the store,
// whatever is written meanwhile; while it is open it keeps SQLite from recycling its log, so do not leave one lying about. The last
// bars are read backwards, and so held, packed, until the first of them is found.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	return stream(ctx, "read bars", q.Key.String(), func(yield func(domain.Series) bool) error {
		err := s.readBars(ctx, q, yield)
		if err == nil {
			err = ctx.Err() // whoever gave up while he held the last piece hears of it too
		}
		return err
	})
}

// stream makes a sequence of pieces, single use, of a function that yields them until it is told to stop; an error is the last pair.
func stream[D any](ctx context.Context, op, subject string, read func(yield func(D) bool) error) iter.Seq2[D, error] {
	var used atomic.Bool
	return func(yield func(D, error) bool) {
		var none D
		if used.Swap(true) {
			yield(none, translate(ctx, op, subject, fmt.Errorf("the sequence was ranged over before; read again: %w", domain.ErrInvalid)))
			return
		}

		broken := false
		err := read(func(piece D) bool {
			broken = !yield(piece, nil)
			return !broken
		})
		if err != nil && !broken {
			yield(none, translate(ctx, op, subject, err))
		}
	}
}

func (s *Store) readBars(ctx context.Context, q ports.BarQuery, yield func(domain.Series) bool) error {
	if q.Last > 0 {
		return s.readLastBars(ctx, q, yield)
	}

	left := q.First
	return s.readChunks(ctx, s.chunks, (*chunkRow).intoView, q, func(c codec.Chunk) (more bool, err error) {
		if q.First > 0 {
			c = c.Slice(0, min(left, c.Len()))
			left -= c.Len()
		}

		bars, err := series(c, q.Key)
		return err == nil && yield(bars) && (q.First == 0 || left > 0), err
	})
}

func (s *Store) readLastBars(ctx context.Context, q ports.BarQuery, yield func(domain.Series) bool) error {
	var last []codec.Chunk // the latest first
	left := q.Last
	if err := s.readChunks(ctx, s.lastChunks, (*chunkRow).into, q, func(c codec.Chunk) (more bool, err error) {
		c = c.Slice(max(0, c.Len()-left), c.Len())
		left -= c.Len()
		last = append(last, c)
		return left > 0, nil
	}); err != nil {
		return err
	}

	for _, c := range slices.Backward(last) {
		bars, err := series(c, q.Key)
		if err != nil || !yield(bars) {
			return err
		}
	}

	return nil
}

// readChunks hands out what the chunks have of the range, none of it empty, until it is told to stop.
func (s *Store) readChunks(
	ctx context.Context, stmt *sql.Stmt, into func(*chunkRow) []any, q ports.BarQuery, yield func(codec.Chunk) (more bool, err error),
) error {
	start, end := q.Range.Micros()
	rows, err := stmt.QueryContext(ctx, string(q.Key.Symbol), q.Key.Grid.String(), q.Key.PriceType.String(), start, end)
	if err != nil {
		return inPhase(ports.PhaseQuery, err)
	}

	defer func() { _ = rows.Close() }() // what it could report, Err has
	var row chunkRow
	for rows.Next() {
		if err := rows.Scan(into(&row)...); err != nil {
			return inPhase(ports.PhaseRead, err)
		}

		c, err := row.open(q.Key)
		if err != nil {
			return err
		}
		if c = c.Clip(q.Range); c.Len() == 0 {
			continue
		}
		if more, err := yield(c); err != nil || !more {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return inPhase(ports.PhaseRead, err)
	}

	return nil
}

// chunkRow is a row of the table of chunks, as whoever last held the file left it.
type chunkRow struct {
	first, last, bars sql.Null[int64]
	data              []byte
	next              sql.Null[int64] // the first open time of the series' next chunk, if there is one
}

// into is where to scan heldChunk, a copy of its blob.
func (r *chunkRow) into() []any { return []any{&r.first, &r.last, &r.bars, &r.data, &r.next} }

// intoView is into, but the blob is the driver's until the next row.
func (r *chunkRow) intoView() []any {
	return []any{&r.first, &r.last, &r.bars, (*sql.RawBytes)(&r.data), &r.next}
}

// open checks the blob, the columns beside it against what it holds, and that no other chunk begins before its end.
func (r *chunkRow) open(key domain.SeriesKey) (codec.Chunk, error) {
	c, err := codec.Open(r.data)
	if err != nil {
		return c, corrupt(fmt.Errorf("chunk from %s: %w", microTime(r.first.V), err))
	}
	if first, last := c.Bounds(); first != r.first.V || last != r.last.V || int64(c.Len()) != r.bars.V {
		return c, corrupt(fmt.Errorf("chunk from %s: holds %d bars from %s to %s, but its row says %d to %s", microTime(r.first.V),
			c.Len(), microTime(first), microTime(last), r.bars.V, microTime(r.last.V)))
	}
	if r.next.Valid && r.next.V <= r.last.V {
		rule := domain.RuleOutOfOrder
		if r.next.V == r.last.V {
			rule = domain.RuleDuplicate
		}
		return c, corrupt(&domain.RuleError{Rule: rule, Key: key, At: microTime(r.next.V),
			Detail: "a chunk begins here and the one before it ends at " + microTime(r.last.V).Format(time.RFC3339Nano)})
	}

	return c, nil
}

// series is the chunk as bars of the key.
func series(c codec.Chunk, key domain.SeriesKey) (domain.Series, error) {
	bars, err := c.Series(key)
	if err != nil {
		return domain.Series{}, corrupt(err)
	}

	return bars, nil
}

func microTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// corrupt marks the refusal of what the store holds.
func corrupt(err error) error { return fmt.Errorf("%w: %w", ports.ErrCorruptData, err) }
