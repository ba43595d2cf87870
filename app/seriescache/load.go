package seriescache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/gal-friday/marketdata/app/internal/access"
	"github.com/gal-friday/marketdata/app/internal/singleflight"
	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

const (
	// runBlocks is the maximum number of blocks that one read of the store takes.
	runBlocks = 32

	// readsAtOnce is the maximum number of reads of the store that one query has under way.
	readsAtOnce = 4
)

// latest is the last instant of data, which has years from 1 to 9999.
var latest = time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)

// missing is a block that is in no cache.
type missing struct {
	domain.BlockState
	place int         // in the blocks that are loaded
	older ports.Block // that may be extended to the version, if it has bars
}

// isMatchedBy reports whether the block of a shared cache is the one that is missing.
func (m *missing) isMatchedBy(block ports.Block) bool {
	return block.Version == m.Version && block.Bars.Len() == m.Rows
}

// load returns the bars of the blocks, which are consecutive blocks of the state: from this process, from the shared
// cache, or from the store. It returns access.ErrStateChanged where the store has other versions.
func (r *reading) load(ctx context.Context, blocks []domain.BlockState) ([]ports.CachedBars, error) {
	pieces := make([]ports.CachedBars, len(blocks))
	absent := r.absentBlocks(blocks, pieces)
	for i, b := range blocks {
		if pieces[i].Cached {
			r.store.hit(r.store.blockKey(r.query.Key, b.Index))
		}
	}
	if len(absent) == 0 {
		return pieces, nil
	}

	err := r.loadAbsent(ctx, absent, pieces)
	if err == nil {
		r.maybeReadAhead(absent)
	}

	return pieces, err
}

// absentBlocks takes the blocks that are in the memory of this process. It returns the others.
func (r *reading) absentBlocks(blocks []domain.BlockState, pieces []ports.CachedBars) (absent []missing) {
	for i, b := range blocks {
		block, found := r.store.caches.Local.Get(r.store.blockKey(r.query.Key, b.Index))
		if !found || block.Version != b.Version {
			absent = append(absent, missing{BlockState: b, place: i, older: block})
			continue
		}

		pieces[i] = ports.CachedBars{Bars: block.Bars, Validated: block.Validated, Cached: true}
	}

	return absent
}

func (s *Store) blockKey(key domain.SeriesKey, index int64) ports.BlockKey {
	return ports.BlockKey{Store: s.cfg.Name, Series: key, Index: index}
}

// loadAbsent takes blocks from the shared cache, and reads the others.
func (r *reading) loadAbsent(ctx context.Context, absent []missing, pieces []ports.CachedBars) error {
	runs := splitRuns(r.takeShared(ctx, absent, pieces))
	return inParallel(len(runs), func(i int) error { return r.loadRun(ctx, runs[i], pieces) })
}

// takeShared takes blocks from the shared cache. It returns those that are not there. Their older bars may be extended:
// they are of the last block, at a version in the tail of the state.
func (r *reading) takeShared(ctx context.Context, absent []missing, pieces []ports.CachedBars) []missing {
	last, _ := r.state.LastBlock()
	left := absent[:0:0]
	for i, block := range r.store.sharedBlocks(ctx, r.query.Key, absent) {
		m := absent[i]
		if m.isMatchedBy(block) {
			r.store.stats.sharedHits.Add(1)
			r.store.caches.Local.Put(r.store.blockKey(r.query.Key, m.Index), block)
			pieces[m.place] = ports.CachedBars{Bars: block.Bars, Validated: block.Validated, Cached: true}
			continue
		}

		if block.Bars.Len() > m.older.Bars.Len() {
			m.older = block
		}
		if m.Index != last.Index || m.older.Bars.Len() >= m.Rows || !slices.Contains(r.state.Tail, m.older.Version.Nonce) {
			m.older = ports.Block{}
		}
		left = append(left, m)
	}

	return left
}

// sharedBlocks returns what the shared cache has of the missing blocks.
func (s *Store) sharedBlocks(ctx context.Context, series domain.SeriesKey, absent []missing) []ports.Block {
	if s.caches.Shared == nil || len(absent) == 0 {
		return make([]ports.Block, len(absent))
	}

	keys := make([]ports.BlockKey, len(absent))
	for i, m := range absent {
		keys[i] = s.blockKey(series, m.Index)
	}

	return s.caches.Shared.GetBlocks(ctx, keys)
}

// splitRuns divides the missing blocks into runs that are read at once: neighbors, except that a block that is extended
// is a run of its own.
func splitRuns(absent []missing) [][]missing {
	var runs [][]missing
	for i, m := range absent {
		n := len(runs) - 1
		if i == 0 || len(runs[n]) == runBlocks || absent[i-1].place+1 != m.place || m.older.Bars.Len() > 0 {
			runs = append(runs, nil)
			n++
		}
		runs[n] = append(runs[n], m)
	}

	return runs
}

// inParallel calls f with each number below n, readsAtOnce at a time. It returns the error of the lowest that has one.
func inParallel(n int, f func(i int) error) error {
	if n == 1 {
		return f(0)
	}

	errs := make([]error, n)
	slots := make(chan struct{}, readsAtOnce)
	var running sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		running.Go(func() {
			errs[i] = f(i)
			<-slots
		})
	}
	running.Wait()

	return cmp.Or(errs...)
}

// runKey identifies a read that several queries may share.
type runKey struct {
	series   domain.SeriesKey
	version  domain.Version // of the series
	from, to int64          // blocks [from, to)
	extends  uint64         // nonce of the version that is extended
}

// loadedRun is the blocks of a run, in its order.
type loadedRun []ports.Block

// loadRun reads a run of blocks, or shares the read of another query.
func (r *reading) loadRun(ctx context.Context, run []missing, pieces []ports.CachedBars) error {
	s := r.store
	key := runKey{
		series: r.query.Key, version: r.state.Version, extends: run[0].older.Version.Nonce,
		from: run[0].Index, to: run[len(run)-1].Index + 1,
	}
	loaded, shared, err := s.runs.Do(ctx, key, func(ctx context.Context) (loadedRun, error) {
		return r.runRead(run).do(ctx)
	})
	switch {
	case errors.Is(err, singleflight.ErrInterrupted):
		return s.interruption(ctx, "read bars", r.query.Key)
	case r.mayAvoid(err):
		return errBypass
	case err != nil:
		return err
	case shared:
		s.stats.coalesced.Add(int64(len(run)))
	}

	for i, m := range run {
		pieces[m.place] = ports.CachedBars{Bars: loaded[i].Bars, Validated: loaded[i].Validated}
	}

	return nil
}

// mayAvoid reports whether the error is of data that a read of the query alone may not meet: a block has more than the
// query wants, and a query with a limit may end before a corrupt bar. Lost bars are met again.
func (r *reading) mayAvoid(err error) bool {
	var rule *domain.RuleError
	switch {
	case errors.Is(err, ports.ErrTooLarge):
		return true
	case !errors.Is(err, ports.ErrCorruptData) || errors.Is(err, errMiscounted):
		return false
	case !errors.As(err, &rule):
		return true
	}

	return r.need() < math.MaxInt || !r.query.Range.Contains(rule.At)
}

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
	blocks, err = r.read(ctx)
	if errors.Is(err, errNoTail) {
		r.run[0].older = ports.Block{}
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
	keys := make([]ports.BlockKey, len(blocks))
	for i, m := range r.run {
		keys[i] = s.blockKey(r.key, m.Index)
		s.caches.Local.Put(keys[i], blocks[i])
	}
	if s.caches.Shared != nil {
		s.caches.Shared.PutBlocks(ctx, keys, blocks)
	}
	s.stats.misses.Add(int64(len(blocks)))
}

// errMiscounted is the error of a block whose bars are not as many as the store counts: some were lost.
var errMiscounted = errors.New("bars are missing")

// errNoTail is the error of a block that is not its older version with a tail. It is read whole.
var errNoTail = errors.New("the block is no continuation of its older version")

// read reads the bars of the run and verifies them.
func (r *runRead) read(ctx context.Context) (loadedRun, error) {
	q := r.query()
	r.store.stats.reads.Add(1)
	for p, err := range r.store.source.ReadBars(ctx, q) {
		if err == nil {
			err = r.take(p.Rows, p.State, q.Range)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil { // a read that was cut short must not pass for a whole one
		return nil, r.store.failure(ports.ContextKind(err), "read bars", r.key.String(), err)
	}

	return r.verify()
}

// query begins a read of the run, and returns its query. Of a block that is extended it reads what follows.
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
func (r *runRead) take(bars domain.Series, state *domain.SeriesState, within domain.Range) error {
	if state != nil {
		r.state = state
	}

	r.store.stats.bars.Add(int64(bars.Len()))
	taken := 0
	for i := range r.run {
		if part := bars.Clip(r.bounds(i, i+1).Intersect(within)); part.Len() > 0 {
			r.parts[i] = append(r.parts[i], part)
			taken += part.Len()
		}
	}
	if taken < bars.Len() {
		return r.readError(ports.ErrInternal, "the store returned bars outside of the query or of its own blocks: %s of %s",
			bars, within)
	}

	return nil
}

// verify makes blocks of what was read, and compares versions and numbers of bars with the states.
func (r *runRead) verify() (loadedRun, error) {
	if r.state == nil {
		return nil, r.readError(ports.ErrInternal, "the store returned no state")
	}

	blocks := make(loadedRun, len(r.run))
	for i, m := range r.run {
		stored, found := r.state.Block(m.Index)
		if r.state.Version == r.known && !found {
			stored, found = m.BlockState, true // the store need not repeat what is known
		}
		if !found || stored.Version != m.Version {
			return nil, access.ErrStateChanged
		}

		bars, err := r.content(i)
		if err != nil {
			return nil, err
		}

		verdict := domain.NewValidator(r.bounds(i, i+1), latest).Check(bars)
		blocks[i] = ports.Block{Version: m.Version, Bars: bars, Validated: len(verdict.Findings) == 0}
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
