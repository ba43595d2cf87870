package chunks

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

// batchChunks is how many chunks are read in one batch at most. Of readsAtOnce batches, so many are in memory before they are kept.
const batchChunks = 64

// Prefetch has the chunks that the queries need read into the cache, MaxChunks of them at most, many series in one batch. Of a query for
// the first or last bars it is the chunks that so many bars without a gap lie in.
func (s *Store) Prefetch(ctx context.Context, queries []ports.BarQuery) {
	if s.cfg.Batch == nil || !s.live() || len(queries) < 2 {
		return
	}
	symbols := make([]domain.Symbol, len(queries))
	for i, q := range queries {
		symbols[i] = q.Key.Symbol
	}
	if _, err := s.Extents(ctx, symbols...); err != nil { // at once, not one by one below
		return
	}
	left := s.cfg.MaxChunks
	var batches []*batch
	for _, q := range queries {
		r := &reading{Store: s, query: q, cut: domain.BarBlocks(q.Key.Grid)}
		lacking, v, ok := r.lacks(ctx)
		if !ok || len(lacking) > left {
			continue
		}
		left -= len(lacking)
		if n := len(batches); n == 0 || batches[n-1].chunks+len(lacking) > batchChunks {
			batches = append(batches, &batch{Store: s})
		}
		batches[len(batches)-1].add(r, v, lacking)
	}
	var next atomic.Int64
	var reading sync.WaitGroup
	for range min(readsAtOnce, len(batches)) {
		reading.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(batches); i = int(next.Add(1)) - 1 {
				batches[i].read(ctx)
			}
		})
	}
	reading.Wait()
}

// needed is the chunks from, and up to, which bars of the query lie where there is no gap between them.
func (r *reading) needed() (from, to int64) {
	from, to = r.cut.Span(r.query.Range)
	start, until := r.query.Range.Micros()
	bar := r.query.Key.Grid.Frequency().Nominal().Microseconds()
	if few := int64(r.query.Last); few > 0 && few < int64(until-start)/bar {
		from = r.cut.Index(until - domain.Micros(few*bar))
	}
	if few := int64(r.query.First); few > 0 && few < int64(until-start)/bar {
		to = r.cut.Index(start+domain.Micros(few*bar)-1) + 1
	}

	return from, to
}

// lacks is the chunks that the query needs and the cache has not; ok is false where it is not for Warm.
func (r *reading) lacks(ctx context.Context) (lacking []lack, v *view, ok bool) {
	from, to := r.needed()
	_, until := r.query.Range.Micros()
	if to-from > windowChunks {
		return nil, nil, false
	}
	view := r.states.of(r.query.Key).view(r.query.Key)
	held, err := r.heldOf(ctx, r.query.Key.Symbol)
	if err != nil {
		return nil, nil, false
	}
	view.held = ofKey(held, r.query.Key)
	for i := from; i < to; i++ {
		key := r.key(r.query.Key, r.cut, i)
		if _, found := r.lookup(ctx, &view, key, min(until, key.End)); found != all {
			lacking = append(lacking, lack{key: key})
		}
	}

	return lacking, &view, len(lacking) > 0 && !view.busy
}

// batch is chunks of many series that are read together.
type batch struct {
	*Store
	wanted []wanted
	chunks int
}

type wanted struct {
	reading *reading
	view    *view
	lacking []lack
}

func (b *batch) add(r *reading, v *view, lacking []lack) {
	b.wanted = append(b.wanted, wanted{r, v, lacking})
	b.chunks += len(lacking)
}

// task is a job of a batch.
type task struct {
	*job
	reading *reading
	view    *view
}

// read begins the batch, and waits for it and for what others are reading already.
func (b *batch) read(ctx context.Context) {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.ReadTimeout)
	var tasks []task
	var waiting atomic.Int64 // jobs that somebody waits for
	var joined []*flight
	for _, w := range b.wanted {
		joined = append(joined, w.reading.joinBy(w.view, w.lacking, func(j *job) {
			waiting.Add(1)
			j.cancel = func() {
				if waiting.Add(-1) == 0 {
					cancel()
				}
			}
			tasks = append(tasks, task{j, w.reading, w.view.forJob()})
		})...)
	}
	if len(tasks) == 0 {
		cancel()
	} else {
		b.background(func() {
			defer cancel()
			defer context.AfterFunc(b.closed, cancel)() //nolint:contextcheck // Close ends it too
			b.fly(detached, tasks)
		})
	}
	for _, f := range joined {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
	}
	for _, w := range b.wanted {
		w.reading.leave(joined[:len(w.lacking)])
		joined = joined[len(w.lacking):]
	}
}

// fly does the jobs. Whatever happens, every flight ends; of a batch that failed nobody knows whose fault it is, so whoever waits asks
// the store himself.
func (b *batch) fly(ctx context.Context, tasks []task) {
	err := errAside
	defer func() {
		if value := recover(); value != nil {
			_ = b.panicked("read a batch", "", value) // it is logged, and met again by whoever asks
		}
		for _, t := range tasks {
			b.flights.land(t.job, err)
		}
	}()
	if b.readAll(ctx, tasks) == nil {
		err = nil
	}
}

// readAll reads what the jobs lack, and asks whether it was held all the while.
func (b *batch) readAll(ctx context.Context, tasks []task) error {
	var runs []*run
	for _, t := range tasks {
		runs = append(runs, t.reading.runs(ctx, t.view, t.flights)...)
	}
	if len(runs) == 0 {
		return nil
	}
	queries := make([]ports.BarQuery, len(runs))
	symbols := make([]domain.Symbol, len(runs))
	for i, n := range runs {
		queries[i] = n.query()
		symbols[i] = queries[i].Key.Symbol
	}
	b.stats.reads.Add(1)
	for piece, err := range b.cfg.Batch.ReadBatch(ctx, queries) {
		if err == nil {
			err = runs[piece.Query].take(piece.Bars)
		}
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	held, err := b.askAll(ctx, symbols)
	if err != nil {
		return err
	}
	for _, n := range runs {
		if err := n.finish(ctx, held); err != nil {
			return err
		}
	}

	return nil
}
