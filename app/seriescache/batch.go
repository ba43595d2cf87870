package seriescache

import (
	"context"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// batchBlocks is the maximum number of blocks of one batch. Of readsAtOnce batches, so many are in memory at once.
const batchBlocks = 64

// Prefetch implements blockcache.Reader. It asks for the states of all series at once, and reads many series in one
// batch. Of a query with First or Last it loads the blocks in which so many bars lie if no slot is empty.
func (s *Store) Prefetch(ctx context.Context, queries []ports.BarQuery) {
	if len(queries) < 2 || s.closed.Err() != nil {
		return
	}
	readings, err := s.prefetchStates(ctx, queries)
	if err != nil || s.cfg.Batch == nil {
		return
	}

	var batches [][]*runRead
	blocks, left := 0, s.cfg.MaxBlocks // blocks of the last batch
	for _, r := range readings {
		for _, run := range r.missingRuns(ctx) {
			if left -= len(run); left < 0 {
				break
			}
			if blocks += len(run); len(batches) == 0 || blocks > batchBlocks {
				batches, blocks = append(batches, nil), len(run)
			}
			last := len(batches) - 1
			batches[last] = append(batches[last], r.runRead(run))
		}
	}

	_ = inParallel(len(batches), func(i int) error { return s.readBatch(ctx, batches[i]) }) // a later read meets it again
}

// prefetchStates takes the states of the queries' series, those that are not believed in one question.
func (s *Store) prefetchStates(ctx context.Context, queries []ports.BarQuery) ([]*reading, error) {
	readings := make([]*reading, len(queries))
	var asking []*reading
	var questions []question
	for i, q := range queries {
		r := newReading(s, q)
		readings[i] = &r
		within := r.nearestRange()
		var isBelieved bool
		if r.state, isBelieved = s.localState(q.Key, within, 0); !isBelieved {
			asking, questions = append(asking, &r), append(questions, s.newQuestion(q.Key, within))
		}
	}
	if len(questions) == 0 {
		return readings, nil
	}

	states, err := s.ask(ctx, questions)
	for i, state := range states {
		asking[i].state = state
	}

	return readings, err
}

// missingRuns returns the blocks of the query that no cache has, none of a query that is too long for the cache.
func (r *reading) missingRuns(ctx context.Context) [][]missing {
	blocks := r.state.BlocksWithin(r.layout, r.nearestRange())
	blocks, _ = access.TakeBlocks(r.layout, blocks, r.query, r.need())
	if len(blocks) > r.store.cfg.MaxBlocks {
		return nil
	}

	pieces := make([]blockcache.Bars, len(blocks))

	return splitRuns(r.takeShared(ctx, r.absentBlocks(blocks, pieces), pieces))
}

// readBatch reads the runs at once, and puts their blocks into the caches.
func (s *Store) readBatch(ctx context.Context, reads []*runRead) (err error) {
	ctx, cancel := s.boundRead(ctx)
	defer cancel()
	defer s.recoverPanic("read a batch", "", &err)

	if err := s.readRuns(ctx, reads); err != nil {
		return err
	}
	for _, read := range reads {
		if blocks, err := read.verify(); err == nil {
			read.keep(ctx, blocks)
		}
	}

	return nil
}
