package seriescache

import (
	"context"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// batchBlocks is the maximum number of blocks of one batch. Of readsAtOnce batches, so many are in memory at once.
const batchBlocks = 64

// batchEntry is the missing blocks of one query.
type batchEntry struct {
	reading *reading
	runs    [][]missing
}

// Prefetch implements ports.CachedReader. It asks for the states of all series at once, and reads many series in one
// batch. Of a query with First or Last it loads the blocks in which so many bars lie if no slot is empty.
func (s *Store) Prefetch(ctx context.Context, queries []ports.BarQuery) {
	if len(queries) < 2 || s.closed.Err() != nil {
		return
	}
	readings, err := s.prefetchStates(ctx, queries)
	if err != nil || s.cfg.Batch == nil {
		return
	}

	left := s.cfg.MaxBlocks
	var batches [][]batchEntry
	size := 0 // of the last batch
	for _, r := range readings {
		entry, blocks := r.batchEntry(ctx)
		if blocks == 0 || blocks > left {
			continue
		}
		if len(batches) == 0 || size+blocks > batchBlocks {
			batches, size = append(batches, nil), 0
		}
		batches[len(batches)-1] = append(batches[len(batches)-1], entry)
		size += blocks
		left -= blocks
	}

	_ = inParallel(len(batches), func(i int) error { return s.readBatch(ctx, batches[i]) }) // a later read meets it again
}

// prefetchStates takes the states of the queries' series, those that are not believed in one question.
func (s *Store) prefetchStates(ctx context.Context, queries []ports.BarQuery) ([]*reading, error) {
	readings := make([]*reading, len(queries))
	var keys []domain.SeriesKey
	var ranges []domain.Range
	var tickets []ticket[knownState]
	var asking []*reading
	for i, q := range queries {
		r := newReading(s, q)
		readings[i] = &r
		within := r.nearestRange()
		var ok bool
		if r.state, ok = s.localState(q.Key, within); ok {
			continue
		}

		t := s.states.begin(q.Key)
		keys, ranges = append(keys, q.Key), append(ranges, askedRange(t, q.Key, within))
		tickets = append(tickets, t)
		asking = append(asking, &r)
	}
	if len(asking) == 0 {
		return readings, nil
	}

	states, err := s.askStates(ctx, keys, ranges, tickets)
	for i := range states {
		asking[i].state = states[i]
	}

	return readings, err
}

// batchEntry returns the blocks of the query that no cache has, and their number.
func (r *reading) batchEntry(ctx context.Context) (batchEntry, int) {
	blocks := r.state.BlocksWithin(r.layout, r.nearestRange())
	blocks, _ = access.TakeBlocks(r.layout, blocks, r.query, r.need())
	if len(blocks) > batchBlocks {
		return batchEntry{}, 0
	}

	pieces := make([]ports.CachedBars, len(blocks))
	absent := r.takeShared(ctx, r.absentBlocks(blocks, pieces), pieces)

	return batchEntry{reading: r, runs: splitRuns(absent)}, len(absent)
}

// readBatch reads the missing blocks of the entries at once, and puts them into the caches.
func (s *Store) readBatch(ctx context.Context, batch []batchEntry) (err error) {
	ctx, cancel := s.boundRead(ctx)
	defer cancel()
	defer s.recoverPanic("read a batch", "", &err)

	var reads []*runRead
	var queries []ports.BarQuery
	for _, e := range batch {
		for _, run := range e.runs {
			read := e.reading.runRead(run)
			reads, queries = append(reads, read), append(queries, read.query())
		}
	}

	s.stats.reads.Add(1)
	for p, err := range s.cfg.Batch.ReadBatch(ctx, queries) {
		if err == nil {
			err = reads[p.Query].take(p.Bars, p.State, queries[p.Query].Range)
		}
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}

	if s.unversioned != nil {
		if err := s.readStatesAfter(ctx, reads); err != nil {
			return err
		}
	}
	for _, read := range reads {
		if blocks, err := read.verify(); err == nil {
			read.keep(ctx, blocks)
		}
	}

	return nil
}

// readStatesAfter gives each read the state after it, where the store yields none: the versions must still be the same.
func (s *Store) readStatesAfter(ctx context.Context, reads []*runRead) error {
	queries := make([]ports.SeriesQuery, len(reads))
	for i, read := range reads {
		queries[i] = ports.SeriesQuery{Key: read.key, State: ports.StateQuery{Range: read.bounds(0, len(read.run))}}
	}

	states, err := s.source.ReadStates(ctx, queries)
	for i, state := range states {
		reads[i].state = state
	}

	return err
}
