package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// windowBlocks is the number of blocks that are in memory at once.
const windowBlocks = 64

var errReused = errors.New("the sequence was ranged over before; read again")

// ReadBars implements ports.BarReader. The bars are read in whole blocks and verified; those of a small range are read
// beside the record. It yields no state for a series that is not in the ledger, because others write it.
func (s *LedgeredStore) ReadBars(ctx context.Context, q ports.BarQuery) ports.Sequence[domain.Series] {
	var used atomic.Bool
	return func(yield func(ports.Piece[domain.Series], error) bool) {
		r := &ledgeredRead{blockReader: s.blocksOf(q.Key), query: q, yield: yield}
		var err error
		switch {
		case used.Swap(true):
			err = s.failure(ports.ErrInvalid, "read bars", q.Key, errReused)
		case q.Key.Validate() != nil:
			err = s.failure(ports.ErrInvalid, "read bars", q.Key, q.Key.Validate())
		default:
			err = r.run(ctx)
		}
		if err != nil && !r.stopped {
			yield(ports.Piece[domain.Series]{}, err)
		}
	}
}

// ledgeredRead is one read under way.
type ledgeredRead struct {
	blockReader blockReader
	query       ports.BarQuery
	yield       func(ports.Piece[domain.Series], error) bool

	ahead   chan readAhead      // the bars that are read beside the record; nil if none are
	state   *domain.SeriesState // that was yielded; nil before
	next    int64               // the first block that was not yielded
	stopped bool                // the consumer broke off
}

// readAhead has the rows that were read beside the record.
type readAhead struct {
	pieces []domain.Series
	err    error
}

// run yields the result. If the bars are not those of the record, it reads again at the present record.
func (r *ledgeredRead) run(ctx context.Context) error {
	defer r.startAhead(ctx)()
	record, err := r.readRecord(ctx)
	if err != nil {
		return err
	}
	if !record.Exists() {
		return r.readForeign(ctx)
	}

	r.next, _ = r.blockReader.layout.Span(r.query.Range)
	for attempt := 1; ; attempt++ {
		mismatch := r.readBlocks(ctx, record)
		if !errors.Is(mismatch, errMismatch) {
			return mismatch
		}
		if record, err = r.moveOn(ctx, record, mismatch); err != nil {
			return err
		}
		if attempt == maxAttempts {
			return r.conflict()
		}
	}
}

// moveOn returns the present record after a mismatch. If it is the same, the store lost or altered bars. If something
// was yielded, the rest must not have changed.
func (r *ledgeredRead) moveOn(
	ctx context.Context, record ledger.Record, mismatch error,
) (ledger.Record, error) {
	r.blockReader.store.retention.Store(nil) // a new policy may have dropped bars
	present, err := r.readRecord(ctx)
	switch {
	case err != nil:
		return present, err
	case present.State.Version == record.State.Version:
		return present, r.blockReader.store.corrupt("read bars", r.query.Key, mismatch)
	case r.state != nil && !r.state.SameWithin(present.State, r.blockReader.layout, r.query.Range):
		return present, r.conflict()
	}

	return present, nil
}

func (r *ledgeredRead) conflict() error {
	return r.blockReader.store.failure(ports.ErrConflict, "read bars", r.query.Key, access.ErrStateChanged)
}

// readRecord returns the record with the blocks of the range, and with those that the query wants in its state.
func (r *ledgeredRead) readRecord(ctx context.Context) (ledger.Record, error) {
	query := ports.SeriesQuery{Key: r.query.Key, State: ports.StateQuery{Range: r.query.Range}}
	other := r.query.State
	for {
		s := r.blockReader.store
		records, err := s.records(ctx, []ports.SeriesQuery{query}, []domain.Range{r.query.Range}, s.wait)
		if err != nil {
			return ledger.Record{}, err
		}

		record := records[0]
		if other.Range.Empty() || record.State.Version == other.Known {
			return record, nil
		}

		query.State.Range = r.query.Range.Hull(other.Range)
		other.Range = domain.Range{}
	}
}

// startAhead begins to read the bars of a small range. The returned function ends that, and waits for it.
func (r *ledgeredRead) startAhead(ctx context.Context) (stop func()) {
	from, to := r.blockReader.layout.Span(r.query.Range)
	if r.query.First+r.query.Last > 0 || from == to || to-from > windowBlocks {
		return func() {}
	}

	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	r.ahead = make(chan readAhead, 1)
	go func(ahead chan<- readAhead) {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				ahead <- readAhead{err: fmt.Errorf("panic: %v", v)} // the read after the record meets it again
			}
		}()
		pieces, err := r.blockReader.readRange(ctx, r.blockReader.bounds(from, to))
		ahead <- readAhead{pieces, err}
	}(r.ahead)

	return func() {
		cancel()
		<-done
	}
}

// readBlocks yields the blocks of the record that were not yielded yet.
func (r *ledgeredRead) readBlocks(ctx context.Context, record ledger.Record) error {
	if r.query.First+r.query.Last > 0 {
		return r.readLimited(ctx, record)
	}

	blocks := record.State.BlocksWithin(r.blockReader.layout, r.query.Range)
	for len(blocks) > 0 && blocks[0].Index < r.next {
		blocks = blocks[1:]
	}
	for len(blocks) > 0 && !r.stopped {
		window := blocks[:min(windowBlocks, len(blocks))]
		blocks = blocks[len(window):]
		pieces, err := r.readWindow(ctx, record, window)
		if err != nil {
			return err
		}
		if err := r.give(ctx, record, pieces); err != nil {
			return err
		}
		r.next = window[len(window)-1].Index + 1
	}

	return r.finish(record)
}

// readWindow returns the covered bars of consecutive blocks. It takes those that were read beside the record if they
// are right, and reads them now otherwise.
func (r *ledgeredRead) readWindow(
	ctx context.Context, record ledger.Record, window []domain.BlockState,
) ([]domain.Series, error) {
	if r.ahead != nil {
		ahead := <-r.ahead
		r.ahead = nil
		if ahead.err == nil {
			if pieces, err := r.blockReader.verify(record, window, ahead.pieces); err == nil {
				return pieces, nil
			}
		}
	}

	return r.blockReader.read(ctx, record, window)
}

// readLimited yields the first or last bars.
func (r *ledgeredRead) readLimited(ctx context.Context, record ledger.Record) error {
	blocks := record.State.BlocksWithin(r.blockReader.layout, r.query.Range)
	blocks, _ = access.TakeBlocks(r.blockReader.layout, blocks, r.query, max(r.query.First, r.query.Last))
	pieces, err := r.blockReader.read(ctx, record, blocks)
	if err != nil {
		return err
	}
	if err := r.give(ctx, record, limitPieces(pieces, r.query)); err != nil {
		return err
	}

	return r.finish(record)
}

// limitPieces returns the first or last bars of the pieces that are in the range of the query.
func limitPieces(pieces []domain.Series, q ports.BarQuery) (limited []domain.Series) {
	total := 0
	for i := range pieces {
		pieces[i] = pieces[i].Clip(q.Range)
		total += pieces[i].Len()
	}

	skip, missing := 0, max(q.First, q.Last)
	if q.Last > 0 {
		skip = max(0, total-missing)
	}
	for _, p := range pieces {
		skipped := min(skip, p.Len())
		taken := p.Slice(skipped, min(p.Len(), skipped+missing))
		skip, missing = skip-skipped, missing-taken.Len()
		limited = append(limited, taken)
	}

	return limited
}

// give yields the bars of the pieces that are in the range, the first of them with the state.
func (r *ledgeredRead) give(ctx context.Context, record ledger.Record, pieces []domain.Series) error {
	for _, p := range pieces {
		if p = p.Clip(r.query.Range); p.Len() == 0 || r.stopped {
			continue
		}
		r.put(record, p)
		if err := ctx.Err(); err != nil && !r.stopped {
			return r.blockReader.store.failure(ports.ContextKind(err), "read bars", r.query.Key, err)
		}
	}

	return nil
}

func (r *ledgeredRead) put(record ledger.Record, bars domain.Series) {
	piece := ports.Piece[domain.Series]{Rows: bars}
	if r.state == nil {
		r.state = record.State
		piece.State = record.State
	}
	r.stopped = !r.yield(piece, nil)
}

// finish yields the state of a result without bars.
func (r *ledgeredRead) finish(record ledger.Record) error {
	if r.state == nil && !r.stopped {
		r.put(record, domain.EmptySeries(r.query.Key))
	}

	return nil
}

// readForeign reads a series that is not in the ledger: the zero state if it has no bars, else its bars without a
// state. If the series was written here meanwhile, it returns an error.
func (r *ledgeredRead) readForeign(ctx context.Context) error {
	s := r.blockReader.store
	inferred, err := s.inferredRanges(ctx, []domain.SeriesKey{r.query.Key})
	if err != nil {
		return err
	}
	if inferred[r.query.Key].Empty() {
		return r.finish(ledger.Record{State: &domain.SeriesState{}})
	}

	for bars, err := range s.bars.ReadBars(ctx, r.query).Rows() {
		if err != nil {
			return err
		}
		if r.stopped = !r.yield(ports.Piece[domain.Series]{Rows: bars}, nil); r.stopped {
			return nil
		}
	}

	record, err := s.record(ctx, r.query.Key, domain.Range{})
	if err == nil && record.Exists() {
		err = r.conflict()
	}

	return err
}
