package seriescache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/domain/quality"
	"github.com/gal-friday/marketdata/ports"
	"github.com/gal-friday/marketdata/ports/blockcache"
)

// latest is the last instant of data, which has years from 1 to 9999.
var latest = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)

// errMiscounted is the error of a block whose bars are not as many as the store counts: some were lost.
var errMiscounted = errors.New("bars are missing")

// errNoTail is the error of a block that is not its older version with a tail. It is read whole.
var errNoTail = errors.New("the block is no continuation of its older version")

// runRead is one read of the store, for consecutive blocks of one version of the series.
type runRead struct {
	store  *Store
	key    domain.SeriesKey
	layout domain.BlockLayout
	run    []missing
	known  domain.Version // of the series

	state *domain.SeriesState // that came with the bars
	parts [][]domain.Series   // by block of the run
}

// runRead returns a read of the run.
func (r *reading) runRead(run []missing) *runRead {
	return &runRead{store: r.store, key: r.query.Key, layout: r.layout, run: run, known: r.state.Version}
}

// do reads the blocks and puts them into the caches, unless a read that ended since they were looked up has put them
// there.
func (r *runRead) do(ctx context.Context) (blocks loadedRun, err error) {
	ctx, cancel := r.store.boundRead(ctx)
	defer cancel()
	defer r.store.recoverPanic("read bars", r.key.String(), &err)

	if blocks, ok := r.lookUp(); ok {
		return blocks, nil
	}
	if err := r.checkBefore(ctx); err != nil {
		return nil, err
	}

	blocks, err = r.read(ctx)
	if errors.Is(err, errNoTail) {
		r.run[0].older = blockcache.Block{}
		blocks, err = r.read(ctx)
	}
	if err != nil {
		return nil, err
	}

	r.keep(ctx, blocks)

	return blocks, nil
}

// lookUp returns the blocks if all are in the memory of this process.
func (r *runRead) lookUp() (loadedRun, bool) {
	blocks := make(loadedRun, len(r.run))
	for i, m := range r.run {
		block, found := r.store.caches.Local.Get(r.store.blockKey(r.key, m.Index))
		if !found || block.Version != m.Version {
			return nil, false
		}
		blocks[i] = block
	}

	return blocks, true
}

// keep puts the blocks of the run into the caches.
func (r *runRead) keep(ctx context.Context, blocks loadedRun) {
	s := r.store
	keys := make([]blockcache.Key, len(blocks))
	for i, m := range r.run {
		keys[i] = s.blockKey(r.key, m.Index)
		s.caches.Local.Put(keys[i], blocks[i])
	}
	if s.caches.Shared != nil {
		s.caches.Shared.PutBlocks(ctx, keys, blocks)
	}
	s.stats.misses.Add(int64(len(blocks)))
}

// checkBefore returns access.ErrStateChanged where the store keeps no versions, and has another state than is believed.
func (r *runRead) checkBefore(ctx context.Context) error {
	if r.store.unversioned == nil {
		return nil
	}
	if err := r.store.readStates(ctx, []*runRead{r}); err != nil {
		return err
	}

	return r.checkVersions()
}

// read reads the bars of the run and verifies them.
func (r *runRead) read(ctx context.Context) (loadedRun, error) {
	if err := r.store.readRuns(ctx, []*runRead{r}); err != nil {
		return nil, err
	}

	return r.verify()
}

// readRuns reads the runs, several of them at once, and their states. Where the store keeps no versions, the states are
// those after the read.
func (s *Store) readRuns(ctx context.Context, reads []*runRead) error {
	queries := make([]ports.BarQuery, len(reads))
	for i, read := range reads {
		queries[i] = read.query()
	}

	s.stats.reads.Add(1)
	for p, err := range s.readQueries(ctx, queries) {
		if err == nil {
			err = reads[p.Query].take(p, queries[p.Query].Range)
		}
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil { // a read that was cut short must not pass for a whole one
		return s.failure(ports.ContextKind(err), "read bars", reads[0].key.String(), err)
	}
	if s.unversioned != nil {
		return s.readStates(ctx, reads)
	}

	return nil
}

// readQueries reads several queries in one batch.
func (s *Store) readQueries(ctx context.Context, queries []ports.BarQuery) iter.Seq2[ports.BatchBars, error] {
	if len(queries) > 1 {
		return s.cfg.Batch.ReadBatch(ctx, queries)
	}

	return func(yield func(ports.BatchBars, error) bool) {
		for p, err := range s.next.ReadBars(ctx, queries[0]) {
			if !yield(ports.BatchBars{Bars: p.Rows, State: p.State}, err) {
				return
			}
		}
	}
}

// readStates reads the states of the runs, without their bars.
func (s *Store) readStates(ctx context.Context, reads []*runRead) error {
	queries := make([]ports.SeriesQuery, len(reads))
	for i, read := range reads {
		queries[i] = ports.SeriesQuery{Key: read.key, State: ports.StateQuery{Range: read.bounds(0, len(read.run))}}
	}

	states, err := s.source.ReadStates(ctx, queries)
	if err != nil {
		return err
	}

	for i, read := range reads {
		read.state = states[i]
	}

	return nil
}

// query begins a read of the run, and returns its query. Of a block that is extended it reads only the tail.
func (r *runRead) query() ports.BarQuery {
	q := ports.BarQuery{Key: r.key, Range: r.bounds(0, len(r.run)), State: ports.StateQuery{Known: r.known}}
	r.state, r.parts = nil, make([][]domain.Series, len(r.run))
	if older := r.run[0].older.Bars; older.Len() > 0 {
		r.store.stats.tailReads.Add(1)
		r.parts[0] = append(r.parts[0], older)
		q.State.Range, q.Range.Start = q.Range, older.Range().End
	}

	return q
}

// bounds returns the range of the blocks [from, to) of the run.
func (r *runRead) bounds(from, to int) domain.Range {
	return r.layout.Range(r.run[from].Index, r.run[to-1].Index+1)
}

// take divides the bars of a piece among the blocks, and takes its state, if it has one.
func (r *runRead) take(p ports.BatchBars, within domain.Range) error {
	if p.State != nil {
		r.state = p.State
	}

	r.store.stats.bars.Add(int64(p.Bars.Len()))
	taken := 0
	for i := range r.run {
		if part := p.Bars.Clip(r.bounds(i, i+1).Intersect(within)); part.Len() > 0 {
			r.parts[i] = append(r.parts[i], part)
			taken += part.Len()
		}
	}
	if taken < p.Bars.Len() {
		return r.readError(ports.ErrInternal, "the store returned bars outside of the query or of its own blocks: %s of %s",
			p.Bars, within)
	}

	return nil
}

// checkVersions returns access.ErrStateChanged unless each block has its version in the state.
func (r *runRead) checkVersions() error {
	if r.state == nil {
		return r.readError(ports.ErrInternal, "the store returned no state")
	}

	for _, m := range r.run {
		stored, found := r.state.Block(m.Index)
		isRepeated := found || r.state.Version != r.known // the store need not repeat a known block
		if isRepeated && stored.Version != m.Version {
			return access.ErrStateChanged
		}
	}

	return nil
}

// verify makes blocks of the bars read, and compares versions and numbers of bars with the states.
func (r *runRead) verify() (loadedRun, error) {
	if err := r.checkVersions(); err != nil {
		return nil, err
	}

	blocks := make(loadedRun, len(r.run))
	for i, m := range r.run {
		bars, err := r.content(i)
		if err != nil {
			return nil, err
		}

		verdict := quality.NewValidator(r.bounds(i, i+1), latest).Check(bars)
		blocks[i] = blockcache.Block{Version: m.Version, Bars: bars, Validated: len(verdict.Findings) == 0}
	}

	return blocks, nil
}

// content returns the bars of a block, in memory of their own, because a cache must not keep more than it counts.
func (r *runRead) content(i int) (domain.Series, error) {
	bars, err := domain.ConcatSeries(domain.EmptySeries(r.key), r.parts[i])
	if err != nil {
		return domain.Series{}, r.readError(ports.ErrInternal, "%w", err)
	}

	m, n := r.run[i], bars.Len()
	switch isCounted := m.Rows > 0; { // stores without versions do not count
	case n > domain.MaxBlockBars:
		return domain.Series{}, r.readError(ports.ErrInternal, "a block of %d bars", n)
	case isCounted && n != m.Rows && m.older.Bars.Len() > 0:
		return domain.Series{}, errNoTail
	case isCounted && n != m.Rows:
		return domain.Series{}, r.readError(ports.ErrCorruptData, "the block from %s has %d bars, the store counts %d: %w",
			r.bounds(i, i+1).Start.Format(time.RFC3339), n, m.Rows, errMiscounted)
	case len(r.parts[i]) == 1:
		return bars.Clone(), nil
	}

	return bars, nil
}

// readError is the error of a store that broke its contract.
func (r *runRead) readError(kind error, format string, args ...any) error {
	return r.store.failure(kind, "read bars", r.key.String(), fmt.Errorf(format, args...))
}
