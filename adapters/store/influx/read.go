package influx

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var errUsed = fmt.Errorf("range over a sequence a second time; request another one: %w", ports.ErrInvalid)

// errStopped ends a read whose consumer has stopped the iteration.
var errStopped = errors.New("iteration stopped")

// storable is the range of open times that InfluxDB can store: 64 bits of nanoseconds since 1970, which is 1677 to
// 2262.
var storable = domain.Range{
	Start: domain.Micros(-1 << 63 / 1000).Time(),
	End:   domain.Micros((1<<63 - 1) / 1000).Time(),
}

const nanosPerMicro = int64(time.Microsecond)

// nanoSpan converts the range to nanoseconds. The range must lie in storable.
func nanoSpan(r domain.Range) span {
	start, end := r.Micros()
	return span{start: int64(start) * nanosPerMicro, end: int64(end) * nanosPerMicro}
}

// operation names a call in errors and in the log of slow calls.
type operation struct{ name, subject string }

// ReadBars yields the bars in pieces of the configured chunk size while the server sends them. The result is complete
// only if the sequence ends without an error. A read of the last n bars holds all of them in memory, because the server
// sends them in descending order.
func (s *Store) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return s.readAttempts(ctx, q, maxReadAttempts)
}

// ReadBarsOnce implements ledger.NontransactionalStore.
func (s *Store) ReadBarsOnce(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	return s.readAttempts(ctx, q, 1)
}

// readAttempts reads a row that is incomplete so many times.
func (s *Store) readAttempts(ctx context.Context, q ports.BarQuery, attempts int) ports.Sequence[domain.Series] {
	op := operation{"read bars", q.Key.String()}
	return ports.Unversioned(singleUse(ctx, s, op, domain.Series.Len, func(yield func(domain.Series) bool) error {
		return s.readBars(ctx, q, attempts, yield)
	}))
}

// singleUse returns a sequence of the pieces that read passes to its yield function; bars returns how many bars a piece
// has. A second iteration yields an error. read must return errStopped if yield returns false.
func singleUse[P any](
	ctx context.Context, s *Store, op operation, bars func(P) int, read func(yield func(P) bool) error,
) iter.Seq2[P, error] {
	var used atomic.Bool
	return func(yield func(P, error) bool) {
		err := errUsed
		if !used.Swap(true) {
			began, rows, consumer := time.Now(), 0, time.Duration(0)
			err = read(func(piece P) bool {
				rows += bars(piece)
				yielded := time.Now()
				more := yield(piece, nil)
				consumer += time.Since(yielded)

				return more
			})
			s.logSlow(ctx, op, time.Since(began)-consumer, rows)
		}

		if err != nil && !errors.Is(err, errStopped) {
			var none P
			yield(none, translate(op.name, op.subject, err))
		}
	}
}

func (s *Store) readBars(ctx context.Context, q ports.BarQuery, attempts int, yield func(domain.Series) bool) error {
	return s.readBatch(ctx, []ports.BarQuery{q}, attempts, func(piece ports.BatchBars) bool { return yield(piece.Bars) })
}

// readSeries returns all bars of the range as one Series.
func (s *Store) readSeries(ctx context.Context, key domain.SeriesKey, r domain.Range) (domain.Series, error) {
	b := domain.NewSeriesBuilder(key, 0)
	var appendErr error
	err := s.readBars(ctx, ports.BarQuery{Key: key, Range: r}, maxReadAttempts, func(piece domain.Series) bool {
		appendErr = b.AppendSeries(piece)
		return appendErr == nil
	})
	if err := errors.Join(appendErr, err); err != nil {
		return domain.Series{}, err
	}

	return b.Series()
}
