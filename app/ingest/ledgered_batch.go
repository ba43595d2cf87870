package ingest

import (
	"context"
	"iter"
	"sync/atomic"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/ledger"
)

// ReadBatch implements ports.BatchReader. The records of all series are read at once, then the bars of all. A query
// whose bars are not those of its record is read on its own.
func (s *LedgeredStore) ReadBatch(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	var used atomic.Bool
	return func(yield func(ports.BatchBars, error) bool) {
		b := ledgeredBatch{store: s, queries: queries}
		err := s.batchFailure(ports.ErrInvalid, errReused)
		if !used.Swap(true) {
			err = b.readRecords(ctx)
		}
		if err == nil {
			err = b.readBars(ctx)
		}
		if err != nil {
			yield(ports.BatchBars{}, err)
			return
		}

		for i := range queries {
			for piece, err := range b.result(ctx, i) {
				if !yield(ports.BatchBars{Query: i, Bars: piece.Rows, State: piece.State}, err) || err != nil {
					return
				}
			}
		}
	}
}

func (s *LedgeredStore) batchFailure(kind, err error) error {
	return &ports.Error{Kind: kind, Op: "read batch", Store: s.name, Err: err}
}

// ledgeredBatch is a batch under way.
type ledgeredBatch struct {
	store   *LedgeredStore
	queries []ports.BarQuery
	records []ledger.Record
	blocks  [][]domain.BlockState // of each query
	pieces  [][]domain.Series     // that were read for each query
	isRead  bool
}

func (b *ledgeredBatch) readRecords(ctx context.Context) (err error) {
	queries := make([]ports.SeriesQuery, len(b.queries))
	within := make([]domain.Range, len(b.queries))
	for i, q := range b.queries {
		within[i] = q.Range.Hull(q.State.Range)
		queries[i] = ports.SeriesQuery{Key: q.Key, State: ports.StateQuery{Range: within[i]}}
	}
	b.records, err = b.store.records(ctx, queries, within, b.store.wait)

	return err
}

// readBars reads the covered bars of the blocks of all queries. If the store has no batches, each query is read alone,
// and also if a bar cannot be read, so that the error is that of its query.
func (b *ledgeredBatch) readBars(ctx context.Context) error {
	if b.store.batch == nil {
		return nil
	}

	var parts []ports.BarQuery
	var queryOf []int // of each part
	b.blocks, b.pieces = make([][]domain.BlockState, len(b.queries)), make([][]domain.Series, len(b.queries))
	for i, q := range b.queries {
		reader := b.store.blocksOf(q.Key)
		blocks := b.records[i].State.BlocksWithin(reader.layout, q.Range)
		blocks, _ = access.TakeBlocks(reader.layout, blocks, q, max(q.First, q.Last))
		if b.blocks[i] = blocks; len(blocks) == 0 {
			continue
		}

		within := reader.bounds(blocks[0].Index, blocks[len(blocks)-1].Index+1)
		for _, r := range domain.ClipRanges(b.records[i].State.Coverage, within) {
			parts, queryOf = append(parts, ports.BarQuery{Key: q.Key, Range: r}), append(queryOf, i)
		}
	}

	for p, err := range b.store.batch.ReadBatch(ctx, parts) {
		if err != nil {
			return b.interruption(ctx)
		}
		i := queryOf[p.Query]
		b.pieces[i] = append(b.pieces[i], p.Bars)
	}
	b.isRead = true

	return b.interruption(ctx)
}

// interruption returns the error of a context that is done.
func (b *ledgeredBatch) interruption(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return b.store.batchFailure(ports.ContextKind(err), err)
	}

	return nil
}

// result returns the result of a query: its rows of the batch, or a read of its own.
func (b *ledgeredBatch) result(ctx context.Context, i int) ports.Sequence[domain.Series] {
	q := b.queries[i]
	if !b.isRead || !b.records[i].Exists() {
		return b.store.ReadBars(ctx, q)
	}
	pieces, err := b.store.blocksOf(q.Key).verify(b.records[i], b.blocks[i], b.pieces[i])
	if err != nil {
		return b.store.ReadBars(ctx, q)
	}

	if q.First+q.Last > 0 {
		pieces = limitPieces(pieces, q)
	}

	return func(yield func(ports.Piece[domain.Series], error) bool) {
		r := ledgeredRead{blockReader: b.store.blocksOf(q.Key), query: q, yield: yield}
		err := r.give(ctx, b.records[i], pieces)
		if err == nil {
			err = r.finish(b.records[i])
		}
		if err != nil && !r.stopped {
			yield(ports.Piece[domain.Series]{}, err)
		}
	}
}
