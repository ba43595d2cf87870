package postgres

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var (
	// errReused is the result of ranging over a sequence a second time.
	errReused = errors.New("the sequence was ranged over before; it is single use, so read again")

	// errStopped ends a read whose consumer broke off. It never leaves the package.
	errStopped = errors.New("the consumer stopped")
)

// ReadBars implements ports.BarReader. A read is one round trip and one snapshot of the tables. It uses one connection
// until it ends or the consumer breaks off, which cancels the statement in the server.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	r := seriesRead{
		op: "read bars", subject: q.Key.String(), refusal: q.Key.Validate(), rows: barRows(q),
	}
	d := &barDecoder{key: q.Key, isStored: true, reports: q.ReportUnreadable}
	r.unreadable = d.takeUnreadable
	if r.refusal == nil {
		r.state = barState(q)
		d.capacity = int(min(pieceBars, q.MaxBars()))
	}

	return readSeries(ctx, s, r, d)
}

// barRows returns the statement on the bars of q.
func barRows(q ports.BarQuery) statement {
	args := []any{string(q.Key.Symbol), q.Key.PriceType.String(), q.Key.Grid.String(), q.Range.Start, q.Range.End}
	switch {
	case q.First > 0:
		return statement{sql: barSQL.selectFirst, args: append(args, q.First)}
	case q.Last > 0:
		return statement{sql: barSQL.selectLast, args: append(args, q.Last)}
	}

	return statement{sql: barSQL.selectAll, args: args}
}

// decoder collects rows into pieces of type P.
type decoder[P any] interface {
	// columns returns the type OIDs that the columns of a row must have.
	columns() []uint32

	// add decodes one row. It returns errPieceEnds, and does not add the row, if the row must begin the next piece. It
	// must not keep the bytes.
	add(row [][]byte) error

	// len returns the number of rows added since the last take.
	len() int

	// take returns the piece and begins the next one. len must be above 0.
	take() (piece P, err error)
}

// seriesDecoder is a decoder of the rows of one series.
type seriesDecoder[D ports.Rows] interface {
	decoder[D]

	// empty returns a piece without rows.
	empty() D
}

// seriesRead is a read of the rows of a series, with its state.
type seriesRead struct {
	op, subject string // for errors and the log
	refusal     error  // if set, the only result: no statement is run
	optional    string // the name of the table, if views need not have it
	rows        statement
	state       stateQuery

	// unreadable, if set, returns the bars that the decoder left out since its last call.
	unreadable func() []*domain.RuleError

	// prepare, if set, begins the snapshot and returns rows.
	prepare func(ctx context.Context, db session) (rows statement, err error)
}

// readSeries returns the single-use sequence of the pieces that d decodes from the rows of r. The first one has the
// state, unless the tables keep no versions.
func readSeries[D ports.Rows](ctx context.Context, s *Store, r seriesRead, d seriesDecoder[D]) ports.Sequence[D] {
	return ports.Sequence[D](singleUse(ctx, s, r.op, r.subject, func(yield func(ports.Piece[D], int) error) error {
		if r.refusal != nil {
			return r.refusal
		}

		found, err := s.relations(ctx)
		if err != nil || found.lacks(r.optional) {
			return err
		}

		p := statePieces[D]{yield: yield, unreadable: r.unreadable}
		err = s.readSnapshot(ctx, r.op, func(db session) error {
			steps := []step{stepOf(beginSnapshot)}
			if r.prepare != nil {
				if r.rows, err = r.prepare(ctx, db); err != nil {
					return err
				}
				steps = nil
			}
			if found.isVersioned() {
				steps = append(steps, step{r.state.statement(), p.readState})
			}
			readRows := func(rows pgx.Rows) error { return decodePieces(rows, d, p.put) }

			return db.pipeline(ctx, append(steps, step{r.rows, readRows}, stepOf(commit))...)
		})
		if err == nil {
			err = p.putRest(d.empty())
		}

		return err
	}))
}

// readSnapshot calls f with a connection on which it may read in a transaction, which f may leave open.
func (s *Store) readSnapshot(ctx context.Context, op string, f func(db session) error) error {
	return s.withConn(ctx, op, func(db session) error { return withPhase(ports.PhaseRead, f(db)) })
}

// statePieces adds the state to the first piece of a read.
type statePieces[D ports.Rows] struct {
	state      *domain.SeriesState // nil once it was yielded
	unreadable func() []*domain.RuleError
	yield      func(piece ports.Piece[D], rows int) error
}

func (p *statePieces[D]) readState(rows pgx.Rows) error {
	states, err := scanStates(rows, 1)
	if err == nil {
		p.state = states[0]
	}

	return err
}

func (p *statePieces[D]) put(rows D, n int) error {
	piece := ports.Piece[D]{Rows: rows, State: p.state}
	p.state = nil
	if p.unreadable != nil {
		piece.Unreadable = p.unreadable()
	}

	return p.yield(piece, n)
}

// putRest yields what there is beside the rows and was not yielded with them.
func (p *statePieces[D]) putRest(empty D) error {
	piece := ports.Piece[D]{Rows: empty, State: p.state}
	if p.unreadable != nil {
		piece.Unreadable = p.unreadable()
	}
	if piece.State == nil && len(piece.Unreadable) == 0 {
		return nil
	}

	return p.yield(piece, 0)
}

// singleUse returns a sequence of the pieces that read yields; ranging over it again yields errReused. read must pass
// each piece to yield together with its number of rows, and must return the error of yield at once. The sequence
// translates the error of read and logs a slow read, without the time that the consumer spends.
func singleUse[P any](
	ctx context.Context, s *Store, op, subject string, read func(yield func(piece P, rows int) error) error,
) iter.Seq2[P, error] {
	var used atomic.Bool
	return func(yield func(P, error) bool) {
		err := errReused
		var stopped bool
		var consumerTime time.Duration
		var rows int
		began := time.Now()
		if !used.Swap(true) {
			err = read(func(piece P, n int) error {
				rows += n
				yielded := time.Now()
				stopped = !yield(piece, nil)
				consumerTime += time.Since(yielded)
				if stopped {
					return errStopped
				}

				// Rows that the server sent before it received the cancellation would still arrive.
				return ctx.Err()
			})
		}

		s.logSlow(ctx, op, subject, time.Since(began)-consumerTime, rows)
		if err != nil && !stopped {
			var none P
			yield(none, translate(ctx, op, subject, err))
		}
	}
}

// query runs a statement and passes its rows to read, as pipeline does.
func (s *Store) query(ctx context.Context, op string, q statement, read func(pgx.Rows) error) error {
	return s.readSnapshot(ctx, op, func(db session) error { return db.pipeline(ctx, step{q, read}) })
}

// decodePieces decodes rows and yields each piece with its number of rows, until the rows end or yield returns an
// error.
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

		row, err := rawValues(rows)
		if err == nil {
			err = d.add(row)
		}
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
