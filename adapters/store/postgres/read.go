package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var (
	errReused  = errors.New("a sequence is ranged over once; ask for another")
	errStopped = errors.New("the caller broke off")
)

// ReadBars implements ports.BarReader. A read is one statement, so it sees the tables as they were when it began, and holds one
// connection until it ends or is broken off; breaking off cancels the statement in the server.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) iter.Seq2[domain.Series, error] {
	sql, args := readStatement(q)
	refusal := q.Key.Validate()
	d := &barDecoder{key: q.Key}
	if refusal == nil {
		d.capacity = int(min(pieceBars, q.MaxBars()))
	}

	return streamRows(s, ctx, "read bars", q.Key.String(), refusal, sql, args, d)
}

// readStatement is the statement that answers q.
func readStatement(q ports.BarQuery) (sql string, args []any) {
	args = []any{string(q.Key.Symbol), q.Key.PriceType.String(), q.Key.Grid.String(), q.Range.Start, q.Range.End}
	switch {
	case q.First > 0:
		return barSQL.selectFirst, append(args, q.First)
	case q.Last > 0:
		return barSQL.selectLast, append(args, q.Last)
	}

	return barSQL.selectAll, args
}

// decoder turns rows into pieces.
type decoder[P any] interface {
	columns() []uint32          // the types that a row's columns have to be
	add(row [][]byte) error     // errPieceEnds: take first; the bytes are the caller's again afterwards
	len() int                   // rows added since the last take
	take() (piece P, err error) // len is above 0
}

// stream is the sequence of pieces that a statement's rows make, or the refusal alone where there is one.
func streamRows[P any](
	s *Store, ctx context.Context, op, subject string, refusal error, sql string, args []any, d decoder[P],
) iter.Seq2[P, error] {
	return singleUse(s, ctx, op, subject, func(hand func(P, int) error) error {
		if refusal != nil {
			return refusal
		}
		return s.query(ctx, sql, args, func(answer pgx.Rows) error { return decodePieces(answer, d, hand) })
	})
}

// sequence is the pieces that read hands over, each with the number of its rows. read returns what hand does, where that is an error.
func singleUse[P any](
	s *Store, ctx context.Context, op, subject string, read func(hand func(piece P, rows int) error) error,
) iter.Seq2[P, error] {
	var used atomic.Bool
	return func(yield func(P, error) bool) {
		err := errReused
		var stopped bool
		var consumer time.Duration // spent in yield
		var rows int
		began := time.Now()
		if !used.Swap(true) {
			err = read(func(piece P, n int) error {
				rows += n
				out := time.Now()
				stopped = !yield(piece, nil)
				consumer += time.Since(out)
				if stopped {
					return errStopped
				}

				return ctx.Err() // what was sent before the server heard of it would still come
			})
		}

		s.logSlow(ctx, op, subject, time.Since(began)-consumer, rows)
		if err != nil && !stopped {
			var none P
			yield(none, translate(ctx, op, subject, err))
		}
	}
}

// query runs a prepared statement and hands its rows over. When read returns before their end, the statement is cancelled in the
// server instead of read to the end.
func (s *Store) query(ctx context.Context, sql string, args []any, read func(pgx.Rows) error) error {
	return s.withConn(ctx, func(conn *pgx.Conn) error {
		limited, cancel := s.withTimeout(ctx)
		defer cancel()
		rows, err := conn.Query(limited, sql, append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
		if err != nil {
			return withPhase(ports.PhaseQuery, timeoutCause(ctx, limited, err))
		}

		err = read(rows)
		cancel() // without effect where the rows were read to their end
		rows.Close()
		return withPhase(ports.PhaseRead, timeoutCause(ctx, limited, err))
	})
}

// ownLimit names our own limit where it was the one that ended the statement.
func timeoutCause(ctx, limited context.Context, err error) error {
	if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", context.Cause(limited), err)
	}
	return err
}

// pieces decodes rows until they end or yield, which is told how many rows a piece is made of, returns an error.
func decodePieces[P any](rows pgx.Rows, d decoder[P], yield func(piece P, rows int) error) error {
	flush := func() error {
		n := d.len()
		piece, err := d.take()
		if err != nil {
			return err
		}

		return yield(piece, n)
	}
	for checked := false; rows.Next(); checked = true {
		if !checked {
			if err := checkColumns(rows.FieldDescriptions(), d.columns()...); err != nil {
				return err
			}
		}

		row := rows.RawValues()
		err := d.add(row)
		if errors.Is(err, errPieceEnds) {
			if err = flush(); err == nil {
				err = d.add(row)
			}
		}
		if err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil || d.len() == 0 {
		return err
	}

	return flush()
}
